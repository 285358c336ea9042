#include "tests/simulation/consensus/raft_simulation.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "server/consensus/raft_invariants.h"
#include "tests/simulation/consensus/sim_clients.h"
#include "tests/simulation/consensus/sim_faults.h"
#include "tests/simulation/consensus/sim_member.h"
#include "tests/simulation/consensus/sim_network.h"
#include "tests/simulation/consensus/sim_operator.h"
#include "tests/simulation/consensus/sim_world.h"

namespace dfs::consensus {
namespace {

class Simulation : public SimGroup {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        world_(options.seed, options.keeps_trace),
        odds_(FaultOdds::Draw(world_.random())),
        network_(world_, odds_),
        operator_(world_, odds_, members_,
                  [this](NodeId id, SimDisk disk) { AddMember(id, std::move(disk)); }),
        faults_(world_, odds_, network_, members_, [this](SimMember& member) { Crash(member); }),
        clients_(world_, SimClients::Load{}, [this] { return PickMember(); }) {}

  SimulationResult Run() {
    Form();
    const MonotonicTime start = world_.now();
    clients_.Start();
    operator_.Start();
    faults_.Start();
    world_.RunUntil(start + options_.faults_for);
    SimulationResult result;
    if (!world_.has_failed()) result.healed_after = Heal();
    if (!world_.has_failed()) {
      const absl::Status status = clients_.CheckHistory(&result.operations_checked);
      if (!status.ok()) world_.Fail("history: " + status.ToString());
    }
    result.failure = world_.failure();
    result.failed_at_step = world_.failed_at_step();
    result.trace = world_.trace();
    result.hash = world_.hash();
    result.simulated = world_.now() - start;
    result.steps = world_.step();
    result.counts = world_.counts;
    return result;
  }

  SimMember* Find(NodeId id) override {
    const auto member = members_.find(id);
    return member == members_.end() ? nullptr : member->second.get();
  }

  void CheckAfterStep(SimMember& member) override {
    const absl::Status status = invariants_.Check(member.core());
    if (!status.ok()) world_.Fail("invariant: " + std::string(status.message()));
  }

  void CrashInWrite(SimMember& member) override {
    ++world_.counts["crashes in a write"];
    faults_.CrashFor(member);
  }

  // Whoever applied the same log is in the same state.
  void CheckApplied(const SimMember& member) override {
    const SimMachine& m = member.machine();
    const auto [known, is_new] = hashes_.emplace(m.applied, m.hash);
    if (known->second == m.hash) return;
    std::ostringstream text;
    text << "state machine of node " << member.id() << " differs at index " << m.applied;
    world_.Fail(text.str());
  }

  // Rule R6: what a client is told to be done is durable on min(2, active members) disks.
  void CheckAcknowledged(const SimMember& leader, LogIndex index, Term term) override {
    const Configuration& c = leader.core().configuration();
    std::size_t held = 0;
    for (const auto& [node, info] : c.members) {
      const SimMember* member = Find(node);
      if (info.is_active && member != nullptr && member->disk().Holds(index, term)) ++held;
    }
    // Whatever came after it, it was committed by a majority of these: a joint successor needs
    // them too, and the one that ends joint needs the new voters only.
    Configuration then = leader.core().ConfigurationAt(
        std::max(index, LogIndex(leader.core().first_log_index().value() - 1)));
    then.old_voters.clear();
    const bool is_on_quorum = then.HasQuorum([&](NodeId node) {
      const SimMember* member = Find(node);
      return member != nullptr && member->disk().Holds(index, term);
    });
    if (is_on_quorum && held >= std::min<std::size_t>(2, c.ActiveCount())) return;
    std::ostringstream text;
    text << "entry " << index << "/" << term << " was acknowledged by node " << leader.id()
         << " and is durable on " << held << " members only";
    world_.Fail(text.str());
  }

 private:
  void Form() {
    static constexpr std::uint32_t kSizes[] = {1, 3, 3, 3, 5};
    const std::uint32_t size = kSizes[world_.random().Below(5)];
    Configuration configuration;
    for (std::uint32_t id = 1; id <= size; ++id) {
      configuration.members[NodeId(id)] = MemberOf(NodeId(id), /*is_active=*/true);
      configuration.voters.insert(NodeId(id));
    }
    for (std::uint32_t id = 1; id <= size; ++id) {
      SimDisk disk;
      disk.base.configuration = configuration;
      AddMember(NodeId(id), std::move(disk));
    }
    operator_.SetNextId(size + 1);
  }

  void AddMember(NodeId id, SimDisk disk) {
    Options options;
    options.self = id;
    // Small bounds, so that they are reached: often one entry in a message.
    options.append_bytes_max =
        world_.random().OneIn(1, 2) ? 1 : 64 * (1 + world_.random().Below(16));
    options.in_flight_messages_max = 1 + world_.random().Below(8);
    options.in_flight_bytes_max = 256 * (1 + world_.random().Below(16));
    options.uncommitted_bytes_max = 2048;
    options.reads_max = 16;
    const std::int64_t drift =
        odds_.clock_drift_per_mille == 0
            ? 0
            : world_.random().Between(-odds_.clock_drift_per_mille, odds_.clock_drift_per_mille);
    auto member = std::make_unique<SimMember>(world_, network_, odds_, *this, options, drift,
                                              std::move(disk));
    SimMember& started = *member;
    members_[id] = std::move(member);
    started.Start();
  }

  void Crash(SimMember& member) {
    member.Crash();
    invariants_.RecordCrash(member.id());
  }

  SimMember* PickMember() {
    // Mostly the leader of the highest term; else anybody, so that reads through others and writes
    // to leaders of old happen.
    SimMember* leader = LeaderOf(members_);
    if (leader != nullptr && world_.random().OneIn(1, 2)) return leader;
    std::vector<SimMember*> up;
    for (const auto& [id, member] : members_) {
      if (member->is_up()) up.push_back(member.get());
    }
    return up.empty() ? nullptr : up[world_.random().Below(up.size())];
  }

  // All faults end; returns how long it took until everything was well.
  absl::Duration Heal() {
    faults_.Stop();
    operator_.Stop();
    const FaultOdds none = FaultOdds::None();
    odds_ = none;
    network_.Heal();
    for (const auto& [id, member] : members_) {
      if (!member->is_up()) member->Start();
    }
    const MonotonicTime healed_at = world_.now();
    // Pauses under way run out by themselves.
    const MonotonicTime deadline = healed_at + FaultOdds::LongestPause() + options_.heal_within;
    const std::int64_t done_before = clients_.done_count();
    std::string missing;
    while (!world_.has_failed() && world_.now() < deadline) {
      world_.RunUntil(world_.now() + absl::Milliseconds(100));
      missing = WhatIsMissing(done_before);
      if (missing.empty()) break;
    }
    if (!world_.has_failed() && !missing.empty())
      world_.Fail("not live after the faults: " + missing);
    clients_.Stop();
    return world_.now() - healed_at;
  }

  std::string WhatIsMissing(std::int64_t done_before) {
    const SimMember* leader = LeaderOf(members_);
    if (leader == nullptr) return "a leader";
    const Configuration& c = leader->core().configuration();
    if (c.is_joint()) return "the end of a joint configuration";
    if (!leader->core().has_committed_in_term()) return "a committed entry of the new term";
    for (const auto& [node, info] : c.members) {
      const SimMember* member = Find(node);
      if (member->machine().applied.value() + 20 < leader->machine().applied.value()) {
        return "entries at node " + std::to_string(node.value());
      }
    }
    return clients_.done_count() < done_before + 20 ? "answers for clients" : "";
  }

  const SimulationOptions options_;
  SimWorld world_;
  FaultOdds odds_;
  SimNetwork network_;
  SimMembers members_;
  RaftInvariants invariants_;
  std::map<LogIndex, std::uint64_t> hashes_;
  SimOperator operator_;
  SimFaults faults_;
  SimClients clients_;
};

}  // namespace

SimulationResult RunSimulation(const SimulationOptions& options) {
  return Simulation(options).Run();
}

}  // namespace dfs::consensus
