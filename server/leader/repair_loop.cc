#include "server/leader/repair_loop.h"

#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <set>

namespace dfs::leader {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(1);

CopyState StateOf(const rpc::Replica& replica) {
  switch (replica.state()) {
    case api::OK:
      return CopyState::kOk;
    case api::CORRUPT:
      return CopyState::kCorrupt;
    default:
      return CopyState::kMissing;
  }
}

IncompleteChunk ToChunk(const ChunkId& id, const rpc::ChunkRow& row, std::size_t wanted) {
  IncompleteChunk chunk{id, row.size(), HashFromWire(row.hash()), wanted, {}};
  for (const auto& replica : row.replicas()) {
    chunk.set[NodeId(replica.node_id())] = StateOf(replica);
  }
  return chunk;
}

bool IsComplete(const rpc::ChunkRow& row, std::uint64_t wanted) {
  std::uint64_t ok = 0;
  for (const auto& replica : row.replicas()) ok += replica.state() == api::OK ? 1 : 0;
  return ok >= wanted && ok == static_cast<std::uint64_t>(row.replicas_size());
}

}  // namespace

void RepairLoop::Tick() {
  if (load_.in_flight >= state_->options.repair.in_flight_max) return;
  const auto rows = directory_->Refresh();
  if (backlog_.empty()) {
    const auto view = state_->world.view();
    if (view->GetTotals().under_replicated == 0) {
      failed_.clear();
      return;
    }
    backlog_ = Collect(*view, rows->members);
  }
  const auto tasks = PlanRepair(backlog_, Candidates(*rows, state_->world.liveness()),
                                state_->options.repair, load_);
  std::set<ChunkId> planned;
  for (const auto& task : tasks) {
    planned.insert(task.chunk);
    Order(task);
  }
  std::erase_if(backlog_, [&](const auto& chunk) { return planned.contains(chunk.chunk); });
  // What nobody can take now is looked at again in a later pass, as it is then.
  if (load_.in_flight == 0) backlog_.clear();
}

std::vector<IncompleteChunk> RepairLoop::Collect(const metadata::MetadataView& view,
                                                 std::uint64_t members) {
  std::vector<IncompleteChunk> chunks;
  std::map<BucketId, std::uint64_t> wanted_of;
  int seen = 0;
  TxnId last;
  view.ListIncomplete(cursor_, [&](const rpc::VersionRow& version) {
    last = FromWire(version.txn());
    // What is in the trash gets no new copies.
    if (version.trashed_index() != 0) return ++seen < kVersionsPerPass;
    const BucketId id(version.bucket_id());
    if (!wanted_of.contains(id)) {
      const auto bucket = view.FindBucket(id);
      wanted_of[id] = bucket ? bucket->replicas() : 0;
    }
    const std::uint64_t wanted = wanted_of[id];
    for (int k = 0; k < version.chunks_size(); ++k) {
      const ChunkId chunk{last, static_cast<std::uint32_t>(k)};
      if (IsComplete(version.chunks(k), std::min(wanted, members))) continue;
      if (IsBusy(chunk, version.chunks(k))) continue;
      chunks.push_back(ToChunk(chunk, version.chunks(k), wanted));
    }
    return ++seen < kVersionsPerPass && chunks.size() < kChunksPerPass;
  });
  const bool is_end = seen < kVersionsPerPass && chunks.size() < kChunksPerPass;
  cursor_ = is_end ? TxnId() : last;
  return chunks;
}

// A copy is on its way already, or failed a moment ago.
bool RepairLoop::IsBusy(const ChunkId& chunk, const rpc::ChunkRow& row) {
  const MonotonicTime now = state_->Now();
  const auto failure = failed_.find(chunk);
  if (failure != failed_.end() && now < failure->second.retry) return true;
  MutexLock lock(&state_->mutex);
  if (state_->orders.HasRepair(chunk)) return true;
  for (const auto& replica : row.replicas()) {
    const CopyOrders::Order* const order =
        state_->orders.Find(chunk, NodeId(replica.node_id()));
    if (order == nullptr) continue;
    // The put's coordinator may still bring the copy; not for ever.
    if (order->is_acknowledged || now - order->opened < state_->options.late_copy_wait) return true;
  }
  return false;
}

void RepairLoop::Order(const CopyTask& task) {
  std::optional<std::uint64_t> order;
  {
    MutexLock lock(&state_->mutex);
    if (state_->is_ended) return;
    order = state_->orders.Open(task.chunk, task.target, task.replaces, true, state_->Now());
  }
  if (!order) return;
  ++load_.in_flight;
  ++load_.by_source[task.sources.front()];
  ++load_.by_target[task.target];
  state_->world.run_blocking(
      [self = shared_from_this(), task, number = *order] { self->Copy(task, number); });
}

void RepairLoop::Copy(const CopyTask& task, std::uint64_t order) {
  rpc::CopyChunkRequest request;
  *request.mutable_chunk() = ToWire(task.chunk);
  request.set_size(task.size);
  *request.mutable_hash() = ToWire(task.hash);
  for (const NodeId source : task.sources) request.add_sources(source.value());
  request.set_order(order);
  absl::StatusOr<rpc::ChunkAck> ack = NotLeaderError();
  if (!state_->HasEnded()) {
    ack = state_->world.copy(task.target, request, state_->options.copy_progress);
  }
  bool is_made = false;
  if (!ack.ok()) {
    LOG(INFO) << "copy of " << task.chunk << " to node " << task.target
              << " not made: " << ack.status();
  } else if (ack->size() != task.size || HashFromWire(ack->hash()) != task.hash ||
             ack->ack().node_id() != task.target.value()) {
    LOG(ERROR) << "node " << task.target << " acknowledged another copy of " << task.chunk;
  } else {
    rpc::ReplicaChange change;
    *change.mutable_chunk() = request.chunk();
    *change.mutable_hash() = request.hash();
    *change.mutable_ack() = ack->ack();
    change.set_state(api::OK);
    change.set_replaces(task.replaces.value());
    is_made = changes_->ReportRepaired(std::move(change), order);
  }
  if (!is_made) {
    MutexLock lock(&state_->mutex);
    state_->orders.End(task.chunk, task.target, order);
  }
  state_->world.executor->Post(
      [self = shared_from_this(), task, is_made] { self->Finish(task, is_made); });
}

void RepairLoop::Finish(const CopyTask& task, bool is_made) {
  --load_.in_flight;
  --load_.by_source[task.sources.front()];
  --load_.by_target[task.target];
  if (is_made) {
    failed_.erase(task.chunk);
  } else if (failed_.size() < kFailedMax || failed_.contains(task.chunk)) {
    Failure& failure = failed_[task.chunk];
    failure.pause = failure.pause == absl::ZeroDuration()
                        ? kFirstPause
                        : std::min(failure.pause * 2, state_->options.copy_backoff_max);
    failure.retry = state_->Now() + failure.pause;
  }
  if (is_made && load_.in_flight <= state_->options.repair.in_flight_max / 2 &&
      !state_->HasEnded()) {
    Tick();
  }
}

}  // namespace dfs::leader
