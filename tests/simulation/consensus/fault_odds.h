// How often what goes wrong: the one place that says it.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_FAULT_ODDS_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_FAULT_ODDS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/random.h"

namespace dfs::consensus {

// Each seed draws its own (Draw), so that a thousand seeds see quiet groups with one rare fault as
// well as storms. "Per mille" is of messages or of writes; `…_weight` are shares of the fault that
// strikes at each fault time.
struct FaultOdds {
  // Network, for each message.
  std::uint64_t loss_per_mille = 0;
  std::uint64_t duplicate_per_mille = 0;
  std::uint64_t straggle_per_mille = 0;  // delayed by up to straggle_max, so it comes out of order
  absl::Duration delay_min = absl::Microseconds(100);
  absl::Duration delay_max = absl::Milliseconds(2);
  absl::Duration straggle_max = absl::Milliseconds(800);

  // Disk, for each synced write.
  absl::Duration sync_min = absl::Microseconds(200);
  absl::Duration sync_max = absl::Milliseconds(3);
  std::uint64_t stall_per_mille = 0;  // a sync that takes up to stall_max
  absl::Duration stall_max = absl::Milliseconds(600);
  // The process is killed while the write is under way (restarted like after any crash).
  std::uint64_t crash_in_write_per_mille = 0;
  // A crash during a write: the batch is there afterwards in so many cases of 1,000.
  std::uint64_t crash_keeps_write_per_mille = 500;
  // A driver that writes what waits as one batch; else each output is one of its own.
  bool merges_writes = true;

  // A driver that steps what arrives within this time before it carries anything out; 0: none does.
  absl::Duration gather_for = absl::ZeroDuration();

  // What strikes at each fault time; the times are apart by up to twice the mean.
  absl::Duration fault_interval_mean = absl::Seconds(1);
  std::uint64_t crash_weight = 0;         // one member, for up to down_max
  std::uint64_t crash_leader_weight = 0;  // the leader, if there is one
  std::uint64_t crash_all_weight = 0;
  std::uint64_t pause_weight =
      0;  // SIGSTOP: events wait, then come all at once, for up to pause_max
  std::uint64_t pause_all_weight = 0;
  std::uint64_t isolate_weight = 0;     // one member from all others, both ways
  std::uint64_t split_weight = 0;       // two halves
  std::uint64_t one_way_weight = 0;     // a few directed links
  std::uint64_t heal_weight = 0;        // all links
  std::uint64_t false_hint_weight = 0;  // members believe the leader dead though it lives
  absl::Duration down_min = absl::Milliseconds(1);
  absl::Duration down_max = absl::Seconds(2);
  absl::Duration pause_max = absl::Seconds(3);
  // A crash of a leader is told to each other member with this chance.
  std::uint64_t true_hint_per_mille = 500;

  // What the operator does meanwhile; 0: nothing.
  absl::Duration admin_interval_mean = absl::ZeroDuration();
  // Clocks run at 1 +- this many per mille of true time.
  std::int64_t clock_drift_per_mille = 0;
  // Entries between two cuts of a log.
  std::uint64_t cut_every = 50;

  static FaultOdds Draw(Random& random);
  // Kinds of storm that general odds rarely brew; Draw chooses them for some seeds.
  // Leaders die soon after they were elected, on a slow network: entries reach a few members each
  // (Figure 3.7).
  void BecomeLeaderChurn(Random& random);
  // Writes take longer than elections: what is acknowledged and what is truncated cross.
  void BecomeSlowDisks(Random& random);
  // No faults: after them, and for the group to heal in.
  static FaultOdds None();
  // No pause that Draw allows lasts longer.
  static absl::Duration LongestPause() { return absl::Seconds(5); }
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_FAULT_ODDS_H_
