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
  if (random.OneIn(1, 2)) odds.gather_for = absl::Microseconds(random.Between(10, 3'000));
  odds.fault_interval_mean = absl::Milliseconds(random.Between(150, 2'000));
  odds.crash_in_write_per_mille = random.OneIn(1, 3) ? random.Below(15) + 1 : 0;
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
  const std::uint64_t storm = random.Below(8);
  if (storm <= 1) odds.BecomeLeaderChurn(random);
  if (storm == 2) odds.BecomeSlowDisks(random);
  return odds;
}

void FaultOdds::BecomeLeaderChurn(Random& random) {
  delay_min = absl::Milliseconds(random.Between(1, 10));
  delay_max = absl::Milliseconds(random.Between(20, 90));
  straggle_per_mille = 0;
  duplicate_per_mille = 0;
  loss_per_mille = random.Below(300);
  fault_interval_mean = absl::Milliseconds(random.Between(60, 300));
  sync_max = absl::Milliseconds(3);
  crash_weight = 1;
  crash_leader_weight = 20;
  crash_all_weight = 0;
  pause_weight = 0;
  pause_all_weight = 0;
  isolate_weight = random.Below(4);
  split_weight = 0;
  one_way_weight = random.Below(4);
  down_max = absl::Milliseconds(random.Between(20, 400));
  pause_max = absl::Milliseconds(500);
  true_hint_per_mille = 900;
  crash_in_write_per_mille = 0;
  stall_per_mille = 0;
  admin_interval_mean = absl::ZeroDuration();
}

void FaultOdds::BecomeSlowDisks(Random& random) {
  sync_max = absl::Milliseconds(random.Between(5, 60));
  stall_per_mille = random.Below(300) + 50;
  stall_max = absl::Milliseconds(random.Between(200, 1'500));
  merges_writes = random.OneIn(1, 3);
  crash_in_write_per_mille = random.Below(60);
  down_max = absl::Milliseconds(random.Between(5, 400));
  true_hint_per_mille = 800;
  false_hint_weight = 10;
  if (random.OneIn(1, 2)) return;
  // Leaders are cut off with a tail on its way to the disk and come back before it has arrived.
  sync_max = absl::Milliseconds(5);
  stall_per_mille = random.Below(400) + 200;
  stall_max = absl::Milliseconds(random.Between(800, 4'000));
  loss_per_mille = 0;
  crash_in_write_per_mille = 0;
  fault_interval_mean = absl::Milliseconds(random.Between(100, 500));
  crash_weight = 0;
  crash_leader_weight = 0;
  crash_all_weight = 0;
  isolate_weight = 10;
  one_way_weight = 0;
  heal_weight = 15;
  admin_interval_mean = absl::ZeroDuration();
}

}  // namespace dfs::consensus
