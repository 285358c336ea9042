#include "tests/simulation/consensus/sim_operator.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dfs::consensus {
namespace {

constexpr std::size_t kMembersMax = 7;
constexpr std::uint32_t kIdsMax = 12;

}  // namespace

MemberInfo MemberOf(NodeId id, bool is_active) {
  return MemberInfo{StorageUuid{7, id.value()}, "node:" + std::to_string(id.value()), is_active};
}

SimMember* LeaderOf(const SimMembers& members) {
  SimMember* leader = nullptr;
  for (const auto& [id, member] : members) {
    if (!member->is_leader() || member->is_paused()) continue;
    if (leader == nullptr || member->core().term() > leader->core().term()) leader = member.get();
  }
  return leader;
}

SimOperator::SimOperator(SimWorld& world, const FaultOdds& odds, const SimMembers& members,
                         std::function<void(NodeId, SimDisk)> add_member)
    : world_(world), odds_(odds), members_(members), add_member_(std::move(add_member)) {}

void SimOperator::Start() {
  if (is_stopped_ || odds_.admin_interval_mean == absl::ZeroDuration()) return;
  world_.After(world_.Uniform(absl::ZeroDuration(), 2 * odds_.admin_interval_mean), [this] {
    if (is_stopped_) return;
    Act();
    Start();
  });
}

void SimOperator::Act() {
  // Now and then an order reaches one who only believes to lead.
  std::vector<SimMember*> leaders;
  for (const auto& [id, member] : members_) {
    if (member->is_leader()) leaders.push_back(member.get());
  }
  if (!leaders.empty()) ActOn(*leaders[world_.random().Below(leaders.size())]);
}

void SimOperator::ActOn(SimMember& leader) {
  const std::uint64_t choice = world_.random().Below(10);
  if (choice < 5 && ActivateOne(leader)) return;
  if (choice < 2) {
    AddOne(leader);
  } else if (choice < 7) {
    ChangeVoters(leader);
  } else if (choice < 8) {
    RemoveOne(leader);
  } else {
    ++world_.counts["leadership transfers"];
    const auto& voters = leader.core().configuration().voters;
    auto to = voters.begin();
    std::advance(to, static_cast<std::ptrdiff_t>(world_.random().Below(voters.size())));
    leader.Step(TransferLeadership{world_.random().OneIn(1, 3) ? NodeId() : *to});
  }
}

void SimOperator::Propose(SimMember& leader, Configuration next) {
  leader.Step(ProposeMembers{++last_token_, std::move(next), nullptr});
}

bool SimOperator::ActivateOne(SimMember& leader) {
  Configuration next = leader.core().configuration();
  for (const PeerStatus& peer : leader.core().Peers()) {
    MemberInfo& info = next.members[peer.node];
    if (info.is_active || peer.match_index < leader.core().commit_index()) continue;
    info.is_active = true;
    ++world_.counts["members activated"];
    Propose(leader, std::move(next));
    return true;
  }
  return false;
}

void SimOperator::AddOne(SimMember& leader) {
  Configuration next = leader.core().configuration();
  if (next.members.size() >= kMembersMax || next_id_ > kIdsMax) return;
  const NodeId id(next_id_++);
  add_member_(id, SimDisk());
  next.members[id] = MemberOf(id, /*is_active=*/false);
  ++world_.counts["members added"];
  Propose(leader, std::move(next));
}

void SimOperator::ChangeVoters(SimMember& leader) {
  std::vector<NodeId> active;
  for (const auto& [node, info] : leader.core().configuration().members) {
    if (info.is_active) active.push_back(node);
  }
  static constexpr std::size_t kSizes[] = {1, 2, 3, 3, 3, 3, 5, 5};
  const std::size_t size = std::min(kSizes[world_.random().Below(8)], active.size());
  std::set<NodeId> voters;
  while (voters.size() < size) voters.insert(active[world_.random().Below(active.size())]);
  ++world_.counts["voter changes asked for"];
  leader.Step(ProposeVoters{++last_token_, std::move(voters)});
}

void SimOperator::RemoveOne(SimMember& leader) {
  Configuration next = leader.core().configuration();
  for (const auto& [node, info] : leader.core().configuration().members) {
    if (next.IsVoter(node) || world_.random().OneIn(1, 2)) continue;
    next.members.erase(node);
    ++world_.counts["members removed"];
    Propose(leader, std::move(next));
    return;
  }
}

}  // namespace dfs::consensus
