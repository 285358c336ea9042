#include "membership/member_table.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/mutant.h"

namespace dfs::membership {

MemberTable::MemberTable(NodeId self, std::uint64_t incarnation, double phi)
    : self_(self), phi_(phi) {
  CHECK(!self.is_none()) << "the ring needs a node id";
  Member& own = members_.try_emplace(self, phi).first->second;
  own.state = LivenessState::kAlive;
  own.incarnation = incarnation;
  RebuildRing(absl::InfinitePast());
}

void MemberTable::SetMembers(MonotonicTime now, const std::vector<NodeId>& members) {
  const std::set<NodeId> wanted(members.begin(), members.end());
  for (auto it = members_.begin(); it != members_.end();) {
    it = it->first == self_ || wanted.contains(it->first) ? std::next(it) : members_.erase(it);
  }
  for (const NodeId node : wanted) {
    if (node.is_none()) continue;
    const auto [it, is_new] = members_.try_emplace(node, phi_);
    if (is_new) it->second.changed = now;
  }
  RebuildRing(now);
}

Member* MemberTable::Find(NodeId node) {
  const auto found = members_.find(node);
  return found == members_.end() ? nullptr : &found->second;
}

const Member* MemberTable::Find(NodeId node) const {
  const auto found = members_.find(node);
  return found == members_.end() ? nullptr : &found->second;
}

bool MemberTable::IsNews(const Member& member, LivenessState state, std::uint64_t incarnation) {
  if (state == LivenessState::kUnknown) return false;
  if (DFS_MUTANT(703, "ALIVE of the same incarnation revives a suspect or a dead member") &&
      state == LivenessState::kAlive && incarnation == member.incarnation) {
    return member.state != LivenessState::kAlive;
  }
  // The enum is in the order of the rule: unknown < alive < suspect < dead.
  return std::pair{incarnation, state} > std::pair{member.incarnation, member.state};
}

bool MemberTable::Merge(MonotonicTime now, NodeId node, LivenessState state,
                        std::uint64_t incarnation) {
  CHECK(node != self_) << "self is not subject to rumours";
  Member* const member = Find(node);
  if (member == nullptr || !IsNews(*member, state, incarnation)) return false;
  const LivenessState from = member->state;
  if (incarnation != member->incarnation) member->observers.clear();
  if (EpochOf(incarnation) != EpochOf(member->incarnation)) member->arrivals.Interrupt();
  member->incarnation = incarnation;
  member->state = state;
  if (from != state) {
    member->changed = now;
    changes_.push_back({node, from, state, incarnation});
    const bool was_live = from != LivenessState::kDead;
    if (was_live != (state != LivenessState::kDead)) RebuildRing(now);
  }
  return true;
}

bool MemberTable::AddObserver(Member& member, NodeId observer) {
  auto& observers = member.observers;
  if (observers.size() >= kObserversMax) return false;
  if (std::find(observers.begin(), observers.end(), observer) != observers.end()) return false;
  observers.push_back(observer);
  return true;
}

Rumour MemberTable::RumourOf(NodeId node) const {
  const Member& member = members_.at(node);
  Rumour rumour{.node = node,
                .state = member.state,
                .incarnation = member.incarnation,
                .observers = member.observers,
                .health = std::nullopt};
  if (member.state == LivenessState::kAlive && member.health_heard != absl::InfinitePast()) {
    rumour.health = member.health;
  }
  return rumour;
}

std::vector<Change> MemberTable::TakeChanges() { return std::exchange(changes_, {}); }

bool MemberTable::TakeNeighboursChanged() { return std::exchange(neighbours_changed_, false); }

void MemberTable::RebuildRing(MonotonicTime now) {
  std::vector<NodeId> live;
  std::vector<NodeId> all;
  for (const auto& [node, member] : members_) {
    all.push_back(node);
    if (member.state != LivenessState::kDead) live.push_back(node);
  }
  ring_ = Ring(live);
  full_ring_ = Ring(all);
  neighbours_ = ring_.Neighbours(self_);
  for (auto& [node, member] : members_) {
    const bool is_watched =
        std::find(neighbours_.begin(), neighbours_.end(), node) != neighbours_.end();
    if (is_watched == member.is_watched) continue;
    member.is_watched = is_watched;
    member.arrivals.Interrupt();
    // Who was not watched until now owed us no heartbeat: its silence counts from here.
    if (is_watched) member.silent_since = now;
    neighbours_changed_ = true;
  }
}

}  // namespace dfs::membership
