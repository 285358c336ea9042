#include "tests/simulation/consensus/fault_odds.h"

namespace dfs::consensus {

FaultOdds FaultOdds::None() { return FaultOdds(); }

FaultOdds FaultOdds::Draw(Random& random) {
  // Each fault is there in about half of the seeds, at a strength of its own.
  const auto some = [&](std::uint64_t max) {
    return random.OneIn(1, 2) ? random.Below(max) + 1 : 0;
  };
  FaultOdds odds;
  odds.loss_per_mille = some(100);
  odds.duplicate_per_mille = some(50);
  odds.straggle_per_mille = some(80);
  odds.delay_max = absl::Microseconds(random.Between(500, 20'000));
  odds.straggle_max = absl::Milliseconds(random.Between(50, 3'000));
  odds.sync_max = absl::Microseconds(random.Between(300, 15'000));
  odds.stall_per_mille = some(60);
  odds.stall_max = absl::Milliseconds(random.Between(50, 1'500));
  odds.merges_writes = random.OneIn(2, 3);
  odds.fault_interval_mean = absl::Milliseconds(random.Between(150, 2'000));
  odds.crash_weight = some(10);
  odds.crash_leader_weight = some(10);
  odds.crash_all_weight = some(3);
  odds.pause_weight = some(8);
  odds.pause_all_weight = some(2);
  odds.isolate_weight = some(10);
  odds.split_weight = some(8);
  odds.one_way_weight = some(10);
  odds.heal_weight = 8;
  odds.false_hint_weight = some(5);
  odds.down_max = absl::Milliseconds(random.Between(20, 3'000));
  odds.pause_max = absl::Milliseconds(random.Between(100, 5'000));
  odds.true_hint_per_mille = random.OneIn(1, 2) ? random.Below(1001) : 0;
  if (random.OneIn(2, 3)) odds.admin_interval_mean = absl::Milliseconds(random.Between(100, 1'500));
  odds.clock_drift_per_mille = random.OneIn(1, 2) ? random.Between(1, 100) : 0;
  odds.cut_every = random.Below(100) + 5;
  return odds;
}

}  // namespace dfs::consensus
