// Who runs the cluster: takes machines in and out, loses disks, puts old ones back, and tidies up behind.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_OPERATOR_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_OPERATOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "tests/simulation/system/sim_cluster.h"
#include "tests/simulation/system/sim_faults.h"

namespace dfs::simulation {

// One thing at a time. A disk is lost only while every file has all its copies, as promised: "the loss of any one node
// at once, and of any further one after repair".
class SimOperator {
 public:
  SimOperator(SimCluster* cluster, SimFaults* faults);
  // Starts fibers: one that changes things until `end_ns` of true time, and one that tidies up to the end of the run.
  void Start(std::int64_t end_ns, bool may_lose_disks);
  // Whether nothing is under way any more.
  [[nodiscard]] bool is_idle() const { return !is_busy_; }
  // What the nodes did with a disk that they should have refused; OK if nothing.
  [[nodiscard]] const absl::Status& failure() const { return failure_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void ActOnce();
  void Grow();
  void Wipe();
  void Leave();
  void Drain();
  void StayAway();
  void RollBack();
  void LoseChunks();
  void Rot();
  // Forgets or replaces what no disk stands for, takes back drains, removes machines that have left.
  void TidyUp();
  // All members are in full, no file lacks a copy, and three vote: one disk may be lost.
  bool IsWhole();
  bool AwaitWhole(std::int64_t seconds);
  int UpMachine();  // 0: none
  [[nodiscard]] int MachineWith(const rpc::NodeRow& row);  // 0: no disk stands for it
  absl::StatusOr<v1::ChangeMemberResponse> Change(v1::ChangeMemberRequest::Change change,
                                                  std::uint32_t node);
  [[nodiscard]] std::int64_t Between(std::int64_t low_ms, std::int64_t high_ms);

  SimCluster* const cluster_;
  SimFaults* const faults_;
  FiberScheduler* const scheduler_;
  Random random_;
  bool is_busy_ = false;
  bool may_lose_disks_ = false;
  absl::Status failure_;
  // The node lost copies, and nobody has compared a start after this one with the log.
  std::optional<std::pair<std::uint32_t, std::uint64_t>> uncounted_;  // node id, boot epoch
  std::set<std::uint32_t> drained_;  // node ids that are to be
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_OPERATOR_H_
