// Gives each change the id that makes it exactly-once (dfs.v1.RequestId).
#ifndef DFS_COMMON_REQUEST_IDS_H_
#define DFS_COMMON_REQUEST_IDS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/sync.h"
#include "dfs/v1/types.pb.h"

namespace dfs {

// Sequences of the current session, from 1. A session whose window of open sequences is full, or
// that the cluster has forgotten, is left to those that still use it and a new one is made.
//
// Thread-safe; never blocks.
class RequestIds {
  struct Session;

 public:
  // The cluster keeps results of at most this many sequences from acked_below on.
  static constexpr std::uint64_t kOpenMax = 256;

  // One change: its sequence stays open, and its result remembered by the cluster, until this is
  // destroyed.
  class Open {
   public:
    Open(Open&&) noexcept = default;
    Open& operator=(Open&&) = delete;
    ~Open();
    // For each attempt anew: `acked_below` is as of now.
    [[nodiscard]] v1::RequestId ToWire() const;

   private:
    friend class RequestIds;
    Open(std::shared_ptr<Session> session, std::uint64_t sequence)
        : session_(std::move(session)), sequence_(sequence) {}

    std::shared_ptr<Session> session_;  // null after a move
    std::uint64_t sequence_;
  };

  // nullopt while there is no session: StartSession first.
  [[nodiscard]] std::optional<Open> Next() ABSL_LOCKS_EXCLUDED(mutex_);
  // `birth`: an applied index got from the cluster now.
  void StartSession(std::uint64_t birth) ABSL_LOCKS_EXCLUDED(mutex_);
  // The cluster said that it forgot the session of `open`.
  void Forget(const Open& open) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Session {
    Session(std::string id_bytes, std::uint64_t birth_index)
        : id(std::move(id_bytes)), birth(birth_index) {}
    const std::string id;
    const std::uint64_t birth;
    Mutex mutex;
    std::uint64_t next ABSL_GUARDED_BY(mutex) = 1;
    std::set<std::uint64_t> open ABSL_GUARDED_BY(mutex);
  };

  Mutex mutex_;
  std::shared_ptr<Session> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs

#endif  // DFS_COMMON_REQUEST_IDS_H_
