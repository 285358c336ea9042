#include "tests/simulation/consensus/sim_faults.h"

#include <utility>

namespace dfs::consensus {

SimFaults::SimFaults(SimWorld& world, const FaultOdds& odds, SimNetwork& network,
                     const SimMembers& members, std::function<void(SimMember&)> crash)
    : world_(world), odds_(odds), network_(network), members_(members), crash_(std::move(crash)) {}

void SimFaults::Start() {
  if (is_stopped_) return;
  world_.After(world_.Uniform(absl::ZeroDuration(), 2 * odds_.fault_interval_mean), [this] {
    if (is_stopped_) return;
    Strike();
    Start();
  });
}

std::vector<SimMember*> SimFaults::Up() const {
  std::vector<SimMember*> up;
  for (const auto& [id, member] : members_) {
    if (member->is_up()) up.push_back(member.get());
  }
  return up;
}

SimMember* SimFaults::AnyUp() {
  const std::vector<SimMember*> up = Up();
  return up.empty() ? nullptr : up[world_.random().Below(up.size())];
}

void SimFaults::Strike() {
  const std::vector<std::pair<std::uint64_t, std::function<void()>>> kinds = {
      {odds_.crash_weight,
       [this] {
         if (SimMember* m = AnyUp()) CrashFor(*m);
       }},
      {odds_.crash_leader_weight,
       [this] {
         if (SimMember* m = LeaderOf(members_)) CrashFor(*m);
       }},
      {odds_.crash_all_weight,
       [this] {
         for (SimMember* m : Up()) CrashFor(*m);
       }},
      {odds_.pause_weight,
       [this] {
         if (SimMember* m = AnyUp()) PauseFor(*m);
       }},
      {odds_.pause_all_weight,
       [this] {
         for (SimMember* m : Up()) PauseFor(*m);
       }},
      {odds_.isolate_weight, [this] { Isolate(); }},
      {odds_.split_weight, [this] { Split(); }},
      {odds_.one_way_weight, [this] { CutSomeOneWay(); }},
      {odds_.heal_weight, [this] { network_.Heal(); }},
      {odds_.false_hint_weight,
       [this] {
         const SimMember* leader = LeaderOf(members_);
         if (leader == nullptr) return;
         ++world_.counts["false hints"];
         Hint(leader->id(), leader->core().term(), 700);
       }},
  };
  std::uint64_t total = 0;
  for (const auto& kind : kinds) total += kind.first;
  if (total == 0) return;
  std::uint64_t choice = world_.random().Below(total);
  for (const auto& [weight, strike] : kinds) {
    if (choice < weight) {
      strike();
      return;
    }
    choice -= weight;
  }
}

void SimFaults::CrashFor(SimMember& member) {
  ++world_.counts["crashes"];
  const bool was_leader = member.is_leader();
  const Term term = member.core().term();
  crash_(member);
  if (was_leader) Hint(member.id(), term, odds_.true_hint_per_mille);
  world_.After(world_.Uniform(odds_.down_min, odds_.down_max), [this, &member] {
    if (member.is_up()) return;
    member.Start();
    // Some hear by its new boot_epoch that it is another run.
    for (SimMember* other : Up()) {
      if (other != &member && world_.random().OneIn(1, 2)) {
        other->Step(PeerRestarted{member.id()});
      }
    }
  });
}

void SimFaults::PauseFor(SimMember& member) {
  ++world_.counts["pauses"];
  member.Pause(world_.now() + world_.Uniform(absl::Milliseconds(20), odds_.pause_max));
}

void SimFaults::Hint(NodeId leader, Term term, std::uint64_t per_mille) {
  for (SimMember* member : Up()) {
    if (member->id() == leader || !world_.random().OneIn(per_mille, 1000)) continue;
    ++world_.counts["hints"];
    world_.After(world_.Uniform(absl::Milliseconds(1), absl::Milliseconds(60)),
                 [member, leader, term] {
                   member->Step(LeaderSuspected{leader, term});
                 });
  }
}

void SimFaults::Isolate() {
  const SimMember* alone = world_.random().OneIn(1, 2) ? LeaderOf(members_) : AnyUp();
  if (alone == nullptr) return;
  ++world_.counts["isolations"];
  for (const auto& [id, member] : members_) {
    if (id != alone->id()) network_.Cut(alone->id(), id);
  }
}

void SimFaults::Split() {
  ++world_.counts["splits"];
  std::vector<NodeId> halves[2];
  for (const auto& [id, member] : members_) halves[world_.random().Below(2)].push_back(id);
  for (const NodeId a : halves[0]) {
    for (const NodeId b : halves[1]) network_.Cut(a, b);
  }
}

void SimFaults::CutSomeOneWay() {
  ++world_.counts["one-way cuts"];
  for (const auto& [from, a] : members_) {
    for (const auto& [to, b] : members_) {
      if (from != to && world_.random().OneIn(1, 4)) network_.CutOneWay(from, to);
    }
  }
}

}  // namespace dfs::consensus
