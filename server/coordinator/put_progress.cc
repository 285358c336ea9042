#include "server/coordinator/put_progress.h"

#include <algorithm>
#include <optional>

#include <glog/logging.h>

#include "proto/error_detail.h"

namespace dfs::coordinator {
namespace {

// A node that refuses a chunk says RESOURCE_EXHAUSTED: for want of space, unless it gives another reason.
bool IsForWantOfSpace(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return false;
  const auto detail = DetailOf(status);
  return !detail || detail->reason() == api::ErrorDetail::NO_SPACE;
}

}  // namespace

std::size_t PutProgress::Chunk::CopiesUnder(const TxnId& txn) const {
  return static_cast<std::size_t>(std::count_if(
      copies.begin(), copies.end(), [&](const auto& copy) { return copy.second.under == txn; }));
}

std::uint64_t PutProgress::changes() const {
  MutexLock lock(&mutex_);
  return changes_;
}

void PutProgress::NotifyLocked() {
  ++changes_;
  changed_.SignalAll();
}

void PutProgress::Notify() {
  MutexLock lock(&mutex_);
  NotifyLocked();
}

void PutProgress::AwaitChange(std::uint64_t seen, absl::Duration timeout) const {
  MutexLock lock(&mutex_);
  if (changes_ == seen) changed_.WaitFor(&mutex_, timeout);
}

void PutProgress::WriteUnder(const TxnId& txn) {
  MutexLock lock(&mutex_);
  written_under_ = txn;
}

std::uint32_t PutProgress::AddChunk(std::size_t quorum, const std::vector<NodeId>& asked) {
  MutexLock lock(&mutex_);
  Chunk& chunk = chunks_.emplace_back();
  chunk.tally = QuorumTally(quorum);
  for (const NodeId node : asked) chunk.tally.AddCandidate(node);
  chunk.asked = asked;
  return static_cast<std::uint32_t>(chunks_.size() - 1);
}

void PutProgress::AddSpare(std::uint32_t index, NodeId node) {
  MutexLock lock(&mutex_);
  chunks_[index].tally.AddCandidate(node);
  chunks_[index].asked.push_back(node);
}

void PutProgress::Describe(std::uint32_t index, std::uint64_t size, Hash128 hash) {
  MutexLock lock(&mutex_);
  chunks_[index].size = size;
  chunks_[index].hash = hash;
}

rpc::ReplicaChange PutProgress::LateCopyLocked(std::uint32_t index, const rpc::Ack& ack) const {
  rpc::ReplicaChange change;
  *change.mutable_chunk() = ToWire(ChunkId{committed_under_, index});
  *change.mutable_hash() = ToWire(chunks_[index].hash);
  *change.mutable_ack() = ack;
  change.set_state(api::OK);
  return change;
}

void PutProgress::RecordAnswer(std::uint32_t index, NodeId node,
                               const absl::StatusOr<rpc::Ack>& answer) {
  std::optional<rpc::ReplicaChange> late;
  TxnId txn;
  {
    MutexLock lock(&mutex_);
    Chunk& chunk = chunks_[index];
    txn = written_under_;
    if (answer.ok()) {
      chunk.tally.RecordAcknowledged(node);
      chunk.copies[node] = {*answer, written_under_};
      if (committed_under_ == written_under_) late = LateCopyLocked(index, *answer);
    } else {
      chunk.tally.RecordRefused(node);
      chunk.lacks_space = chunk.lacks_space || IsForWantOfSpace(answer.status());
    }
    NotifyLocked();
  }
  if (late) leader_->ReportReplica(*std::move(late));
  LOG_IF(INFO, !answer.ok()) << "replica on node " << node << " of " << txn << "/" << index
                             << " not written: " << answer.status();
}

std::uint32_t PutProgress::chunk_count() const {
  MutexLock lock(&mutex_);
  return static_cast<std::uint32_t>(chunks_.size());
}

QuorumTally PutProgress::TallyOf(std::uint32_t index) const {
  MutexLock lock(&mutex_);
  return chunks_[index].tally;
}

chunk::ChunkInfo PutProgress::InfoOf(std::uint32_t index) const {
  MutexLock lock(&mutex_);
  return {ChunkId{written_under_, index}, chunks_[index].size, chunks_[index].hash};
}

std::vector<NodeId> PutProgress::MissingOf(std::uint32_t index) const {
  MutexLock lock(&mutex_);
  const QuorumTally& tally = chunks_[index].tally;
  const bool is_lost = tally.verdict() == QuorumTally::Verdict::kLost;
  std::vector<NodeId> missing;
  for (const NodeId node : chunks_[index].asked) {
    if (is_lost ? tally.refused().contains(node) : !tally.acknowledged().contains(node)) {
      missing.push_back(node);
    }
  }
  return missing;
}

bool PutProgress::LacksSpace(std::uint32_t index) const {
  MutexLock lock(&mutex_);
  return chunks_[index].lacks_space;
}

bool PutProgress::is_complete() const {
  MutexLock lock(&mutex_);
  return std::all_of(chunks_.begin(), chunks_.end(),
                     [](const Chunk& chunk) { return chunk.tally.is_complete(); });
}

std::set<NodeId> PutProgress::Holders() const {
  MutexLock lock(&mutex_);
  std::set<NodeId> holders;
  for (const auto& chunk : chunks_) {
    for (const auto& [node, copy] : chunk.copies) holders.insert(node);
  }
  return holders;
}

void PutProgress::BeginRelinks(const TxnId& fresh) {
  MutexLock lock(&mutex_);
  relinked_to_ = fresh;
  relinks_asked_.clear();
  relinks_failed_.clear();
  relinks_open_ = 0;
}

PutProgress::Relinks PutProgress::TakeRelinks() {
  MutexLock lock(&mutex_);
  Relinks relinks;
  for (std::uint32_t k = 0; k < chunks_.size(); ++k) {
    const Chunk& chunk = chunks_[k];
    for (const auto& [node, copy] : chunk.copies) {
      if (copy.under == relinked_to_ || !relinks_asked_.emplace(node, k).second) continue;
      relinks[node].push_back(
          {ChunkId{copy.under, k}, ChunkId{relinked_to_, k}, chunk.size, chunk.hash});
    }
  }
  relinks_open_ += relinks.size();
  return relinks;
}

void PutProgress::RecordRelinked(NodeId node, const TxnId& fresh,
                                 const std::vector<chunk::Relink>& items,
                                 const absl::StatusOr<rpc::Ack>& answer) {
  std::vector<rpc::ReplicaChange> late;
  {
    MutexLock lock(&mutex_);
    // The put has begun again since: another relink was asked of this node.
    if (relinked_to_ != fresh) return;
    --relinks_open_;
    if (!answer.ok()) relinks_failed_.insert(node);
    for (const auto& item : items) {
      if (!answer.ok()) break;
      chunks_[item.to.index].copies[node] = {*answer, fresh};
      if (committed_under_ == fresh) late.push_back(LateCopyLocked(item.to.index, *answer));
    }
    NotifyLocked();
  }
  for (auto& change : late) leader_->ReportReplica(std::move(change));
  LOG_IF(INFO, !answer.ok()) << "node " << node << " did not relink for " << fresh << ": "
                             << answer.status();
}

PutProgress::RelinkState PutProgress::StateOfRelinks(std::size_t quorum) const {
  MutexLock lock(&mutex_);
  const TxnId fresh = relinked_to_;
  const auto poor = std::find_if(chunks_.begin(), chunks_.end(), [&](const Chunk& chunk) {
    return chunk.CopiesUnder(fresh) < quorum;
  });
  RelinkState state;
  state.is_enough = poor == chunks_.end();
  // A copy that is still on its way may make up for a holder that is gone.
  state.is_hopeless = !state.is_enough && poor->tally.is_complete() && relinks_open_ == 0;
  state.open = relinks_open_;
  state.failed = relinks_failed_;
  return state;
}

void PutProgress::AddChunksTo(const std::vector<NodeId>& set, rpc::CommitPut* put) const {
  const TxnId txn = FromWire(put->txn());
  MutexLock lock(&mutex_);
  for (const auto& chunk : chunks_) {
    rpc::CommitChunk& out = *put->add_chunks();
    out.set_size(chunk.size);
    *out.mutable_hash() = ToWire(chunk.hash);
    std::set<NodeId> named;
    const auto name = [&](NodeId node) {
      if (named.insert(node).second) out.add_set(node.value());
    };
    for (const auto& [node, copy] : chunk.copies) {
      if (copy.under != txn) continue;
      *out.add_acks() = copy.ack;
      name(node);
    }
    for (const NodeId node : chunk.asked) name(node);
    for (const NodeId node : set) name(node);
  }
}

void PutProgress::Commit(const TxnId& txn, std::uint32_t replicas) {
  std::vector<rpc::ReplicaChange> late;
  {
    MutexLock lock(&mutex_);
    committed_under_ = txn;
    // Those that came between the making of CommitPut and now; telling one twice does no harm.
    for (std::uint32_t k = 0; k < chunks_.size(); ++k) {
      const Chunk& chunk = chunks_[k];
      if (chunk.CopiesUnder(txn) <= replicas) continue;
      for (const auto& [node, copy] : chunk.copies) {
        if (copy.under == txn) late.push_back(LateCopyLocked(k, copy.ack));
      }
    }
  }
  for (auto& change : late) leader_->ReportReplica(std::move(change));
}

bool PutProgress::is_committed() const {
  MutexLock lock(&mutex_);
  return !committed_under_.is_none();
}

}  // namespace dfs::coordinator
