#include "server/coordinator/put_operation.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::coordinator {
namespace {

// Bytes that the W-th fastest replica may lag before the client is slowed down, and how far behind it another may
// fall before it is cut off (rule R12).
constexpr std::size_t kBacklogMax = std::size_t{8} << 20;
constexpr std::size_t kCutOffBytes = std::size_t{32} << 20;
// Chunks that are written and not yet acknowledged by W.
constexpr std::size_t kChunksInFlight = 2;
constexpr std::size_t kChunksMax = 4'096;  // of a file: 256 GiB
constexpr int kAttemptsMax = 8;            // of CommitPut, after REBEGIN
constexpr absl::Duration kBeginAgainPause = absl::Milliseconds(20);  // times the number of attempts
// How long the third copy of a small put is waited for; of a large one, a share of the time it took so far.
constexpr absl::Duration kSmallGrace = absl::Milliseconds(1);
constexpr int kLargeGraceShare = 10;
constexpr absl::Duration kLargeGraceMax = absl::Milliseconds(500);

absl::Status BadChecksum(std::string_view what) {
  return ErrorWithReason(absl::StatusCode::kDataLoss, what, api::ErrorDetail::BAD_CHECKSUM);
}

}  // namespace

struct PutOperation::Shared {
  struct Held {
    rpc::Ack ack;
    TxnId under;  // the transaction that the copy counts for at its node
  };
  struct Chunk {
    QuorumTally tally;
    std::uint64_t size = 0;
    Hash128 hash;
    std::map<NodeId, Held> copies;
    std::vector<NodeId> asked;

    [[nodiscard]] std::size_t CopiesUnder(const TxnId& txn) const {
      return static_cast<std::size_t>(std::count_if(
          copies.begin(), copies.end(), [&](const auto& copy) { return copy.second.under == txn; }));
    }
  };
  Mutex mutex;
  CondVar changed;
  std::vector<Chunk> chunks ABSL_GUARDED_BY(mutex);
  // The transaction that the bytes are written for; set before the first is.
  TxnId written_under;
  // The one that the put was committed with, once it is: copies that CommitPut did not name and that count for it are
  // reported to the leader one by one from then on.
  TxnId committed_under ABSL_GUARDED_BY(mutex);
  leader::LeaderClient* leader = nullptr;
  // Rule R14, of the transaction begun last: which (node, chunk) were asked to relink, how many nodes have not
  // answered, which refused.
  TxnId relinked_to ABSL_GUARDED_BY(mutex);
  std::set<std::pair<NodeId, std::uint32_t>> relinks_asked ABSL_GUARDED_BY(mutex);
  std::size_t relinks_open ABSL_GUARDED_BY(mutex) = 0;
  std::set<NodeId> relinks_failed ABSL_GUARDED_BY(mutex);

  void Notify() ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(&mutex);
    changed.SignalAll();
  }

  // A copy that counts for the transaction that the put was committed with.
  rpc::ReplicaChange LateCopy(std::size_t index, const rpc::Ack& ack)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    rpc::ReplicaChange change;
    *change.mutable_chunk() = ToWire(ChunkId{committed_under, static_cast<std::uint32_t>(index)});
    *change.mutable_hash() = ToWire(chunks[index].hash);
    *change.mutable_ack() = ack;
    change.set_state(api::OK);
    return change;
  }

  void RecordAnswer(std::size_t index, NodeId node, const absl::StatusOr<rpc::Ack>& answer)
      ABSL_LOCKS_EXCLUDED(mutex) {
    std::optional<rpc::ReplicaChange> late;
    {
      MutexLock lock(&mutex);
      Chunk& chunk = chunks[index];
      if (answer.ok()) {
        chunk.tally.RecordAcknowledged(node);
        chunk.copies[node] = {*answer, written_under};
        if (committed_under == written_under) late = LateCopy(index, *answer);
      } else {
        LOG(INFO) << "replica on node " << node << " of " << written_under << "/" << index
                  << " not written: " << answer.status();
        chunk.tally.RecordRefused(node);
      }
      changed.SignalAll();
    }
    if (late) leader->ReportReplica(*std::move(late));
  }

  void RecordRelinked(NodeId node, const TxnId& fresh, const std::vector<chunk::Relink>& items,
                      const absl::StatusOr<rpc::Ack>& answer) ABSL_LOCKS_EXCLUDED(mutex) {
    std::vector<rpc::ReplicaChange> late;
    {
      MutexLock lock(&mutex);
      // The put has begun again since: another relink was asked of this node.
      if (relinked_to != fresh) return;
      --relinks_open;
      if (!answer.ok()) {
        LOG(INFO) << "node " << node << " did not relink for " << fresh << ": " << answer.status();
        relinks_failed.insert(node);
      }
      for (const auto& item : items) {
        if (!answer.ok()) break;
        chunks[item.to.index].copies[node] = {*answer, fresh};
        if (committed_under == fresh) late.push_back(LateCopy(item.to.index, *answer));
      }
      changed.SignalAll();
    }
    for (auto& change : late) leader->ReportReplica(std::move(change));
  }
};

struct PutOperation::OpenChunk {
  std::uint32_t index = 0;
  BlockChecksums sums;
  std::vector<std::pair<NodeId, std::shared_ptr<ReplicaWriter>>> writers;
};

PutOperation::PutOperation(const Parts& parts)
    : parts_(parts), started_(parts.clock->Now()), shared_(std::make_shared<Shared>()) {
  shared_->leader = parts.leader;
}

PutOperation::~PutOperation() {
  if (open_chunk_ != nullptr) {
    for (auto& [node, writer] : open_chunk_->writers) writer->Cancel();
  }
  if (has_txn_) {
    bool is_committed = false;
    {
      MutexLock lock(&shared_->mutex);
      is_committed = !shared_->committed_under.is_none();
    }
    parts_.leader->Done(FromWire(txn_.txn()), is_committed);
  }
}

absl::Status PutOperation::Begin(const api::PutHeader& header) {
  if (const absl::Status name = metadata::CheckName(header.name()); !name.ok()) {
    return ErrorWithReason(absl::StatusCode::kInvalidArgument, std::string(name.message()),
                           api::ErrorDetail::BAD_NAME);
  }
  DFS_RETURN_IF_ERROR(CheckRequestId(header.request_id()));
  view_ = parts_.machine->View();
  DFS_ASSIGN_OR_RETURN(bucket_, FindBucket(*view_, header.bucket()));
  quorum_ = static_cast<std::size_t>(
      std::min<std::uint64_t>(bucket_.write_quorum(), view_->member_count()));
  header_ = header;
  return absl::OkStatus();
}

absl::Status PutOperation::BeginTransaction() {
  DFS_ASSIGN_OR_RETURN(txn_,
                       parts_.leader->Begin(BucketId(bucket_.id()), {}, {}, kQuorumTimeout));
  has_txn_ = true;
  shared_->written_under = FromWire(txn_.txn());
  for (const std::uint32_t node : txn_.replicas()) targets_.emplace_back(node);
  for (const std::uint32_t node : txn_.spares()) spares_.emplace_back(node);
  return absl::OkStatus();
}

absl::Status PutOperation::Append(const Slices& data, std::uint32_t crc) {
  received_bytes_ += data.size();
  if (header_.has_size() && received_bytes_ > header_.size()) {
    return ErrorWithReason(absl::StatusCode::kInvalidArgument,
                           absl::StrCat("more bytes than the ", header_.size(), " announced"),
                           api::ErrorDetail::SIZE_MISMATCH);
  }
  for (const auto& piece : data.pieces()) content_.Update(piece.begin(), piece.size());
  content_crc_ = CombineCrc32c(content_crc_, crc, data.size());
  if (is_large_) return Split(data, crc);

  if (small_.size() + data.size() > chunk::kSmallBytesMax) {
    is_large_ = true;
    DFS_RETURN_IF_ERROR(BeginTransaction());
    for (auto& [piece, piece_crc] : std::exchange(small_pieces_, {})) {
      DFS_RETURN_IF_ERROR(Split(piece, piece_crc));
    }
    small_.Clear();
    return Split(data, crc);
  }
  std::uint32_t actual = 0;
  for (const auto& piece : data.pieces()) {
    actual = CombineCrc32c(actual, small_sums_.UpdateAndCrc(piece.begin(), piece.size()),
                           piece.size());
  }
  if (actual != crc) return BadChecksum("data does not match its crc32c");
  small_.Append(data);
  small_pieces_.emplace_back(data, crc);
  return absl::OkStatus();
}

// Cuts the bytes at the borders of chunks and hands them to the replicas. A wrong checksum is found before
// the last part is handed on, and fails the put.
absl::Status PutOperation::Split(const Slices& data, std::uint32_t crc) {
  std::uint32_t message_crc = 0;
  std::size_t at = 0;
  while (at < data.size()) {
    if (open_chunk_ == nullptr) {
      if (const std::size_t index = [&] {
            MutexLock lock(&shared_->mutex);
            return shared_->chunks.size();
          }();
          index >= kChunksMax) {
        return absl::OutOfRangeError("file too large: at most 256 GiB");
      } else if (index >= kChunksInFlight) {
        DFS_RETURN_IF_ERROR(WaitForChunk(index - kChunksInFlight, kProgressTimeout));
      }
      OpenNextChunk();
    }
    const std::uint64_t room = chunk::kChunkBytesMax - open_chunk_->sums.length();
    const std::size_t part =
        static_cast<std::size_t>(std::min<std::uint64_t>(data.size() - at, room));
    Slices bytes = data.Range(at, part);
    std::uint32_t part_crc = 0;
    for (const auto& piece : bytes.pieces()) {
      part_crc = CombineCrc32c(part_crc, open_chunk_->sums.UpdateAndCrc(piece.begin(), piece.size()),
                               piece.size());
    }
    message_crc = CombineCrc32c(message_crc, part_crc, part);
    at += part;
    if (at == data.size() && message_crc != crc) {
      return BadChecksum("data does not match its crc32c");
    }
    for (auto& [node, writer] : open_chunk_->writers) writer->Enqueue(bytes, part_crc);
    if (open_chunk_->sums.length() == chunk::kChunkBytesMax) SealChunk();
    DFS_RETURN_IF_ERROR(WaitForRoom());
  }
  return absl::OkStatus();
}

void PutOperation::OpenNextChunk() {
  auto open = std::make_unique<OpenChunk>();
  std::vector<NodeId> nodes;
  {
    MutexLock lock(&shared_->mutex);
    open->index = static_cast<std::uint32_t>(shared_->chunks.size());
    // A replica that failed earlier chunks gives its place to a spare.
    if (!shared_->chunks.empty()) {
      for (NodeId& target : targets_) {
        const auto& last = shared_->chunks.back();
        if (last.tally.refused().contains(target) && !spares_.empty()) {
          target = spares_.front();
          spares_.erase(spares_.begin());
        }
      }
    }
    shared_->chunks.emplace_back();
    auto& chunk = shared_->chunks.back();
    chunk.tally = QuorumTally(quorum_);
    for (const NodeId node : targets_) chunk.tally.AddCandidate(node);
    chunk.asked = targets_;
    nodes = targets_;
  }
  const ChunkId id{FromWire(txn_.txn()), open->index};
  for (const NodeId node : nodes) {
    auto sink = node == parts_.self
                    ? MakeLocalSink(parts_.store, id, parts_.own_ack)
                    : MakeRemoteSink(parts_.peers, node, id, kProgressTimeout);
    open->writers.emplace_back(
        node, std::make_shared<ReplicaWriter>(
                  std::move(sink), parts_.pool, [shared = shared_] { shared->Notify(); },
                  [shared = shared_, index = open->index, node](absl::StatusOr<rpc::Ack> answer) {
                    shared->RecordAnswer(index, node, answer);
                  }));
  }
  open_chunk_ = std::move(open);
}

void PutOperation::SealChunk() {
  const auto table = open_chunk_->sums.Table();
  const std::uint64_t size = open_chunk_->sums.length();
  const Hash128 hash = BlockChecksums::HashOf(size, table);
  {
    MutexLock lock(&shared_->mutex);
    auto& chunk = shared_->chunks[open_chunk_->index];
    chunk.size = size;
    chunk.hash = hash;
  }
  for (auto& [node, writer] : open_chunk_->writers) writer->Seal(size, hash);
  open_chunk_.reset();
}

absl::Status PutOperation::WaitForRoom() {
  if (open_chunk_ == nullptr) return absl::OkStatus();
  auto& writers = open_chunk_->writers;
  MonotonicTime give_up = parts_.clock->Now() + kProgressTimeout;
  std::size_t last_backlog = SIZE_MAX;
  while (true) {
    // The backlog of those that still take part, the fastest first.
    std::vector<std::size_t> backlogs;
    {
      MutexLock lock(&shared_->mutex);
      const auto& tally = shared_->chunks[open_chunk_->index].tally;
      if (tally.verdict() == QuorumTally::Verdict::kLost) break;
      for (const auto& [node, writer] : writers) {
        if (!tally.refused().contains(node)) backlogs.push_back(writer->backlog_bytes());
      }
      std::sort(backlogs.begin(), backlogs.end());
      const std::size_t slowest_needed = quorum_ == 0 ? 0 : backlogs[quorum_ - 1];
      for (const auto& [node, writer] : writers) {
        if (writer->backlog_bytes() > slowest_needed + kCutOffBytes) writer->Cancel();
      }
      if (slowest_needed <= kBacklogMax) return absl::OkStatus();
      if (slowest_needed < last_backlog) give_up = parts_.clock->Now() + kProgressTimeout;
      last_backlog = slowest_needed;
      shared_->changed.WaitFor(&shared_->mutex, absl::Seconds(1));
    }
    if (parts_.clock->Now() > give_up) break;
  }
  return LostQuorum(open_chunk_->index);
}

absl::Status PutOperation::LostQuorum(std::size_t index) {
  std::vector<NodeId> missing;
  {
    MutexLock lock(&shared_->mutex);
    const auto& tally = shared_->chunks[index].tally;
    // Those that refused, or, when time ran out, those that did not answer.
    const bool is_lost = tally.verdict() == QuorumTally::Verdict::kLost;
    for (const NodeId node : shared_->chunks[index].asked) {
      if (is_lost ? tally.refused().contains(node) : !tally.acknowledged().contains(node)) {
        missing.push_back(node);
      }
    }
  }
  return NoQuorum(*view_,
                  absl::StrCat("put needs ", quorum_, " durable copies; nothing was stored"),
                  missing);
}

absl::Status PutOperation::WaitForChunk(std::size_t index, absl::Duration timeout) {
  const MonotonicTime end = parts_.clock->Now() + timeout;
  bool is_lost = false;
  while (!is_lost) {
    MutexLock lock(&shared_->mutex);
    const auto verdict = shared_->chunks[index].tally.verdict();
    if (verdict == QuorumTally::Verdict::kReached) return absl::OkStatus();
    const absl::Duration left = end - parts_.clock->Now();
    is_lost = verdict == QuorumTally::Verdict::kLost || left <= absl::ZeroDuration();
    if (!is_lost) shared_->changed.WaitFor(&shared_->mutex, left);
  }
  return LostQuorum(index);
}

absl::StatusOr<api::PutResponse> PutOperation::Finish(const api::PutFinish& finish) {
  if (finish.size() != received_bytes_ ||
      (header_.has_size() && header_.size() != received_bytes_)) {
    return ErrorWithReason(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat("announced ", header_.has_size() ? header_.size() : finish.size(),
                     " bytes, finished at ", finish.size(), ", received ", received_bytes_),
        api::ErrorDetail::SIZE_MISMATCH);
  }
  if (finish.crc32c() != content_crc_) return BadChecksum("the file does not match its crc32c");
  if (is_large_) {
    DFS_RETURN_IF_ERROR(StoreRest());
  } else {
    DFS_RETURN_IF_ERROR(BeginTransaction());
    if (received_bytes_ > 0) DFS_RETURN_IF_ERROR(StoreSmall());
  }
  return Commit();
}

void PutOperation::AskReplica(std::size_t index, NodeId node, const chunk::ChunkInfo& info,
                              const Slices& data) {
  auto done = [shared = shared_, index, node](absl::StatusOr<rpc::Ack> answer) {
    shared->RecordAnswer(index, node, answer);
  };
  if (node == parts_.self) {
    parts_.small_writes->Write(info, data, std::move(done));
  } else {
    parts_.peers->WriteSmall(node, info, data, kQuorumTimeout, std::move(done));
  }
}

absl::Status PutOperation::StoreSmall() {
  const auto table = small_sums_.Table();
  const chunk::ChunkInfo info{ChunkId{FromWire(txn_.txn()), 0}, received_bytes_,
                              BlockChecksums::HashOf(received_bytes_, table)};
  {
    MutexLock lock(&shared_->mutex);
    shared_->chunks.emplace_back();
    auto& chunk = shared_->chunks.back();
    chunk.size = info.size;
    chunk.hash = info.hash;
    chunk.tally = QuorumTally(quorum_);
    for (const NodeId node : targets_) chunk.tally.AddCandidate(node);
    chunk.asked = targets_;
  }
  for (const NodeId node : targets_) AskReplica(0, node, info, small_);
  const MonotonicTime end = parts_.clock->Now() + kQuorumTimeout;
  std::size_t refused_before = 0;
  while (true) {
    std::optional<NodeId> spare;
    {
      MutexLock lock(&shared_->mutex);
      auto& chunk = shared_->chunks[0];
      if (chunk.tally.verdict() == QuorumTally::Verdict::kReached) break;
      if (chunk.tally.refused().size() > refused_before && !spares_.empty()) {
        ++refused_before;
        spare = spares_.front();
        spares_.erase(spares_.begin());
        chunk.tally.AddCandidate(*spare);
        chunk.asked.push_back(*spare);
      } else {
        const absl::Duration left = end - parts_.clock->Now();
        if (chunk.tally.verdict() == QuorumTally::Verdict::kLost || left <= absl::ZeroDuration()) {
          spare = NodeId();
        } else {
          shared_->changed.WaitFor(&shared_->mutex, left);
          continue;
        }
      }
    }
    if (spare->is_none()) return LostQuorum(0);
    AskReplica(0, *spare, info, small_);
  }
  WaitForLastCopies(kSmallGrace);
  return absl::OkStatus();
}

absl::Status PutOperation::StoreRest() {
  if (open_chunk_ != nullptr) SealChunk();
  const std::size_t count = [&] {
    MutexLock lock(&shared_->mutex);
    return shared_->chunks.size();
  }();
  for (std::size_t i = 0; i < count; ++i) {
    DFS_RETURN_IF_ERROR(WaitForChunk(i, kProgressTimeout));
  }
  WaitForLastCopies(
      std::min((parts_.clock->Now() - started_) / kLargeGraceShare, kLargeGraceMax));
  return absl::OkStatus();
}

void PutOperation::WaitForLastCopies(absl::Duration grace) {
  const MonotonicTime end = parts_.clock->Now() + grace;
  MutexLock lock(&shared_->mutex);
  while (true) {
    const bool all = std::all_of(shared_->chunks.begin(), shared_->chunks.end(),
                                 [](const auto& chunk) { return chunk.tally.is_complete(); });
    const absl::Duration left = end - parts_.clock->Now();
    if (all || left <= absl::ZeroDuration()) return;
    shared_->changed.WaitFor(&shared_->mutex, left);
  }
}

rpc::Command PutOperation::MakeCommit() const {
  rpc::Command command;
  rpc::CommitPut& put = *command.mutable_commit_put();
  *put.mutable_request_id() = header_.request_id();
  *put.mutable_txn() = txn_.txn();
  put.set_bucket_id(bucket_.id());
  put.set_name(header_.name());
  put.set_size(received_bytes_);
  put.set_crc32c(content_crc_);
  *put.mutable_content_hash() = ToWire(content_.Digest());
  if (header_.has_if_version()) put.set_if_version(header_.if_version());
  MutexLock lock(&shared_->mutex);
  for (const auto& chunk : shared_->chunks) {
    rpc::CommitChunk& out = *put.add_chunks();
    out.set_size(chunk.size);
    *out.mutable_hash() = ToWire(chunk.hash);
    std::set<std::uint32_t> named;
    const auto name = [&](std::uint32_t node) {
      if (named.insert(node).second) out.add_set(node);
    };
    for (const auto& [node, copy] : chunk.copies) {
      const bool counts = copy.under == FromWire(txn_.txn());
      if (!counts && !DFS_MUTANT(814, "copies count that were not relinked (rule R14)")) continue;
      *out.add_acks() = copy.ack;
      name(node.value());
    }
    for (const NodeId node : chunk.asked) name(node.value());
    for (const std::uint32_t node : txn_.set()) name(node);
  }
  if (shared_->chunks.empty()) *put.mutable_empty_set() = txn_.set();
  return command;
}

absl::StatusOr<api::PutResponse> PutOperation::Commit() {
  const MonotonicTime end = parts_.clock->Now() + kQuorumTimeout;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const absl::Duration left = end - parts_.clock->Now();
    if (left <= absl::ZeroDuration()) break;
    const auto result = parts_.leader->Submit(MakeCommit(), left);
    if (!result.ok() && DFS_MUTANT(815, "an unknown outcome is told as a failure (rule R15)")) {
      return NoQuorum(*view_, "nothing was stored", {});
    }
    if (!result.ok()) return result.status();
    if (result->code() != rpc::CommandResult::REBEGIN) return Answer(*result);
    LOG(INFO) << "put of " << header_.request_id().sequence() << " begins again: "
              << result->message();
    DFS_RETURN_IF_ERROR(BeginAgain());
    // A node that just restarted must be registered first, which takes a round of the log.
    MutexLock lock(&shared_->mutex);
    shared_->changed.WaitFor(&shared_->mutex, attempt * kBeginAgainPause);
  }
  return NoQuorum(*view_, "the put was begun again too often; nothing was stored", {});
}

// Rule R14: a new transaction, with the nodes that hold the bytes, which make them count for it.
absl::Status PutOperation::BeginAgain() {
  std::set<NodeId> holders;
  {
    MutexLock lock(&shared_->mutex);
    for (const auto& chunk : shared_->chunks) {
      for (const auto& [node, copy] : chunk.copies) holders.insert(node);
    }
  }
  parts_.leader->Done(FromWire(txn_.txn()), false);
  has_txn_ = false;
  DFS_ASSIGN_OR_RETURN(txn_, parts_.leader->Begin(BucketId(bucket_.id()), {},
                                                  {holders.begin(), holders.end()},
                                                  kQuorumTimeout));
  has_txn_ = true;
  {
    MutexLock lock(&shared_->mutex);
    shared_->relinked_to = FromWire(txn_.txn());
    shared_->relinks_asked.clear();
    shared_->relinks_failed.clear();
    shared_->relinks_open = 0;
  }
  return AwaitRelinks(parts_.clock->Now() + kQuorumTimeout);
}

// Until every chunk has W copies that count for the present transaction; then a moment for the rest.
absl::Status PutOperation::AwaitRelinks(MonotonicTime end) {
  const TxnId fresh = FromWire(txn_.txn());
  std::optional<MonotonicTime> grace_end;
  while (true) {
    RelinkCopies();
    MutexLock lock(&shared_->mutex);
    const auto poor = std::find_if(
        shared_->chunks.begin(), shared_->chunks.end(), [&](const Shared::Chunk& chunk) {
          return chunk.CopiesUnder(fresh) < quorum_;
        });
    const MonotonicTime now = parts_.clock->Now();
    const bool is_enough = poor == shared_->chunks.end();
    if (is_enough && !grace_end) grace_end = now + kSmallGrace;
    if (is_enough && (shared_->relinks_open == 0 || now >= *grace_end)) return absl::OkStatus();
    if (!is_enough) {
      // A copy that is still on its way may make up for a holder that is gone.
      const bool is_hopeless = poor->tally.is_complete() && shared_->relinks_open == 0;
      if (is_hopeless || now >= end) {
        return NoQuorum(*view_, "too few nodes still hold the bytes; nothing was stored",
                        {shared_->relinks_failed.begin(), shared_->relinks_failed.end()});
      }
    }
    shared_->changed.WaitFor(&shared_->mutex, (is_enough ? *grace_end : end) - now);
  }
}

// Asks the holders of copies that count for an older transaction to make them count for the present one. Blocks for
// this node's own disk only: a holder that hangs must not hold up the others.
void PutOperation::RelinkCopies() {
  const TxnId fresh = FromWire(txn_.txn());
  std::map<NodeId, std::vector<chunk::Relink>> relinks;
  {
    MutexLock lock(&shared_->mutex);
    for (std::uint32_t k = 0; k < shared_->chunks.size(); ++k) {
      const auto& chunk = shared_->chunks[k];
      for (const auto& [node, copy] : chunk.copies) {
        if (copy.under == fresh || !shared_->relinks_asked.emplace(node, k).second) continue;
        relinks[node].push_back({ChunkId{copy.under, k}, ChunkId{fresh, k}, chunk.size, chunk.hash});
      }
    }
    shared_->relinks_open += relinks.size();
  }
  for (const auto& [node, items] : relinks) {
    if (node == parts_.self) continue;
    auto done = [shared = shared_, node = node, fresh, items = items](
                    const absl::StatusOr<rpc::Ack>& answer) {
      shared->RecordRelinked(node, fresh, items, answer);
    };
    if (parts_.is_usable(node)) {
      parts_.peers->RelinkAll(node, items, kQuorumTimeout, std::move(done));
    } else {
      done(absl::UnavailableError("not reachable"));
    }
  }
  if (const auto own = relinks.find(parts_.self); own != relinks.end()) {
    absl::StatusOr<rpc::Ack> ack = parts_.own_ack();
    const absl::Status relinked = parts_.store->RelinkAll(own->second);
    if (!relinked.ok()) ack = relinked;
    shared_->RecordRelinked(parts_.self, fresh, own->second, ack);
  }
}

absl::StatusOr<api::PutResponse> PutOperation::Answer(const rpc::CommandResult& result) {
  DFS_RETURN_IF_ERROR(StatusOf(result));
  std::vector<rpc::ReplicaChange> late;
  {
    MutexLock lock(&shared_->mutex);
    shared_->committed_under = FromWire(txn_.txn());
    // Those that came between the making of CommitPut and now are told now; telling one twice does no harm.
    for (std::size_t k = 0; k < shared_->chunks.size(); ++k) {
      const auto& chunk = shared_->chunks[k];
      if (chunk.CopiesUnder(shared_->committed_under) <= result.replicas()) continue;
      for (const auto& [node, copy] : chunk.copies) {
        if (copy.under != shared_->committed_under) continue;
        late.push_back(shared_->LateCopy(k, copy.ack));
      }
    }
  }
  for (auto& change : late) parts_.leader->ReportReplica(std::move(change));
  api::PutResponse response;
  *response.mutable_info() = InfoOf(result.version(), bucket_);
  response.mutable_info()->set_chunks(static_cast<std::uint32_t>(
      (received_bytes_ + chunk::kChunkBytesMax - 1) / chunk::kChunkBytesMax));
  response.mutable_info()->set_replicas_ok(result.replicas());
  response.set_replicas(result.replicas());
  return response;
}

}  // namespace dfs::coordinator
