// One run of a whole cluster from one seed, and what it proved.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SYSTEM_SIMULATION_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SYSTEM_SIMULATION_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "tests/simulation/system/sim_client.h"
#include "tests/simulation/system/sim_wire.h"

namespace dfs::simulation {

struct RunOptions {
  std::uint64_t seed = 1;
  int seconds = 120;      // of simulated time with faults
  int machines = 0;       // 0: 3 to 7, by the seed
  bool has_faults = true;
  bool is_tracing = false;
};

struct RunReport {
  absl::Status status;    // what was violated
  std::uint64_t trace_hash = 0;
  std::uint64_t steps = 0;
  double simulated_seconds = 0;
  std::uint64_t operations = 0;  // in the history that was checked
  ClientCounts clients;
  WireCounts wire;
  std::map<std::string, std::uint64_t> faults;
};

// At most one at a time. What it made is not freed: one run for each process of the machine.
RunReport RunSystem(const RunOptions& options);

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SYSTEM_SIMULATION_H_
