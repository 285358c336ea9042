#include "server/gateway/stall_guard.h"

namespace dfs::gateway {
namespace {
constexpr absl::Duration kCheckEvery = absl::Seconds(1);
}  // namespace

StallGuard::StallGuard(absl::Duration timeout, const Clock& clock)
    : timeout_(timeout), clock_(clock), executor_("stall-guard", clock) {
  executor_.PostAt(clock_.Now() + kCheckEvery, [this] { Check(); });
}

StallGuard::~StallGuard() { executor_.Stop(); }

void StallGuard::Check() {
  {
    MutexLock lock(&mutex_);
    const MonotonicTime now = clock_.Now();
    for (Watch* watch : watches_) {
      if (now - watch->last_ > timeout_) watch->context_->TryCancel();
    }
  }
  executor_.PostAt(clock_.Now() + kCheckEvery, [this] { Check(); });
}

StallGuard::Watch::Watch(StallGuard* guard, grpc::ServerContext* context)
    : guard_(guard), context_(context), last_(guard->clock_.Now()) {
  MutexLock lock(&guard_->mutex_);
  guard_->watches_.insert(this);
}

StallGuard::Watch::~Watch() {
  MutexLock lock(&guard_->mutex_);
  guard_->watches_.erase(this);
}

void StallGuard::Watch::Progress() {
  const MonotonicTime now = guard_->clock_.Now();
  MutexLock lock(&guard_->mutex_);
  last_ = now;
}

}  // namespace dfs::gateway
