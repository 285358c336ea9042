// Ends blocking calls that make no progress.
#ifndef DFS_COMMON_PROGRESS_GUARD_H_
#define DFS_COMMON_PROGRESS_GUARD_H_

#include <functional>
#include <set>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs {

// Cancels what takes longer than it may, up to kCheckEvery late. Costs nothing while nobody waits. Thread-safe;
// outlives its watches.
class ProgressGuard {
 public:
  static constexpr absl::Duration kCheckEvery = absl::Milliseconds(50);

  explicit ProgressGuard(const Clock& clock = SystemClock());
  ~ProgressGuard();

  // Over one stream. Begin and End from one thread at a time.
  class Watch {
   public:
    // `cancel` must not block, may be called from any thread until the destructor returns, and at most once.
    Watch(ProgressGuard* guard, absl::Duration timeout, std::function<void()> cancel);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    // Around each call that may block.
    void Begin();
    void End();
    // Whether the guard has cancelled it.
    [[nodiscard]] bool has_fired() const;

   private:
    friend class ProgressGuard;
    ProgressGuard* const guard_;
    const absl::Duration timeout_;
    const std::function<void()> cancel_;
    // Guarded by guard_->mutex_.
    MonotonicTime deadline_ = absl::InfiniteFuture();
    bool has_fired_ = false;
  };

 private:
  void Check() ABSL_LOCKS_EXCLUDED(mutex_);
  void Arm(Watch* watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Disarm(Watch* watch) ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::set<Watch*> armed_ ABSL_GUARDED_BY(mutex_);
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadExecutor executor_;
};

}  // namespace dfs

#endif  // DFS_COMMON_PROGRESS_GUARD_H_
