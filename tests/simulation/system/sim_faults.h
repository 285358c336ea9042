// What goes wrong in a run, drawn from its seed.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_FAULTS_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_FAULTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/simulation/system/sim_cluster.h"

namespace dfs::simulation {

class SimFaults {
 public:
  explicit SimFaults(SimCluster* cluster);
  // Causes faults until `end_ns` of true time; blocks.
  void Run(std::int64_t end_ns);
  // Everything works again, and what is down is started.
  void HealAll();
  // While quiet, all machines are up, running and connected, and nothing new goes wrong.
  void SetQuiet(bool is_quiet);
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void CauseOne();
  void OnMoment(Moment moment);
  void StrikeLeader(int machine);
  // What a leader handed to Raft comes into the log once more, in a later term.
  void ProposeLate(const rpc::Command& command, int tries);
  void Crash();
  void Pause();
  void Partition();
  void Lossiness();
  void Disk();
  void Clock();
  int AnyMachine();
  int Leader();  // 0: none is known
  [[nodiscard]] std::int64_t Between(std::int64_t low_ms, std::int64_t high_ms);

  SimCluster* const cluster_;
  FiberScheduler* const scheduler_;
  Random random_;
  void RestartLater(int machine);
  bool is_quiet_ = false;
  std::set<int> to_restart_;
  bool is_over_ = false;  // everything is healed: what was still to come does not
  std::int64_t end_ns_ = 0;
  std::int64_t next_strike_ns_ = 0;
  std::uint64_t strike_one_in_ = 0;  // moments; 0: never in this run
  std::int64_t hold_max_ms_ = 0;     // how long a put may stand still at such a moment
  std::int64_t hold_copy_max_ms_ = 0;  // how long a copy may go without its acknowledgement
  bool has_late_entries_ = false;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_FAULTS_H_
