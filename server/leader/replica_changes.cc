#include "server/leader/replica_changes.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/mutant.h"
#include "proto/error_detail.h"

namespace dfs::leader {
namespace {

// One entry may change 1,000 rows: the state machine would skip the rest. A change touches the two
// rows of its version; one that puts a copy in the place of another may touch a row of each of the
// two nodes as well (what they were let go of).
constexpr std::size_t kRowsPerEntryMax = 900;
constexpr std::size_t kChangesPerEntryMax = kRowsPerEntryMax / 2;

std::size_t RowsOf(const rpc::ReplicaChange& change) { return change.replaces() == 0 ? 2 : 4; }

}  // namespace

absl::Status ReplicaChanges::Report(const rpc::ReportReplicasRequest& request) {
  if (request.changes_size() > kChangesPerReportMax) {
    return absl::InvalidArgumentError("more than 1,000 changes in one report");
  }
  {
    MutexLock lock(&mutex_);
    if (queue_.size() + static_cast<std::size_t>(request.changes_size()) > kQueuedMax) {
      return ErrorWithReason(absl::StatusCode::kResourceExhausted, "too many changes are queued",
                             api::ErrorDetail::OVERLOADED);
    }
  }
  std::vector<rpc::ReplicaChange> counting;
  {
    MutexLock lock(&state_->mutex);
    if (state_->is_ended) return NotLeaderError();
    for (const auto& change : request.changes()) {
      const NodeId node(change.ack().node_id());
      if (change.state() == api::OK &&
          !state_->orders.Acknowledge(FromWire(change.chunk()), node, 0) &&
          !DFS_MUTANT(335, "a late copy counts without an order (rule R19)")) {
        continue;
      }
      counting.push_back(change);
      // Taking another's place is for repair to decide.
      counting.back().clear_replaces();
    }
  }
  Enqueue(std::move(counting));
  return absl::OkStatus();
}

bool ReplicaChanges::ReportRepaired(rpc::ReplicaChange change, std::uint64_t order) {
  {
    MutexLock lock(&state_->mutex);
    if (state_->is_ended) return false;
    const NodeId node(change.ack().node_id());
    if (!state_->orders.Acknowledge(FromWire(change.chunk()), node, order)) return false;
  }
  Enqueue({std::move(change)});
  return true;
}

void ReplicaChanges::Enqueue(std::vector<rpc::ReplicaChange> changes) {
  if (changes.empty()) return;
  bool arms = false;
  bool is_full = false;
  {
    MutexLock lock(&mutex_);
    for (auto& change : changes) queue_.push_back(std::move(change));
    is_full = queue_.size() >= kChangesPerEntryMax;
    arms = !std::exchange(is_armed_, true);
  }
  const auto flush = [self = shared_from_this()] { self->Flush(); };
  if (is_full) {
    state_->world.executor->Post(flush);
  } else if (arms) {
    state_->world.executor->PostAt(state_->Now() + state_->options.report_every, flush);
  }
}

void ReplicaChanges::Flush() {
  while (true) {
    std::vector<rpc::ReplicaChange> batch;
    {
      MutexLock lock(&mutex_);
      std::size_t rows = 0;
      while (!queue_.empty() && (rows += RowsOf(queue_.front())) <= kRowsPerEntryMax) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      if (batch.empty()) is_armed_ = false;
    }
    if (batch.empty()) return;
    Propose(std::move(batch));
  }
}

void ReplicaChanges::Propose(std::vector<rpc::ReplicaChange> batch) {
  rpc::Command command;
  for (const auto& change : batch) *command.mutable_change_replicas()->add_changes() = change;
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(), batch = std::move(batch)](
          absl::StatusOr<rpc::CommandResult> result) { self->Finish(batch, result); });
}

// The orders stayed open until here, so that no verdict looks at the set without the copy.
void ReplicaChanges::Finish(const std::vector<rpc::ReplicaChange>& batch,
                            const absl::StatusOr<rpc::CommandResult>& result) {
  if (!result.ok()) LOG(INFO) << "changes of replicas not recorded: " << result.status();
  bool has_damage = false;
  {
    MutexLock lock(&state_->mutex);
    for (const auto& change : batch) {
      const ChunkId chunk = FromWire(change.chunk());
      if (change.state() == api::OK) {
        state_->orders.End(chunk, NodeId(change.ack().node_id()), 0);
        if (change.replaces() != 0) state_->orders.EndChunk(chunk);
      } else {
        has_damage = true;
      }
    }
  }
  if (has_damage && on_damage_) on_damage_();
}

}  // namespace dfs::leader
