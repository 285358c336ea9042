// Links between members: each direction can be cut; messages are lost, doubled, late, out of order.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_NETWORK_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_NETWORK_H_

#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "tests/simulation/consensus/fault_odds.h"
#include "tests/simulation/consensus/sim_world.h"

namespace dfs::consensus {

class SimNetwork {
 public:
  SimNetwork(SimWorld& world, const FaultOdds& odds) : world_(world), odds_(odds) {}

  // Runs `arrive` 0, 1 or 2 times, each after a delay. A cut is looked at when a message leaves
  // and when it arrives.
  void Send(NodeId from, NodeId to, std::function<void()> arrive);

  void CutOneWay(NodeId from, NodeId to) { cut_.emplace(from, to); }
  void Cut(NodeId a, NodeId b) {
    CutOneWay(a, b);
    CutOneWay(b, a);
  }
  void Heal() { cut_.clear(); }
  [[nodiscard]] bool IsCut(NodeId from, NodeId to) const { return cut_.contains({from, to}); }

 private:
  SimWorld& world_;
  const FaultOdds& odds_;
  std::set<std::pair<NodeId, NodeId>> cut_;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_NETWORK_H_
