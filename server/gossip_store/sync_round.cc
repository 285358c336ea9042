#include "server/gossip_store/sync_round.h"

#include <utility>

namespace dfs::gossip_store {

bool SyncRound::TakeState(const SyncState& state, const DigestTree& own, MonotonicTime now) {
  if (state_ || (!state.inner.empty() && state.inner.size() != kInnerNodes)) return false;
  moved_ = now;
  state_ = state;
  for (std::size_t i = 0; i < state.inner.size(); ++i) {
    if (state.inner[i] != own.inner()[i]) inner_.push_back(static_cast<InnerNumber>(i));
  }
  return true;
}

bool SyncRound::TakeLeaves(const Leaves& leaves, const DigestTree& own, MonotonicTime now) {
  if (asked_inner_.empty() || leaves.inner.size() != asked_inner_.size() ||
      leaves.digests.size() != leaves.inner.size() * kLeavesPerInner) {
    return false;
  }
  moved_ = now;
  is_asked_ = false;
  std::size_t at = 0;
  for (const InnerNumber inner : leaves.inner) {
    if (asked_inner_.erase(inner) == 0) return false;
    for (std::size_t i = 0; i < kLeavesPerInner; ++i, ++at) {
      const auto leaf = static_cast<LeafNumber>(inner * kLeavesPerInner + i);
      if (leaves.digests[at] != own.Leaf(leaf)) leaves_.push_back(leaf);
    }
  }
  return true;
}

bool SyncRound::TakeRecords(const LeafRecords& records, MonotonicTime now) {
  if (records.leaves.empty()) return false;
  moved_ = now;
  is_asked_ = false;
  for (const LeafNumber leaf : records.leaves) {
    if (asked_leaves_.erase(leaf) == 0) return false;
  }
  // What the answer had no room for is asked for again.
  for (const LeafNumber leaf : asked_leaves_) leaves_.push_front(leaf);
  asked_leaves_.clear();
  return true;
}

std::optional<MessageBody> SyncRound::NextQuestion() {
  // Pages of records one after another: what is on its way is bounded by one page.
  if (!state_ || is_asked_ || !awaited_.empty()) return std::nullopt;
  if (!leaves_.empty()) {
    AskRecords ask{.round = number_};
    while (!leaves_.empty() && ask.leaves.size() < kLeavesAskedMax) {
      ask.leaves.push_back(leaves_.front());
      asked_leaves_.insert(leaves_.front());
      leaves_.pop_front();
    }
    is_asked_ = true;
    return ask;
  }
  if (!inner_.empty()) {
    AskLeaves ask{.round = number_};
    while (!inner_.empty() && ask.inner.size() < kInnerAskedMax) {
      ask.inner.push_back(inner_.front());
      asked_inner_.insert(inner_.front());
      inner_.pop_front();
    }
    is_asked_ = true;
    return ask;
  }
  return std::nullopt;
}

}  // namespace dfs::gossip_store
