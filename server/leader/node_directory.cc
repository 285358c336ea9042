#include "server/leader/node_directory.h"

#include "common/mutant.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {
bool NodeRows::IsCurrent(const rpc::Ack& ack) const {
  const auto found = rows.find(NodeId(ack.node_id()));
  if (found == rows.end() || found->second.state() != rpc::ACTIVE) return false;
  return UuidFromWire<StorageUuid>(found->second.storage_uuid()) ==
             UuidFromWire<StorageUuid>(ack.storage_uuid()) &&
         found->second.boot_epoch() == ack.boot_epoch();
}

std::shared_ptr<const NodeRows> NodeDirectory::Get() {
  {
    MutexLock lock(&mutex_);
    if (rows_ != nullptr && world_.clock->Now() - read_ < kFreshFor) return rows_;
  }
  return Refresh();
}

std::shared_ptr<const NodeRows> NodeDirectory::Refresh() {
  const MonotonicTime now = world_.clock->Now();
  const auto view = world_.view();
  auto fresh = std::make_shared<NodeRows>();
  for (auto& row : view->Nodes()) fresh->rows[NodeId(row.node_id())] = std::move(row);
  fresh->members = view->member_count();
  MutexLock lock(&mutex_);
  rows_ = fresh;
  read_ = now;
  buckets_.clear();
  return rows_;
}

std::optional<rpc::BucketRow> NodeDirectory::FindBucket(BucketId id) {
  {
    MutexLock lock(&mutex_);
    if (const auto found = buckets_.find(id); found != buckets_.end()) return found->second;
  }
  auto bucket = world_.view()->FindBucket(id);
  if (bucket) {
    MutexLock lock(&mutex_);
    buckets_[id] = *bucket;
  }
  return bucket;
}

bool IsReturning(const rpc::NodeRow& row) {
  return row.state() == rpc::ACTIVE && row.counted_epoch() != row.boot_epoch();
}

std::vector<placement::Candidate> Candidates(const NodeRows& rows,
                                             const std::vector<NodeLiveness>& liveness) {
  std::map<NodeId, const NodeLiveness*> by_node;
  for (const auto& live : liveness) by_node[live.node] = &live;
  std::vector<placement::Candidate> candidates;
  for (const auto& [node, row] : rows.rows) {
    if (row.state() != rpc::ACTIVE) continue;
    if (!metadata::HoldsReplicas(row) && !DFS_MUTANT(1111, "copies are placed on a gateway")) continue;
    placement::Candidate candidate;
    candidate.node = node;
    candidate.zone = row.zone();
    candidate.is_withdrawn = row.is_out() || row.departure() != rpc::STAYS;
    candidate.is_returning = IsReturning(row);
    // Until a heartbeat says otherwise a node has just enough room.
    candidate.free_bytes = placement::kFreeBytesMin;
    if (const auto found = by_node.find(node); found != by_node.end()) {
      candidate.is_usable = found->second->is_usable;
      candidate.is_slow = found->second->is_slow;
      if (found->second->total_bytes > 0) {
        candidate.free_bytes = found->second->free_bytes;
        candidate.total_bytes = found->second->total_bytes;
      }
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

}  // namespace dfs::leader
