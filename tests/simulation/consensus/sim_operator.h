// The simulated operator: adds members, activates them, changes voters, removes members, hands
// leadership over; all through whoever leads.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_OPERATOR_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_OPERATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/ids.h"
#include "server/consensus/configuration.h"
#include "tests/simulation/consensus/fault_odds.h"
#include "tests/simulation/consensus/sim_member.h"
#include "tests/simulation/consensus/sim_world.h"

namespace dfs::consensus {

using SimMembers = std::map<NodeId, std::unique_ptr<SimMember>>;

MemberInfo MemberOf(NodeId id, bool is_active);
// The running leader of the highest term, if any.
SimMember* LeaderOf(const SimMembers& members);

class SimOperator {
 public:
  SimOperator(SimWorld& world, const FaultOdds& odds, const SimMembers& members,
              std::function<void(NodeId, SimDisk)> add_member);

  void SetNextId(std::uint32_t id) { next_id_ = id; }
  void Start();
  void Stop() { is_stopped_ = true; }

 private:
  void Act();
  void ActOn(SimMember& leader);
  bool ActivateOne(SimMember& leader);
  void AddOne(SimMember& leader);
  void ChangeVoters(SimMember& leader);
  void RemoveOne(SimMember& leader);
  void Propose(SimMember& leader, Configuration next);

  SimWorld& world_;
  const FaultOdds& odds_;
  const SimMembers& members_;
  const std::function<void(NodeId, SimDisk)> add_member_;
  std::uint32_t next_id_ = 1;
  std::uint64_t last_token_ = std::uint64_t{1} << 32;  // apart from those of clients
  bool is_stopped_ = false;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_OPERATOR_H_
