// Makes the faults of FaultOdds happen.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_FAULTS_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_FAULTS_H_

#include <functional>
#include <vector>

#include "tests/simulation/consensus/fault_odds.h"
#include "tests/simulation/consensus/sim_member.h"
#include "tests/simulation/consensus/sim_network.h"
#include "tests/simulation/consensus/sim_operator.h"
#include "tests/simulation/consensus/sim_world.h"

namespace dfs::consensus {

class SimFaults {
 public:
  SimFaults(SimWorld& world, const FaultOdds& odds, SimNetwork& network, const SimMembers& members,
            std::function<void(SimMember&)> crash);
  void Start();
  void Stop() { is_stopped_ = true; }
  // The member dies and comes back after a while.
  void CrashFor(SimMember& member);

 private:
  void Strike();
  void PauseFor(SimMember& member);
  void Hint(NodeId leader, Term term, std::uint64_t per_mille);
  void Isolate();
  void Split();
  void CutSomeOneWay();
  std::vector<SimMember*> Up() const;
  SimMember* AnyUp();

  SimWorld& world_;
  const FaultOdds& odds_;
  SimNetwork& network_;
  const SimMembers& members_;
  const std::function<void(SimMember&)> crash_;
  bool is_stopped_ = false;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_FAULTS_H_
