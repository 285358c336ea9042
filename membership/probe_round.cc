#include "membership/probe_round.h"

#include <algorithm>

namespace dfs::membership {

ProbeRound::ProbeRound(MonotonicTime now, absl::Duration timeout,
                       const std::vector<NodeId>& helpers)
    : timeout_(timeout), helpers_deadline_(now + 2 * timeout), next_direct_(now) {
  for (const NodeId helper : helpers) helpers_[helper] = false;
}

void ProbeRound::RecordDirectSent(MonotonicTime now) {
  sent_.push_back(now + timeout_);
  next_direct_ = now + kSpacing;
}

void ProbeRound::RecordRefused(MonotonicTime now) {
  if (refused_ >= sent_.size()) return;  // none under way
  refused_ = sent_.size();
  for (MonotonicTime& failed : sent_) failed = std::min(failed, now);
  next_direct_ = std::min(next_direct_, now + kSpacingRefused);
}

void ProbeRound::RecordHelperDenied(NodeId helper) {
  const auto found = helpers_.find(helper);
  if (found == helpers_.end() || found->second) return;
  found->second = true;
  ++denied_;
}

void ProbeRound::RecordHelperGone(NodeId helper) {
  const auto found = helpers_.find(helper);
  if (found != helpers_.end() && !found->second) helpers_.erase(found);
}

bool ProbeRound::HasFailed(MonotonicTime now) const {
  if (sent_.size() < kDirectProbes) return false;
  if (std::any_of(sent_.begin(), sent_.end(), [&](MonotonicTime at) { return at > now; })) {
    return false;
  }
  return denied_ == helpers_.size() || now >= helpers_deadline_;
}

MonotonicTime ProbeRound::NextDeadline(MonotonicTime now) const {
  if (sent_.size() < kDirectProbes) return next_direct_;
  MonotonicTime next = absl::InfinitePast();
  for (const MonotonicTime at : sent_) next = std::max(next, at);
  if (denied_ < helpers_.size()) next = std::max(next, helpers_deadline_);
  return next > now ? next : absl::InfiniteFuture();
}

}  // namespace dfs::membership
