// Answers what people ask the leader about repair and members (dfs/v1/cluster.proto): Repair, Explain, ChangeMember,
// OkToStop.
#ifndef DFS_SERVER_LEADER_UPKEEP_DESK_H_
#define DFS_SERVER_LEADER_UPKEEP_DESK_H_

#include <memory>
#include <utility>
#include <vector>

#include "server/leader/leader_operations.h"
#include "server/leader/member_change.h"
#include "server/leader/node_directory.h"
#include "server/leader/node_upkeep.h"
#include "server/leader/repair_loop.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Thread-safe, never blocks. Held by shared_ptr: callbacks keep it.
class UpkeepDesk : public std::enable_shared_from_this<UpkeepDesk> {
 public:
  static constexpr int kStoppedMax = 100;
  static constexpr int kEndangeredShownMax = 100;

  UpkeepDesk(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory,
             std::shared_ptr<RepairLoop> repair, std::shared_ptr<NodeUpkeep> nodes)
      : state_(std::move(state)),
        directory_(std::move(directory)),
        repair_(std::move(repair)),
        nodes_(std::move(nodes)) {}

  void Answer(const rpc::ManageRequest& request, leader::Answer<rpc::ManageResponse> done);

 private:
  // On the pool, all of them.
  [[nodiscard]] absl::StatusOr<rpc::ManageResponse> Decide(const rpc::ManageRequest& request);
  [[nodiscard]] absl::StatusOr<api::ExplainResponse> Explain(const api::ExplainRequest& request);
  [[nodiscard]] absl::StatusOr<api::ChangeMemberResponse> Change(
      const api::ChangeMemberRequest& request);
  [[nodiscard]] absl::StatusOr<api::OkToStopResponse> OkToStop(const api::OkToStopRequest& request);
  // A joiner that never came to count.
  [[nodiscard]] absl::StatusOr<api::ChangeMemberResponse> ForgetJoiner(const NamedNode& node);

  [[nodiscard]] api::RepairProgress Progress() const;
  [[nodiscard]] RepairMembers Members();
  [[nodiscard]] std::vector<NamedNode> Nodes();
  [[nodiscard]] ChangeFacts FactsOf(const rpc::NodeRow& node, const std::vector<NamedNode>& nodes,
                                    const api::ChangeMemberRequest& request);
  // Names of gossip buckets that only this node is known to have, by its own last word.
  [[nodiscard]] std::uint64_t GossipAlone(NodeId node) const;
  void CountLastCopies(const rpc::NodeRow& node, ChangeFacts& facts);
  [[nodiscard]] api::ChangeMemberResponse Outcome(const rpc::NodeRow& row);
  // Of a member that leaves or is drained: what it has left to hand over, or why it cannot.
  void DescribeHandover(const rpc::NodeRow& row, api::ChangeMemberResponse* response);

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
  const std::shared_ptr<RepairLoop> repair_;
  const std::shared_ptr<NodeUpkeep> nodes_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_UPKEEP_DESK_H_
