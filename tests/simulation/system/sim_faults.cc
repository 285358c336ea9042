#include "tests/simulation/system/sim_faults.h"

#include <algorithm>
#include <set>
#include <utility>

namespace dfs::simulation {
namespace {

constexpr std::int64_t kJumpMaxMs = 3'600'000;
constexpr std::int64_t kHoldCopyMaxMs = 8'000;  // an order without progress ends after 10 s
constexpr int kLateTries = 4;

}  // namespace

SimFaults::SimFaults(SimCluster* cluster)
    : cluster_(cluster),
      scheduler_(cluster->scheduler()),
      random_(cluster->scheduler()->random().Next()) {
  hold_copy_max_ms_ = random_.OneIn(1, 2) ? random_.Between(0, kHoldCopyMaxMs) : 0;
  has_late_entries_ = random_.OneIn(1, 2);
  if (random_.OneIn(1, 3)) return;
  strike_one_in_ = 2 + random_.Below(11);
  hold_max_ms_ = random_.Between(0, 3'000);
}

int SimFaults::Leader() {
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (cluster_->IsUp(machine) &&
        cluster_->node(machine)->raft()->Status().role == consensus::Role::kLeader) {
      return machine;
    }
  }
  return 0;
}

// The leader half of the time: most of what can go wrong goes wrong when it changes.
int SimFaults::AnyMachine() {
  if (random_.OneIn(1, 2)) {
    if (const int leader = Leader(); leader != 0) return leader;
  }
  return 1 + static_cast<int>(random_.Below(static_cast<std::uint64_t>(cluster_->machines())));
}

std::int64_t SimFaults::Between(std::int64_t low_ms, std::int64_t high_ms) {
  return random_.Between(low_ms, high_ms) * kMillisecond;
}

void SimFaults::Run(std::int64_t end_ns) {
  end_ns_ = end_ns;
  cluster_->on_moment = [this](Moment moment, int /*machine*/) { OnMoment(moment); };
  if (has_late_entries_) {
    cluster_->on_commit = [this](const rpc::Command& command) {
      if (is_quiet_ || !random_.OneIn(1, 2)) return;
      scheduler_->CallAfter(Between(100, 6'000),
                            [this, command] { ProposeLate(command, kLateTries); });
    };
  }
  while (scheduler_->now_ns() < end_ns) {
    scheduler_->SleepFor(Between(200, 3'000));
    if (scheduler_->now_ns() < end_ns && !is_quiet_) CauseOne();
  }
}

void SimFaults::CauseOne() {
  switch (random_.Below(11)) {
    case 0:
    case 1:
    case 2:
      return Crash();
    case 3:
    case 4:
      return Pause();
    case 5:
    case 6:
      return Partition();
    case 7:
      return Lossiness();
    case 8:
    case 9:
      return Disk();
    default:
      return Clock();
  }
}

// The leader goes exactly while a put waits for it, and the put may stand still until another leads and collects: what
// rules R13, R14, R16 and R19 are for.
void SimFaults::OnMoment(Moment moment) {
  const std::int64_t now = scheduler_->now_ns();
  if (moment == Moment::kCopied) {
    if (hold_copy_max_ms_ == 0 || is_quiet_ || now >= end_ns_ || random_.OneIn(1, 2)) return;
    ++counts_["copies held back"];
    scheduler_->SleepFor(Between(0, hold_copy_max_ms_));
    return;
  }
  if (strike_one_in_ == 0 || is_quiet_ || now >= end_ns_ || now < next_strike_ns_) return;
  // Begin again and relink come after a strike only: they are not left to go by.
  const bool is_rare = moment == Moment::kBeginning || moment == Moment::kRelinking;
  if (!random_.OneIn(1, is_rare ? 2 : strike_one_in_)) return;
  const int leader = Leader();
  if (leader == 0) return;
  // A put that begins again may be struck again at once; apart from that the cluster gets on between two strikes.
  next_strike_ns_ = now + (random_.OneIn(1, 2) ? Between(20, 600) : Between(600, 4'000));
  ++counts_[std::string("leader changes ") + NameOf(moment)];
  const std::int64_t delay =
      random_.OneIn(1, 2) ? 0 : random_.Between(0, random_.OneIn(1, 4) ? 50'000 : 3'000) * 1'000;
  scheduler_->CallAfter(delay, [this, leader] { StrikeLeader(leader); });
  // Not on the thread that proposes: there it would be a pause of the leader.
  if (moment != Moment::kProposing && random_.OneIn(1, 2)) {
    scheduler_->SleepFor(Between(0, hold_max_ms_));
  }
}

// No leader of ours proposes what belongs to a term before its own. Rule R13 is about entries, whoever
// made them.
void SimFaults::ProposeLate(const rpc::Command& command, int tries) {
  if (is_quiet_ || scheduler_->now_ns() >= end_ns_) return;
  const int leader = Leader();
  const bool is_later = leader != 0 && cluster_->node(leader)->raft()->Status().term.value() >
                                           command.commit_put().txn().term();
  if (!is_later) {
    if (tries > 1) {
      scheduler_->CallAfter(Between(100, 4'000),
                            [this, command, tries] { ProposeLate(command, tries - 1); });
    }
    return;
  }
  ++counts_["late entries"];
  SimNode* const node = cluster_->node(leader);
  scheduler_->Spawn(cluster_->process(leader), [node, command] {
    node->raft()->Propose(command, Term(), [](const absl::StatusOr<rpc::CommandResult>&) {});
  });
}

void SimFaults::StrikeLeader(int machine) {
  if (is_quiet_ || is_over_) return;
  const std::uint64_t kind = random_.Below(8);
  if (kind < 3) {
    ++counts_["strikes: kills"];
    cluster_->Crash(machine, random_.OneIn(1, 2));
    scheduler_->CallAfter(Between(20, 3'000), [this, machine] { cluster_->Start(machine); });
    return;
  }
  if (kind < 5) {
    const auto process = cluster_->process(machine);
    if (process == nullptr || process->is_dead || process->is_paused) return;
    ++counts_["strikes: pauses"];
    scheduler_->SetPaused(process, true);
    scheduler_->CallAfter(Between(400, 3'000),
                          [this, process] { scheduler_->SetPaused(process, false); });
    return;
  }
  // Clients reach it still; or its words arrive, but no answers; or the other way round.
  ++counts_["strikes: partitions"];
  for (int other = 1; other <= cluster_->machines(); ++other) {
    if (other == machine) continue;
    if (kind != 6) cluster_->wire().Cut(machine, other);
    if (kind != 7) cluster_->wire().Cut(other, machine);
  }
  scheduler_->CallAfter(Between(400, 4'000), [this] { cluster_->wire().Heal(); });
}

void SimFaults::Crash() {
  const auto crash = [this](int machine, bool power_cut) {
    ++counts_[power_cut ? "power cuts" : "kills"];
    cluster_->Crash(machine, power_cut);
    scheduler_->CallAfter(Between(50, 8'000), [this, machine] { cluster_->Start(machine); });
  };
  // All at once now and then: what was acknowledged must be on the disks.
  if (random_.OneIn(1, 8)) {
    for (int machine = 1; machine <= cluster_->machines(); ++machine) crash(machine, true);
  } else {
    crash(AnyMachine(), random_.OneIn(1, 2));
  }
}

void SimFaults::Pause() {
  const auto process = cluster_->process(AnyMachine());
  if (process == nullptr || process->is_dead || process->is_paused) return;
  ++counts_["pauses"];
  scheduler_->SetPaused(process, true);
  const std::int64_t length = random_.OneIn(1, 4) ? Between(5'000, 30'000) : Between(100, 5'000);
  scheduler_->CallAfter(length, [this, process] { scheduler_->SetPaused(process, false); });
}

void SimFaults::Partition() {
  SimWire& wire = cluster_->wire();
  const int machines = cluster_->machines();
  switch (random_.Below(3)) {
    case 0: {  // in two halves
      ++counts_["partitions"];
      std::set<int> side;
      for (int machine = 1; machine <= machines; ++machine) {
        if (random_.OneIn(1, 2)) side.insert(machine);
      }
      for (int a = 1; a <= machines; ++a) {
        for (int b = 1; b <= machines; ++b) {
          if (side.contains(a) != side.contains(b)) wire.Cut(a, b);
        }
      }
      break;
    }
    case 1: {  // some links, both ways
      ++counts_["partial partitions"];
      for (int a = 1; a <= machines; ++a) {
        for (int b = a + 1; b <= machines; ++b) {
          if (!random_.OneIn(1, 3)) continue;
          wire.Cut(a, b);
          wire.Cut(b, a);
        }
      }
      break;
    }
    default: {  // some links, one way
      ++counts_["one-way partitions"];
      for (int a = 1; a <= machines; ++a) {
        for (int b = 1; b <= machines; ++b) {
          if (a != b && random_.OneIn(1, 4)) wire.Cut(a, b);
        }
      }
    }
  }
  scheduler_->CallAfter(Between(300, 8'000), [this] { cluster_->wire().Heal(); });
}

void SimFaults::Lossiness() {
  ++counts_["lossy times"];
  WireOdds odds;
  odds.lose = random_.Below(60);
  odds.duplicate = random_.Below(60);
  odds.delay = random_.Below(40);
  cluster_->wire().SetOdds(odds);
  scheduler_->CallAfter(Between(1'000, 10'000), [this] { cluster_->wire().SetOdds({}); });
}

void SimFaults::Disk() {
  const int machine = AnyMachine();
  SimDisk* const disk = cluster_->disk(machine);
  switch (random_.Below(5)) {
    case 3:
    case 4:
      ++counts_["slow disks"];
      disk->SlowUntil(scheduler_->now_ns() + Between(1'000, 10'000));
      break;
    case 0:
      ++counts_["disk stalls"];
      disk->StallUntil(scheduler_->now_ns() + Between(500, 6'000));
      break;
    case 1:
      ++counts_["sync errors"];
      disk->FailNextSync();
      // If it hit the chunk store, that one refuses writes until somebody starts the node again.
      to_restart_.insert(machine);
      scheduler_->CallAfter(Between(2'000, 6'000), [this, machine] { RestartLater(machine); });
      break;
    default:
      ++counts_["full disks"];
      disk->SetFull(true);
      scheduler_->CallAfter(Between(1'000, 10'000), [disk] { disk->SetFull(false); });
  }
}

void SimFaults::RestartLater(int machine) {
  if (!to_restart_.contains(machine)) return;
  if (is_quiet_) {
    scheduler_->CallAfter(1'000 * kMillisecond, [this, machine] { RestartLater(machine); });
    return;
  }
  to_restart_.erase(machine);
  cluster_->Crash(machine, false);
  cluster_->Start(machine);
}

void SimFaults::SetQuiet(bool is_quiet) {
  is_quiet_ = is_quiet;
  if (!is_quiet) return;
  cluster_->wire().Heal();
  cluster_->wire().SetOdds({});
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    cluster_->disk(machine)->StallUntil(0);
    cluster_->disk(machine)->ClearSyncFault();
    if (cluster_->process(machine) != nullptr) {
      scheduler_->SetPaused(cluster_->process(machine), false);
    }
    cluster_->Start(machine);
  }
}

void SimFaults::Clock() {
  const int machine = AnyMachine();
  if (random_.OneIn(1, 2)) {
    ++counts_["clock jumps"];
    cluster_->SetWallClock(machine, Between(-kJumpMaxMs, kJumpMaxMs));
  } else {
    ++counts_["clock drifts"];
    cluster_->SetDrift(machine, random_.Between(-100'000, 100'000));
  }
}

void SimFaults::HealAll() {
  is_over_ = true;
  // Now, and not while all is checked.
  for (const int machine : std::exchange(to_restart_, {})) cluster_->Crash(machine, false);
  cluster_->wire().Heal();
  cluster_->wire().SetOdds({});
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    cluster_->disk(machine)->SetFull(false);
    cluster_->disk(machine)->StallUntil(0);
    cluster_->disk(machine)->SlowUntil(0);
    // Ahead of what any clock has shown: what waits for an age by wall time (log time, rule R8; the last write of a
    // transaction, rule R18) would otherwise wait for up to two hours.
    // No two clocks agree, and they go on at different speeds.
    cluster_->SetWallClock(machine, 2 * kJumpMaxMs * kMillisecond + Between(0, 5'000));
    if (cluster_->process(machine) != nullptr) {
      scheduler_->SetPaused(cluster_->process(machine), false);
    }
    cluster_->Start(machine);
  }
}

}  // namespace dfs::simulation
