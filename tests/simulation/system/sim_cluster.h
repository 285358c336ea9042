// A cluster of simulated machines: starts, crashes and restarts its nodes, and says whether all is well again.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_CLUSTER_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/simulation/system/sim_disk.h"
#include "tests/simulation/system/sim_node.h"
#include "tests/simulation/system/sim_wire.h"

namespace dfs::simulation {

class SimCluster {
 public:
  SimCluster(FiberScheduler* scheduler, int machines);

  // Takes the machine into the cluster (1 forms it) or starts its node again. Nothing if it runs.
  void Start(int machine);
  // The process ends at once; with `power_cut`, what it had not synced goes too.
  void Crash(int machine, bool power_cut);
  [[nodiscard]] bool IsUp(int machine) const { return at(machine).node != nullptr; }
  [[nodiscard]] SimNode* node(int machine) { return machines_.at(machine).node; }
  [[nodiscard]] const std::shared_ptr<SimProcess>& process(int machine) const {
    return at(machine).process;
  }
  [[nodiscard]] SimDisk* disk(int machine) { return machines_.at(machine).disk.get(); }
  [[nodiscard]] int machines() const { return static_cast<int>(machines_.size()); }
  SimWire& wire() { return wire_; }
  FiberScheduler* scheduler() { return scheduler_; }
  // Of the machine's clock, from its next start on.
  void SetDrift(int machine, std::int64_t ppm) { machines_.at(machine).drift_ppm = ppm; }
  void SetWallClock(int machine, std::int64_t offset_ns);  // at once

  // OK if every machine is an active member, all have applied the same, equal state, every file has
  // min(3, members) ok copies, and no node holds a chunk that no version names there.
  [[nodiscard]] absl::Status CheckConverged();
  // What must hold at any time: every chunk of a visible file names min(3, members) different nodes (rule R16). kDataLoss.
  [[nodiscard]] absl::Status CheckSets();
  // Why the first node that stopped for good did so; OK if none did.
  [[nodiscard]] const absl::Status& failure() const { return failure_; }
  NodeTimes times;
  // Of all nodes; may block the put.
  std::function<void(Moment moment, int machine)> on_moment;

 private:
  struct Machine {
    std::unique_ptr<SimDisk> disk;
    std::shared_ptr<SimProcess> process;
    SimNode* node = nullptr;        // null while it is down or joins; left as it is when it crashes
    bool is_starting = false;
    std::int64_t drift_ppm = 0;
    std::int64_t wall_offset_ns = 0;
    bool may_fail = false;          // its disk failed on purpose
  };
  [[nodiscard]] const Machine& at(int machine) const { return machines_.at(machine); }
  void OnFatal(int machine, const SimProcess* process, const absl::Status& status);
  [[nodiscard]] absl::Status CheckChunksOf(int machine);

  FiberScheduler* const scheduler_;
  SimWire wire_;
  std::map<int, Machine> machines_;
  absl::Status failure_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_CLUSTER_H_
