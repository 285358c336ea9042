// Puts whose client went away midway, kept for a while so that another stream may go on with them.
#ifndef DFS_SERVER_COORDINATOR_PARKED_PUTS_H_
#define DFS_SERVER_COORDINATOR_PARKED_PUTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "dfs/v1/files.pb.h"
#include "server/coordinator/park_limits.h"
#include "server/coordinator/put_operation.h"

namespace dfs::coordinator {

// By (owner, token): the puts with a resume_token that a stream is sending, and those whose stream broke. A put is with one
// stream or parked, never both, so at most one stream appends to it and it is committed at most once. A parked put goes on being an
// ordinary put that nobody feeds: its transaction stays open and is renewed (rule R11), its replicas wait for the next byte.
// Beyond a limit the one that was parked first is aborted; one that is over a limit by itself is not parked.
//
// `owner`: who the client is known to be, from its certificate; empty in plaintext. What another owner asks about is not there.
//
// Thread-safe. Nothing blocks but the end of puts (PutOperation's destructor), which happens without a lock held.
class ParkedPuts {
  using Key = std::pair<std::string, std::string>;  // owner, token

 public:
  static constexpr std::size_t kTokenBytes = 16;
  // Of puts with fewer nothing is kept: they are as soon sent again.
  static constexpr std::uint64_t kBytesMin = std::uint64_t{1} << 20;

  // Whoever holds it is the stream that sends this put. Empty: the put has no token, and cannot be parked.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept : puts_(std::exchange(other.puts_, nullptr)), key_(std::move(other.key_)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(puts_, other.puts_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~Ticket() {
      if (puts_ != nullptr) puts_->Forget(key_);
    }

   private:
    friend class ParkedPuts;
    Ticket(ParkedPuts* puts, Key key) : puts_(puts), key_(std::move(key)) {}
    ParkedPuts* puts_ = nullptr;
    Key key_;
  };
  struct Resumed {
    Ticket ticket;
    std::unique_ptr<PutOperation> put;  // measures nothing until it is told to
  };

  // `executor` runs expiry, and is stopped before this is destroyed. All outlive it, and the tickets do not.
  ParkedPuts(const ParkLimits& limits, const Clock* clock, Executor* executor);
  ~ParkedPuts();  // Stop()
  ParkedPuts(const ParkedPuts&) = delete;
  ParkedPuts& operator=(const ParkedPuts&) = delete;

  // A stream begins a put from its first byte. kInvalidArgument: no token of 16 bytes. kAborted: another stream has this
  // token. What is parked under it is aborted.
  absl::StatusOr<Ticket> Begin(const std::string& owner, const api::PutHeader& header)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A stream goes on. kNotFound: nothing is parked under this token for a put of this name, size and request. kAborted:
  // another stream has it. kInvalidArgument: resume_offset is not what the put has. It stays parked after an error.
  absl::StatusOr<Resumed> Resume(const std::string& owner, const api::PutHeader& header)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream broke between two messages, after an Append that succeeded if there was any. False: the put is not kept, and is
  // aborted here.
  bool Park(Ticket ticket, std::unique_ptr<PutOperation> put) ABSL_LOCKS_EXCLUDED(mutex_);
  // kNotFound.
  absl::StatusOr<api::PutProgressResponse> Find(const std::string& owner,
                                                const api::PutProgressRequest& request) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Aborts what is parked; nothing is parked from then on. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] ParkCounts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::unique_ptr<PutOperation> put;  // null while a stream has it
    MonotonicTime until;                // if parked
  };
  using Entries = std::map<Key, Entry>;
  using Doomed = std::vector<std::unique_ptr<PutOperation>>;

  void Forget(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);
  void Expire() ABSL_LOCKS_EXCLUDED(mutex_);
  void DisplaceLocked(Doomed* doomed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ArmLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] Entries::iterator OldestLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ParkLimits limits_;
  const Clock* const clock_;
  Executor* const executor_;

  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  // as many as streams, and puts_max
  ParkCounts counts_ ABSL_GUARDED_BY(mutex_);
  bool is_armed_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_PARKED_PUTS_H_
