#include "server/leader/leader_route.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/error_detail.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {

std::optional<LeaderRoute::Target> LeaderRoute::Find() const {
  const auto status = parts_.consensus->Status();
  if (status.leader.is_none()) return std::nullopt;
  if (status.leader == parts_.self) {
    if (!status.can_serve) return std::nullopt;
    return Target{status.leader, status.term, parts_.local, true};
  }
  LeaderOperations* const peer = parts_.peers(status.leader);
  if (peer == nullptr) return std::nullopt;
  return Target{status.leader, status.term, peer, false};
}

bool LeaderRoute::IsStill(const Target& target) const {
  const auto status = parts_.consensus->Status();
  return status.leader == target.node && status.term == target.term;
}

bool LeaderRoute::HangsWithoutLeader() const {
  const auto status = parts_.consensus->Status();
  return status.is_hanging && status.leader.is_none();
}

bool LeaderRoute::IsLeaderless() const {
  const auto status = parts_.consensus->Status();
  return status.leader.is_none() && status.leader_silence > kLeaderlessMax;
}

absl::Status LeaderRoute::NoQuorum() const {
  if (HangsWithoutLeader()) {
    return ErrorWithReason(absl::StatusCode::kUnavailable,
                           "the disk of this node's log hangs; ask another node",
                           api::ErrorDetail::OVERLOADED);
  }
  std::map<NodeId, bool> is_usable;
  for (const auto& live : parts_.liveness()) is_usable[live.node] = live.is_usable;
  api::ErrorDetail detail;
  detail.set_reason(api::ErrorDetail::NO_QUORUM);
  detail.set_outcome(api::ErrorDetail::NOTHING_CHANGED);
  for (const auto& row : parts_.view()->Nodes()) {
    const NodeId node(row.node_id());
    if (row.state() == rpc::ACTIVE && node != parts_.self && !is_usable[node] && metadata::HoldsReplicas(row)) {
      detail.add_missing_nodes(NameOf(row));
    }
  }
  std::string message = "no leader was found in time: too few nodes are alive or reachable";
  if (detail.missing_nodes_size() > 0) {
    absl::StrAppend(&message, "; missing: ", absl::StrJoin(detail.missing_nodes(), ", "));
  }
  return ErrorWithDetail(absl::StatusCode::kUnavailable, message, detail);
}

bool LeaderRoute::IsUsable(const rpc::OpenTransaction& transaction) const {
  std::map<NodeId, bool> is_usable;
  for (const auto& live : parts_.liveness()) is_usable[live.node] = live.is_usable;
  return std::all_of(transaction.replicas().begin(), transaction.replicas().end(),
                     [&](std::uint32_t node) {
                       return NodeId(node) == parts_.self || is_usable[NodeId(node)];
                     });
}

bool LeaderRoute::IsUsableBeside(const rpc::OpenTransaction& transaction) const {
  const auto has = [&](NodeId node) {
    return std::find(transaction.replicas().begin(), transaction.replicas().end(), node.value()) !=
           transaction.replicas().end();
  };
  const std::vector<NodeLiveness> liveness = parts_.liveness();
  return !has(parts_.self) ||
         std::any_of(liveness.begin(), liveness.end(),
                     [&](const NodeLiveness& live) { return live.is_usable && !has(live.node); });
}

bool LeaderRoute::IsWorthRetrying(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return true;
    case absl::StatusCode::kUnavailable: {
      // The leader's own word that too few nodes live does not get better by asking.
      const auto detail = DetailOf(status);
      return !detail || detail->reason() != api::ErrorDetail::NO_QUORUM;
    }
    default:
      return false;
  }
}

absl::Status LeaderRoute::GiveUp(bool has_reached) const {
  if (!has_reached) return NoQuorum();
  return ErrorWithReason(absl::StatusCode::kDeadlineExceeded,
                         "the leader did not answer in time; the outcome is unknown",
                         api::ErrorDetail::NO_QUORUM, api::ErrorDetail::UNKNOWN);
}

}  // namespace dfs::leader
