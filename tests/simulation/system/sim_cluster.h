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
  // `spares`: further machines, away until somebody starts them.
  SimCluster(FiberScheduler* scheduler, int machines, int spares);

  // Takes the machine into the cluster (1 forms it) or starts its node again. Nothing if it runs.
  void Start(int machine);
  // The process ends at once; with `power_cut`, what it had not synced goes too.
  void Crash(int machine, bool power_cut);
  // Its disk is empty from now on. It is down.
  void Wipe(int machine);
  // No node is to be there (any more): it is down, and neither faults nor HealAll start it.
  void SetAway(int machine, bool is_away) { machines_.at(machine).is_away = is_away; }
  [[nodiscard]] bool IsAway(int machine) const { return at(machine).is_away; }
  // It hands over; once it is no member any more its machine is away.
  void SetLeaving(int machine);
  [[nodiscard]] bool IsLeaving(int machine) const { return at(machine).is_leaving; }
  void TakeAway(int machine);
  // Start does nothing meanwhile.
  void SetHeld(int machine, bool is_held) { machines_.at(machine).is_held = is_held; }
  [[nodiscard]] std::size_t members() const;  // that are to be
  // The next refusal of the machine's disk is no mistake.
  void ExpectRefusal(int machine) { machines_.at(machine).may_be_refused = true; }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }
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

  // OK if every machine is an active member, all have applied the same, equal state, every version that can be read has as
  // many ok copies as its bucket wants (or as there are members), and no node holds a chunk that no version names there.
  [[nodiscard]] absl::Status CheckConverged();
  // What must hold at any time: every chunk of a version that can be read names as many different nodes as its bucket wants,
  // or as there were members (rule R16), as far as nobody has been retired. kDataLoss.
  [[nodiscard]] absl::Status CheckSets();
  // What must hold at any time while no disk is lost: every chunk of a version, removed ones until they are purged, has a
  // good copy on a member, whoever has left. kDataLoss.
  [[nodiscard]] absl::Status CheckCopiesLeft();
  // Why the first node that stopped for good did so; OK if none did.
  [[nodiscard]] const absl::Status& failure() const { return failure_; }
  // Copies that the leaders proposed to move.
  [[nodiscard]] std::uint64_t moves() const { return moves_; }
  NodeTimes times;
  // Of all nodes; may block the put.
  std::function<void(Moment moment, int machine)> on_moment;
  // Each CommitPut as its leader hands it to Raft. Does not block.
  std::function<void(const rpc::Command& command)> on_commit;

 private:
  struct Machine {
    std::unique_ptr<SimDisk> disk;
    std::shared_ptr<SimProcess> process;
    SimNode* node = nullptr;        // null while it is down or joins; left as it is when it crashes
    bool is_starting = false;
    std::int64_t drift_ppm = 0;
    std::int64_t wall_offset_ns = 0;
    bool is_away = false;
    bool is_held = false;
    bool is_leaving = false;
    bool was_wiped = false;         // forms no cluster
    bool may_be_refused = false;    // its disk was rolled back, or it leaves
  };
  [[nodiscard]] const Machine& at(int machine) const { return machines_.at(machine); }
  void OnProposal(const rpc::Command& command);
  void OnFatal(int machine, const SimProcess* process, const absl::Status& status);
  void OnDiskRefused(int machine, const SimProcess* process, const std::string& why);
  [[nodiscard]] absl::Status CheckChunksOf(int machine);
  [[nodiscard]] static absl::Status CheckCopies(const metadata::MetadataView& view);

  FiberScheduler* const scheduler_;
  SimWire wire_;
  std::map<int, Machine> machines_;
  const std::size_t members_at_first_;
  absl::Status failure_;
  std::uint64_t refusals_ = 0;
  std::uint64_t moves_ = 0;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_CLUSTER_H_
