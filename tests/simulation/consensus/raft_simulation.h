// A whole Raft group in one thread under seeded faults, with every check there is:
// RaftInvariants after each step, equal state machines, acknowledged writes on enough disks,
// linearizable histories; and, once the faults stop, life within bounded time.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_RAFT_SIMULATION_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_RAFT_SIMULATION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace dfs::consensus {

struct SimulationOptions {
  std::uint64_t seed = 1;
  absl::Duration faults_for = absl::Seconds(20);
  // After the faults: within this time there must be a leader that commits, and all members equal.
  absl::Duration heal_within = absl::Seconds(10);
  bool keeps_trace = false;
};

struct SimulationResult {
  std::string failure;  // empty: everything held
  std::int64_t failed_at_step = 0;
  std::deque<std::string> trace;  // the last events, if kept
  std::uint64_t hash = 0;         // of all that happened
  absl::Duration simulated = absl::ZeroDuration();
  absl::Duration healed_after = absl::ZeroDuration();
  std::int64_t steps = 0;
  std::int64_t operations_checked = 0;
  std::map<std::string, std::int64_t> counts;
};

SimulationResult RunSimulation(const SimulationOptions& options);

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_RAFT_SIMULATION_H_
