#include "common/progress_guard.h"

#include <utility>

namespace dfs {

ProgressGuard::ProgressGuard(const Clock& clock)
    : clock_(clock), executor_("progress-guard", clock) {}

ProgressGuard::~ProgressGuard() { executor_.Stop(); }

void ProgressGuard::Arm(Watch* watch) {
  const MonotonicTime now = clock_.Now();
  bool must_schedule = false;
  {
    MutexLock lock(&mutex_);
    watch->deadline_ = now + watch->timeout_;
    armed_.insert(watch);
    must_schedule = !std::exchange(is_scheduled_, true);
  }
  if (must_schedule) executor_.PostAt(now + kCheckEvery, [this] { Check(); });
}

void ProgressGuard::Disarm(Watch* watch) {
  MutexLock lock(&mutex_);
  armed_.erase(watch);
}

void ProgressGuard::Check() {
  const MonotonicTime now = clock_.Now();
  {
    MutexLock lock(&mutex_);
    for (auto at = armed_.begin(); at != armed_.end();) {
      Watch* const watch = *at;
      if (watch->deadline_ > now) {
        ++at;
        continue;
      }
      at = armed_.erase(at);
      // Under the lock, so that what it cancels still exists; it must not block.
      if (!std::exchange(watch->has_fired_, true)) watch->cancel_();
    }
    is_scheduled_ = !armed_.empty();
    if (!is_scheduled_) return;
  }
  executor_.PostAt(now + kCheckEvery, [this] { Check(); });
}

ProgressGuard::Watch::Watch(ProgressGuard* guard, absl::Duration timeout,
                            std::function<void()> cancel)
    : guard_(guard), timeout_(timeout), cancel_(std::move(cancel)) {}

ProgressGuard::Watch::~Watch() { guard_->Disarm(this); }

void ProgressGuard::Watch::Begin() { guard_->Arm(this); }

void ProgressGuard::Watch::End() { guard_->Disarm(this); }

bool ProgressGuard::Watch::has_fired() const {
  MutexLock lock(&guard_->mutex_);
  return has_fired_;
}

}  // namespace dfs
