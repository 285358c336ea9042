#include "server/leader/out_policy.h"

#include <algorithm>
#include <utility>

#include "common/mutant.h"

namespace dfs::leader {

std::size_t OutMax(std::size_t members) {
  if (DFS_MUTANT(805, "every dead node becomes OUT")) return members;
  return members / 3;
}

std::optional<NodeId> OutPolicy::Due(const std::vector<OutCandidate>& members, MonotonicTime now) {
  std::map<NodeId, MonotonicTime> away;
  std::size_t out = 0;
  std::optional<NodeId> longest;
  for (const auto& member : members) {
    if (member.is_out) ++out;
    if (member.is_usable) continue;
    const auto before = away_since_.find(member.node);
    const MonotonicTime since =
        std::min(member.dead_since, before == away_since_.end() ? now : before->second);
    away[member.node] = since;
    if (member.is_out || now - since < out_after_) continue;
    if (!longest || since < away[*longest]) longest = member.node;
  }
  away_since_ = std::move(away);
  return out < OutMax(members.size()) ? longest : std::nullopt;
}

MonotonicTime OutPolicy::DueAt(NodeId node) const {
  const auto found = away_since_.find(node);
  return found == away_since_.end() ? absl::InfiniteFuture() : found->second + out_after_;
}

}  // namespace dfs::leader
