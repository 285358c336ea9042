// Members that leave or are forgotten: carries them from the mark in the node table to the end (rules R1, R7).
//
// Handed over (gossip buckets too, by the node's own word) -> no vote -> RETIRED and inactive in the configuration -> its own log says so -> no member of the
// configuration -> out of every set and purge row. Each step is a log entry and is found again by the next leader.
#ifndef DFS_SERVER_LEADER_DEPARTURE_UPKEEP_H_
#define DFS_SERVER_LEADER_DEPARTURE_UPKEEP_H_

#include <map>
#include <memory>

#include "common/wire_ids.h"
#include "server/leader/repair_loop.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Whether a node that leaves says that another member has all that it has of gossip buckets, of which the log knows nothing; or
// there are none.
[[nodiscard]] bool IsGossipHandedOver(const TermState& state, NodeId node);

// Held by shared_ptr: callbacks keep it.
class DepartureUpkeep : public std::enable_shared_from_this<DepartureUpkeep> {
 public:
  // A node that is RETIRED gets the log so long at most, to learn of it; then it is cut off.
  static constexpr absl::Duration kFarewell = absl::Seconds(5);

  // A look at all versions, before a node may leave.
  static constexpr absl::Duration kCheckEvery = absl::Seconds(1);

  DepartureUpkeep(std::shared_ptr<TermState> state, std::shared_ptr<RepairLoop> repair)
      : state_(std::move(state)), repair_(std::move(repair)) {}

  // Call regularly, from the executor. One step is under way at a time.
  void Tick();

 private:
  void MaybeRetire(const rpc::NodeRow& row, const replicated_log::RaftStatus& status);
  // On the pool: nothing but this node holds less than it should without it.
  void CheckHandover(const rpc::NodeRow& row);
  void Retire(NodeId node);
  void MaybeRemove(const rpc::NodeRow& row, const replicated_log::RaftStatus& status);
  void StepOn(NodeId node);
  // From any thread.
  void EndStep();

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<RepairLoop> repair_;
  // Executor only.
  bool is_busy_ = false;
  MonotonicTime next_check_ = absl::InfinitePast();
  std::map<NodeId, TxnId> cursors_;           // of RetireStep
  struct Farewell {
    MonotonicTime since;
    LogIndex index;  // holds the entry that retired it
  };
  std::map<NodeId, Farewell> farewells_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_DEPARTURE_UPKEEP_H_
