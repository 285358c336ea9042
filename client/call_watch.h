// Ends calls that no longer get anywhere.
#ifndef DFS_CLIENT_CALL_WATCH_H_
#define DFS_CLIENT_CALL_WATCH_H_

#include <grpcpp/client_context.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "client/connection.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs::client {

struct WatchLimits {
  // A call without progress for this long makes the watch ask its endpoint for a sign of life.
  absl::Duration silence = absl::Milliseconds(400);
  // An endpoint that does not answer within this is taken for dead. Together: below 2 s.
  absl::Duration sign_of_life = absl::Milliseconds(700);
  // How often calls are looked at, while there are any.
  absl::Duration period = absl::Milliseconds(100);
};

// One call: its context and what is known of its progress. Thread-safe.
class WatchedCall {
 public:
  enum class End : int { kNone, kEndpointDead, kStalled };

  [[nodiscard]] grpc::ClientContext* context() { return &context_; }
  void RecordProgress(MonotonicTime now) {
    progressed_ns_.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
  }
  // Why the watch ended the call, if it did.
  [[nodiscard]] End end() const { return end_.load(std::memory_order_acquire); }
  // `status` of the call, or the reason why the watch ended it.
  [[nodiscard]] absl::Status Explain(const grpc::Status& status) const;

 private:
  friend class CallWatch;
  grpc::ClientContext context_;
  std::shared_ptr<Connection> connection_;
  absl::Duration timeout_;
  int lives_ = 1;  // signs of life that may fail; the watch's thread only
  std::atomic<std::int64_t> progressed_ns_ = 0;
  std::atomic<End> end_ = End::kNone;
};

// Looks at calls in progress and cancels one (a) when nothing moved for its timeout, (b) when
// nothing moved for a short while and its endpoint does not answer Cluster.Hello either: a
// black-holed or stopped node is left within 2 s, a busy one is not.
//
// Thread-safe. Has one thread; takes none of the callers' time.
class CallWatch {
 public:
  explicit CallWatch(const WatchLimits& limits = {}, const Clock& clock = SystemClock());
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  // Watches a call until it is destroyed. `lives`: the sign of life whose failure ends it (1: the
  // first).
  class Guard {
   public:
    Guard(CallWatch& watch, std::shared_ptr<Connection> connection, absl::Duration timeout,
          int lives = 1);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    [[nodiscard]] WatchedCall& call() { return *call_; }
    void RecordProgress() { call_->RecordProgress(watch_.clock_.Now()); }

   private:
    CallWatch& watch_;
    const std::shared_ptr<WatchedCall> call_;
    std::list<std::shared_ptr<WatchedCall>>::iterator at_;
  };

 private:
  struct Probe;

  void Look() ABSL_LOCKS_EXCLUDED(mutex_);
  void LookAt(WatchedCall& call, MonotonicTime now);
  void StartProbe(const std::shared_ptr<Connection>& connection, MonotonicTime now);
  void HandleProbe(const Probe* asked, bool is_alive);
  void Cancel(WatchedCall& call, WatchedCall::End end);

  const WatchLimits limits_;
  const Clock& clock_;

  Mutex mutex_;
  std::list<std::shared_ptr<WatchedCall>> calls_ ABSL_GUARDED_BY(mutex_);
  bool is_armed_ ABSL_GUARDED_BY(mutex_) = false;
  int answers_outstanding_ ABSL_GUARDED_BY(mutex_) = 0;  // of probes
  CondVar answered_;

  // The executor's thread only. Each stays until its answer was handled.
  std::vector<std::shared_ptr<Probe>> probes_;

  ThreadExecutor executor_;  // last: its thread uses the rest
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_CALL_WATCH_H_
