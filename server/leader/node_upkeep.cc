#include "server/leader/node_upkeep.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/mutant.h"
#include "server/leader/node_directory.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {
namespace {

// One entry may change 1,000 rows, and a change may touch two.
constexpr int kChangesPerEntryMax = 450;

}  // namespace

void NodeUpkeep::Tick() {
  const auto view = state_->world.view();
  MaybeOut(*view);
  MaybeReturn(*view);
}

MonotonicTime NodeUpkeep::OutAt(NodeId node) const {
  MutexLock lock(&mutex_);
  return policy_.DueAt(node);
}

void NodeUpkeep::MaybeOut(const metadata::MetadataView& view) {
  std::map<NodeId, NodeLiveness> live;
  for (const auto& node : state_->world.liveness()) live[node.node] = node;
  std::vector<OutCandidate> members;
  std::map<NodeId, rpc::NodeRow> rows;
  for (auto& row : view.Nodes()) {
    if (row.state() != rpc::ACTIVE || !metadata::HoldsReplicas(row)) continue;
    const NodeId node(row.node_id());
    members.push_back({node, live[node].is_usable, row.is_out(), live[node].dead_since});
    rows[node] = std::move(row);
  }
  std::optional<NodeId> due;
  {
    MutexLock lock(&mutex_);
    due = policy_.Due(members, state_->Now());
  }
  if (!due || is_proposing_) return;
  is_proposing_ = true;
  rpc::Command command;
  rpc::MarkNode& mark = *command.mutable_mark_node();
  mark.set_node_id(due->value());
  mark.set_boot_epoch(rows[*due].boot_epoch());
  mark.set_is_out(true);
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(), node = *due](const absl::StatusOr<rpc::CommandResult>& result) {
        LOG(INFO) << "node " << node << " is away for too long and becomes OUT: "
                  << (result.ok() ? result->message() : result.status().ToString());
        self->state_->world.executor->Post([self] { self->is_proposing_ = false; });
      });
}

// Rule R3: after each start, whether the node was OUT or not.
void NodeUpkeep::MaybeReturn(const metadata::MetadataView& view) {
  std::map<NodeId, bool> is_usable;
  for (const auto& node : state_->world.liveness()) is_usable[node.node] = node.is_usable;
  const auto status = state_->world.consensus->Status();
  for (const auto& row : view.Nodes()) {
    const NodeId node(row.node_id());
    if (row.state() != rpc::ACTIVE || !is_usable[node]) continue;
    const bool is_returning =
        IsReturning(row) && !DFS_MUTANT(844, "only a node that was OUT is asked what it still holds");
    if (!row.is_out() && !is_returning) continue;
    if (comparing_ >= kComparisonsMax) return;
    if (status.MatchOf(node).value() + kReturnLagMax < status.commit_index.value()) continue;
    const auto found = reconciling_.find(node);
    if (found != reconciling_.end() && state_->Now() < found->second) continue;
    reconciling_[node] = absl::InfiniteFuture();
    ++comparing_;
    LOG(INFO) << "node " << node << " is back; comparing what it holds with the log";
    state_->world.run_blocking([self = shared_from_this(), row] { self->Reconcile(row); });
  }
}

absl::StatusOr<std::vector<rpc::ReplicaChange>> NodeUpkeep::FindLost(const rpc::NodeRow& row) {
  const NodeId node(row.node_id());
  // The view first: what it names was held before the node lists what it holds.
  const auto view = state_->world.view();
  auto held = state_->world.inventory(node);
  if (!held.ok()) return held.status();
  std::sort(held->begin(), held->end());
  rpc::Ack ack;
  ack.set_node_id(row.node_id());
  *ack.mutable_storage_uuid() = row.storage_uuid();
  ack.set_boot_epoch(row.boot_epoch());
  std::vector<rpc::ReplicaChange> lost;
  view->ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
    for (int k = 0; k < version.chunks_size(); ++k) {
      const ChunkId id{FromWire(version.txn()), static_cast<std::uint32_t>(k)};
      const auto& replicas = version.chunks(k).replicas();
      const bool is_named = std::any_of(replicas.begin(), replicas.end(), [&](const auto& replica) {
        return replica.node_id() == row.node_id() && replica.state() == api::OK;
      });
      if (!is_named || std::binary_search(held->begin(), held->end(), id)) continue;
      rpc::ReplicaChange& change = lost.emplace_back();
      *change.mutable_chunk() = ToWire(id);
      *change.mutable_hash() = version.chunks(k).hash();
      *change.mutable_ack() = ack;
      change.set_state(api::MISSING);
    }
    return !state_->HasEnded();
  });
  if (state_->HasEnded()) return NotLeaderError();
  return lost;
}

void NodeUpkeep::Reconcile(const rpc::NodeRow& row) {
  const NodeId node(row.node_id());
  if (state_->HasEnded()) return;
  auto lost = FindLost(row);
  if (!lost.ok()) {
    LOG(INFO) << "what node " << node << " holds is not known: " << lost.status();
    EndReconcile(node, false);
    return;
  }
  LOG(INFO) << "node " << node << " lacks " << lost->size() << " copies that it should have";
  if (DFS_MUTANT(806, "a node counts again although it lost copies")) lost->clear();
  for (std::size_t at = 0; at < lost->size();) {
    rpc::Command command;
    auto& changes = *command.mutable_change_replicas();
    while (at < lost->size() && changes.changes_size() < kChangesPerEntryMax) {
      *changes.add_changes() = std::move((*lost)[at++]);
    }
    const absl::Status status = ProposeAndWait(*state_, std::move(command)).status();
    if (!status.ok()) {
      LOG(INFO) << "lost copies of node " << node << " are not recorded: " << status;
      EndReconcile(node, false);
      return;
    }
  }
  ProposeIn(row);
}

void NodeUpkeep::ProposeIn(const rpc::NodeRow& row) {
  rpc::Command command;
  rpc::MarkNode& mark = *command.mutable_mark_node();
  mark.set_node_id(row.node_id());
  // Void if it has started again since it told what it holds.
  mark.set_boot_epoch(row.boot_epoch());
  mark.set_is_counted(true);
  if (row.is_out()) mark.set_is_out(false);
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(),
       node = NodeId(row.node_id())](const absl::StatusOr<rpc::CommandResult>& result) {
        const bool is_done = result.ok() && result->code() == rpc::CommandResult::DONE;
        if (is_done) LOG(INFO) << "node " << node << " is back and counts again";
        self->EndReconcile(node, is_done);
      });
}

void NodeUpkeep::EndReconcile(NodeId node, bool is_done) {
  state_->world.executor->Post([self = shared_from_this(), node, is_done] {
    --self->comparing_;
    if (is_done) {
      self->reconciling_.erase(node);
    } else {
      self->reconciling_[node] = self->state_->Now() + kCompareAgain;
    }
  });
}

}  // namespace dfs::leader
