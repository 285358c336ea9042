// Ends streams on which nothing moves.
#ifndef DFS_SERVER_GATEWAY_STALL_GUARD_H_
#define DFS_SERVER_GATEWAY_STALL_GUARD_H_

#include <memory>
#include <set>

#include <grpcpp/server_context.h>

#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs::gateway {

// A client that stops sending or reading would hold a thread for ever: its call is cancelled after `timeout` without
// progress. Thread-safe.
class StallGuard {
 public:
  explicit StallGuard(absl::Duration timeout, const Clock& clock = SystemClock());
  ~StallGuard();

  class Watch {
   public:
    Watch(StallGuard* guard, grpc::ServerContext* context);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    // Bytes moved.
    void Progress();

   private:
    friend class StallGuard;
    StallGuard* const guard_;
    grpc::ServerContext* const context_;
    MonotonicTime last_;  // guarded by guard_->mutex_
  };

 private:
  void Check() ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::Duration timeout_;
  const Clock& clock_;
  Mutex mutex_;
  std::set<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  ThreadExecutor executor_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_STALL_GUARD_H_
