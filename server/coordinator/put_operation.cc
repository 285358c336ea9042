#include "server/coordinator/put_operation.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"
#include "server/chunk/chunk_copy.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::coordinator {
namespace {

// Bytes that the W-th fastest replica may lag before the client is slowed down, and how far behind it another may
// fall before it is cut off (rule R12). All chunks of the put count.
constexpr std::size_t kBacklogMax = std::size_t{4} << 20;
constexpr std::size_t kCutOffBytes = std::size_t{32} << 20;
// While the puts of this node have more than this in their queues together, nobody may fall further behind the W-th
// fastest than it may lag itself, and nothing stays queued beyond the end of its put.
constexpr std::size_t kQueuedBytesMax = std::size_t{128} << 20;
// Chunks that are written and not yet acknowledged by W.
constexpr std::uint32_t kChunksInFlight = 2;
constexpr std::uint32_t kChunksMax = 4'096;  // of a file: 256 GiB
// For a spare's copy of a whole chunk, from a replica's disk to its own.
constexpr absl::Duration kCopyTimeout = absl::Seconds(30);
constexpr int kAttemptsMax = 8;            // of CommitPut, after REBEGIN
// Replicas and spares end by themselves when they make no progress; so much later those are given up that do not.
constexpr absl::Duration kGiveUpMargin = absl::Seconds(1);
constexpr absl::Duration kBeginAgainPause = absl::Milliseconds(20);  // times the number of attempts
// How long the third copy of a small put is waited for; of a large one, a share of the time it took so far.
constexpr absl::Duration kSmallGrace = absl::Milliseconds(1);
constexpr int kLargeGraceShare = 10;
constexpr absl::Duration kLargeGraceMax = absl::Milliseconds(500);

absl::Status BadChecksum(std::string_view what) {
  return ErrorWithReason(absl::StatusCode::kDataLoss, what, api::ErrorDetail::BAD_CHECKSUM);
}

absl::StatusOr<rpc::Ack> CopyThere(chunk::ChunkPeers* peers, NodeId node,
                                   const chunk::ChunkInfo& info,
                                   const std::vector<NodeId>& sources) {
  rpc::CopyChunkRequest request;
  *request.mutable_chunk() = ToWire(info.id);
  request.set_size(info.size);
  *request.mutable_hash() = ToWire(info.hash);
  for (const NodeId source : sources) request.add_sources(source.value());
  DFS_ASSIGN_OR_RETURN(const rpc::ChunkAck ack, peers->Copy(node, request, kCopyTimeout));
  if (ack.size() != info.size || HashFromWire(ack.hash()) != info.hash) {
    return absl::DataLossError("the spare acknowledged other bytes than it was to copy");
  }
  return ack.ack();
}

absl::StatusOr<rpc::Ack> CopyHere(chunk::ChunkStore* store, chunk::ChunkPeers* peers,
                                  const chunk::ChunkInfo& info, const std::vector<NodeId>& sources,
                                  const std::function<rpc::Ack()>& own_ack) {
  DFS_RETURN_IF_ERROR(chunk::CopyChunk(store, peers, info, sources).status());
  return own_ack();
}

}  // namespace

struct PutOperation::OpenChunk {
  std::uint32_t index = 0;
  BlockChecksums sums;
  std::vector<std::pair<NodeId, std::shared_ptr<ReplicaWriter>>> writers;
};

PutOperation::PutOperation(const Parts& parts, PhaseTimer* phases)
    : parts_(parts),
      phases_(phases),
      started_(parts.clock->Now()),
      progress_(std::make_shared<PutProgress>(parts.leader)) {}

PutOperation::~PutOperation() {
  if (open_chunk_ != nullptr) {
    for (auto& [node, writer] : open_chunk_->writers) writer->Cancel();
  }
  // A copy that is late is worth finishing only if the put happened.
  const bool has_room = *parts_.queued_bytes <= kQueuedBytesMax;
  for (auto& [node, writer] : sealed_) {
    if (!progress_->is_committed() || (!has_room && writer->backlog_bytes() > 0)) writer->Cancel();
  }
  if (has_txn_) parts_.leader->Done(FromWire(txn_.txn()), progress_->is_committed());
}

absl::Status PutOperation::Begin(const api::PutHeader& header) {
  const InPhase phase(phases_, Phase::kBegin);
  DFS_RETURN_IF_ERROR(CheckFileName(header.name()));
  DFS_RETURN_IF_ERROR(CheckRequestId(header.request_id()));
  if (header.if_absent() && header.if_version() != 0) {
    return absl::InvalidArgumentError("if_absent and if_version contradict each other");
  }
  if (const absl::Status writer = metadata::CheckWriter(header.writer()); !writer.ok()) {
    return writer;
  }
  DFS_ASSIGN_OR_RETURN(bucket_, FindBucketOfChange(parts_, header.bucket()));
  view_ = parts_.machine->View();  // that has the bucket, and so its members
  quorum_ = metadata::EffectiveWriteQuorum(bucket_, view_->member_count());
  header_ = header;
  return absl::OkStatus();
}

absl::Status PutOperation::BeginTransaction() {
  const InPhase phase(phases_, Phase::kBegin);
  auto txn = parts_.leader->Begin(BucketId(bucket_.id()), {}, {}, kQuorumTimeout);
  if (absl::IsNotFound(txn.status())) return BucketIsGone();
  if (!txn.ok()) return txn.status();
  txn_ = *std::move(txn);
  has_txn_ = true;
  progress_->WriteUnder(FromWire(txn_.txn()));
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
      const std::uint32_t index = progress_->chunk_count();
      if (index >= kChunksMax) return absl::OutOfRangeError("file too large: at most 256 GiB");
      if (index >= kChunksInFlight) {
        const InPhase phase(phases_, Phase::kQueue);
        DFS_RETURN_IF_ERROR(WaitForChunk(index - kChunksInFlight));
      }
      OpenNextChunk();
    }
    const std::uint64_t room = parts_.chunk_bytes - open_chunk_->sums.length();
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
    if (open_chunk_->sums.length() == parts_.chunk_bytes) SealChunk();
    DFS_RETURN_IF_ERROR(WaitForRoom());
  }
  return absl::OkStatus();
}

void PutOperation::OpenNextChunk() {
  // A replica that failed the last chunk gives its place to a spare.
  if (const std::uint32_t count = progress_->chunk_count(); count > 0) {
    const QuorumTally last = progress_->TallyOf(count - 1);
    for (NodeId& target : targets_) {
      if (last.refused().contains(target)) target = TakeSpare().value_or(target);
    }
  }
  auto open = std::make_unique<OpenChunk>();
  open->index = progress_->AddChunk(quorum_, targets_);
  const ChunkId id{FromWire(txn_.txn()), open->index};
  for (const NodeId node : targets_) {
    auto sink = node == parts_.self
                    ? MakeLocalSink(parts_.store, id, parts_.own_ack)
                    : MakeRemoteSink(parts_.peers, node, id, parts_.progress_timeout);
    open->writers.emplace_back(
        node, std::make_shared<ReplicaWriter>(
                  std::move(sink), parts_.pool, parts_.queued_bytes,
                  [progress = progress_] { progress->Notify(); },
                  [progress = progress_, index = open->index,
                   node](const absl::StatusOr<rpc::Ack>& answer) {
                    progress->RecordAnswer(index, node, answer);
                  }));
  }
  open_chunk_ = std::move(open);
}

std::optional<NodeId> PutOperation::TakeSpare() {
  while (!spares_.empty()) {
    const NodeId spare = spares_.front();
    spares_.erase(spares_.begin());
    if (parts_.is_usable(spare)) return spare;
  }
  return std::nullopt;
}

// Adds a spare to a chunk that too many of its replicas refused. It has missed the chunk's bytes and copies them from a
// replica's disk; the chunks that follow are sent to it. False: there is none left.
bool PutOperation::Reinforce(std::uint32_t index) {
  const QuorumTally tally = progress_->TallyOf(index);
  // One that took over in another chunk already, before another.
  const auto taken = std::find_if(targets_.begin(), targets_.end(), [&](NodeId target) {
    return !tally.candidates().contains(target);
  });
  std::optional<NodeId> spare;
  if (taken != targets_.end()) {
    spare = *taken;
  } else {
    spare = TakeSpare();
    if (!spare) return false;
    const auto broken = std::find_if(targets_.begin(), targets_.end(), [&](NodeId target) {
      return tally.refused().contains(target);
    });
    if (broken != targets_.end()) *broken = *spare;
  }
  progress_->AddSpare(index, *spare);
  copies_owed_.emplace(index, *spare);
  return true;
}

// Whether the chunk cannot get a quorum any more, not even with the help of spares: then one takes part.
bool PutOperation::IsLost(std::uint32_t index) {
  while (true) {
    const QuorumTally tally = progress_->TallyOf(index);
    // Those that write it themselves, and so may become a source.
    const auto copying = static_cast<std::size_t>(std::count_if(
        copies_owed_.begin(), copies_owed_.end(), [&](const auto& owed) { return owed.first == index; }));
    if (tally.verdict() == QuorumTally::Verdict::kReached) return false;
    if (tally.acknowledged().empty() && tally.waiting() <= copying) return true;
    if (tally.verdict() == QuorumTally::Verdict::kPending) return false;
    if (!Reinforce(index)) return true;
  }
}

// Lets the spares of a sealed chunk copy it once a replica holds it. Returns whether one began to.
bool PutOperation::StartCopies(std::uint32_t index, const QuorumTally& tally) {
  if (tally.acknowledged().empty()) return false;
  bool has_started = false;
  const chunk::ChunkInfo info = progress_->InfoOf(index);
  const std::vector<NodeId> sources(tally.acknowledged().begin(), tally.acknowledged().end());
  for (auto owed = copies_owed_.begin(); owed != copies_owed_.end();) {
    if (owed->first != index) {
      ++owed;
      continue;
    }
    LOG(INFO) << "spare " << owed->second << " copies " << info.id;
    parts_.pool->Post([store = parts_.store, peers = parts_.peers, self = parts_.self,
                       own_ack = parts_.own_ack, progress = progress_, node = owed->second, index,
                       info, sources] {
      progress->RecordAnswer(index, node,
                             node == self ? CopyHere(store, peers, info, sources, own_ack)
                                          : CopyThere(peers, node, info, sources));
    });
    owed = copies_owed_.erase(owed);
    has_started = true;
  }
  return has_started;
}

void PutOperation::SealChunk() {
  const std::uint64_t size = open_chunk_->sums.length();
  const Hash128 hash = BlockChecksums::HashOf(size, open_chunk_->sums.Table());
  progress_->Describe(open_chunk_->index, size, hash);
  for (auto& [node, writer] : open_chunk_->writers) {
    writer->Seal(size, hash);
    sealed_.emplace_back(node, std::move(writer));
  }
  open_chunk_.reset();
}

// Of the open chunk, and of those before it that the replica still writes.
std::size_t PutOperation::BacklogOf(NodeId node) const {
  std::size_t bytes = 0;
  for (const auto& writers : {std::cref(sealed_), std::cref(open_chunk_->writers)}) {
    for (const auto& [owner, writer] : writers.get()) {
      if (owner == node) bytes += writer->backlog_bytes();
    }
  }
  return bytes;
}

std::size_t PutOperation::queued_bytes() const {
  std::size_t bytes = small_.size();
  for (const auto& [node, writer] : sealed_) bytes += writer->backlog_bytes();
  if (open_chunk_ == nullptr) return bytes;
  for (const auto& [node, writer] : open_chunk_->writers) bytes += writer->backlog_bytes();
  return bytes;
}

void PutOperation::CutOff(NodeId node) {
  for (auto& [owner, writer] : open_chunk_->writers) {
    if (owner == node) writer->Cancel();
  }
}

// Slows the client down while the W-th fastest lags, and cuts off those that lag too far behind it (rule R12).
absl::Status PutOperation::WaitForRoom() {
  if (open_chunk_ == nullptr) return absl::OkStatus();
  std::erase_if(sealed_, [](const auto& sealed) { return sealed.second->is_done(); });
  const absl::Duration patience = parts_.progress_timeout + kGiveUpMargin;
  MonotonicTime give_up = parts_.clock->Now() + patience;
  std::size_t last_backlog = SIZE_MAX;
  while (parts_.clock->Now() <= give_up) {
    const std::uint64_t seen = progress_->changes();
    if (IsLost(open_chunk_->index)) break;
    const QuorumTally tally = progress_->TallyOf(open_chunk_->index);
    // The backlog of those that still take part, the fastest first.
    std::vector<std::pair<std::size_t, NodeId>> backlogs;
    for (const auto& [node, writer] : open_chunk_->writers) {
      if (!tally.refused().contains(node)) backlogs.emplace_back(BacklogOf(node), node);
    }
    if (backlogs.empty()) continue;  // the last one refused just now
    std::sort(backlogs.begin(), backlogs.end());
    // With fewer than W left spares make up for the others, and these go on.
    const std::size_t slowest_needed = backlogs[std::min(quorum_, backlogs.size()) - 1].first;
    const std::size_t lag_max = *parts_.queued_bytes > kQueuedBytesMax ? kBacklogMax : kCutOffBytes;
    for (const auto& [bytes, node] : backlogs) {
      if (bytes > slowest_needed + lag_max) CutOff(node);
    }
    if (slowest_needed <= kBacklogMax) return absl::OkStatus();
    if (slowest_needed < last_backlog) give_up = parts_.clock->Now() + patience;
    last_backlog = slowest_needed;
    const InPhase phase(phases_, Phase::kQueue);
    progress_->AwaitChange(seen, absl::Seconds(1));
  }
  return LostQuorum(open_chunk_->index);
}

absl::Status PutOperation::LostQuorum(std::uint32_t index) {
  if (progress_->LacksSpace(index)) {
    return ErrorWithReason(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("put needs ", quorum_, " durable copies, and disks are full; nothing was stored: ",
                     absl::StrJoin(NamesOf(*view_, progress_->MissingOf(index)), ", ")),
        api::ErrorDetail::NO_SPACE);
  }
  return NoQuorum(*view_,
                  absl::StrCat("put needs ", quorum_, " durable copies; nothing was stored"),
                  progress_->MissingOf(index));
}

absl::Status PutOperation::WaitForChunk(std::uint32_t index) {
  absl::Duration patience = parts_.progress_timeout;
  std::uint64_t seen = progress_->changes();
  MonotonicTime moved = parts_.clock->Now();
  while (true) {
    const bool is_lost = IsLost(index);
    const QuorumTally tally = progress_->TallyOf(index);
    if (tally.verdict() == QuorumTally::Verdict::kReached) return absl::OkStatus();
    if (StartCopies(index, tally)) patience = kCopyTimeout;
    const absl::Duration left = moved + patience + kGiveUpMargin - parts_.clock->Now();
    if (is_lost || left <= absl::ZeroDuration()) return LostQuorum(index);
    progress_->AwaitChange(seen, left);
    const std::uint64_t now_seen = progress_->changes();
    if (now_seen != seen) moved = parts_.clock->Now();
    seen = now_seen;
  }
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

void PutOperation::AskReplica(std::uint32_t index, NodeId node, const chunk::ChunkInfo& info,
                              const Slices& data) {
  auto done = [progress = progress_, index, node](const absl::StatusOr<rpc::Ack>& answer) {
    progress->RecordAnswer(index, node, answer);
  };
  if (node == parts_.self) {
    parts_.small_writes->Write(info, data, std::move(done));
  } else {
    parts_.peers->WriteSmall(node, info, data, kQuorumTimeout, std::move(done));
  }
}

absl::Status PutOperation::StoreSmall() {
  const InPhase phase(phases_, Phase::kSync);
  const chunk::ChunkInfo info{ChunkId{FromWire(txn_.txn()), 0}, received_bytes_,
                              BlockChecksums::HashOf(received_bytes_, small_sums_.Table())};
  const std::uint32_t index = progress_->AddChunk(quorum_, targets_);
  progress_->Describe(index, info.size, info.hash);
  for (const NodeId node : targets_) AskReplica(index, node, info, small_);
  const MonotonicTime end = parts_.clock->Now() + kQuorumTimeout;
  std::size_t replaced = 0;
  while (true) {
    const std::uint64_t seen = progress_->changes();
    const QuorumTally tally = progress_->TallyOf(index);
    if (tally.verdict() == QuorumTally::Verdict::kReached) break;
    if (tally.refused().size() > replaced) {
      if (const auto spare = TakeSpare()) {
        ++replaced;
        progress_->AddSpare(index, *spare);
        AskReplica(index, *spare, info, small_);
        continue;
      }
    }
    const absl::Duration left = end - parts_.clock->Now();
    if (tally.verdict() == QuorumTally::Verdict::kLost || left <= absl::ZeroDuration()) {
      return LostQuorum(index);
    }
    progress_->AwaitChange(seen, left);
  }
  WaitForLastCopies(kSmallGrace);
  return absl::OkStatus();
}

absl::Status PutOperation::StoreRest() {
  const InPhase phase(phases_, Phase::kSync);
  if (open_chunk_ != nullptr) SealChunk();
  const std::uint32_t count = progress_->chunk_count();
  for (std::uint32_t i = 0; i < count; ++i) DFS_RETURN_IF_ERROR(WaitForChunk(i));
  WaitForLastCopies(
      std::min((parts_.clock->Now() - started_) / kLargeGraceShare, kLargeGraceMax));
  return absl::OkStatus();
}

void PutOperation::WaitForLastCopies(absl::Duration grace) {
  const MonotonicTime end = parts_.clock->Now() + grace;
  while (true) {
    const std::uint64_t seen = progress_->changes();
    const absl::Duration left = end - parts_.clock->Now();
    if (progress_->is_complete() || left <= absl::ZeroDuration()) return;
    progress_->AwaitChange(seen, left);
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
  put.set_if_absent(header_.if_absent());
  put.set_writer(header_.writer());
  put.set_conflict_window_s(header_.conflict_window_s());
  put.set_ignore_conflict(header_.ignore_conflict());
  std::vector<NodeId> set;
  for (const std::uint32_t node : txn_.set()) set.emplace_back(node);
  progress_->AddChunksTo(set, &put);
  if (put.chunks().empty()) *put.mutable_empty_set() = txn_.set();
  return command;
}

absl::StatusOr<api::PutResponse> PutOperation::Commit() {
  const InPhase phase(phases_, Phase::kCommit);
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
    progress_->AwaitChange(progress_->changes(), attempt * kBeginAgainPause);
  }
  return NoQuorum(*view_, "the put was begun again too often; nothing was stored", {});
}

// Rule R14: a new transaction, with the nodes that hold the bytes, which make them count for it.
absl::Status PutOperation::BeginAgain() {
  const std::set<NodeId> holders = progress_->Holders();
  parts_.leader->Done(FromWire(txn_.txn()), false);
  has_txn_ = false;
  DFS_ASSIGN_OR_RETURN(txn_, parts_.leader->Begin(BucketId(bucket_.id()), {},
                                                  {holders.begin(), holders.end()},
                                                  kQuorumTimeout));
  has_txn_ = true;
  progress_->BeginRelinks(FromWire(txn_.txn()));
  return AwaitRelinks(parts_.clock->Now() + kQuorumTimeout);
}

// Until every chunk has W copies that count for the present transaction; then a moment for the rest.
absl::Status PutOperation::AwaitRelinks(MonotonicTime end) {
  std::optional<MonotonicTime> grace_end;
  while (true) {
    RelinkCopies();
    const std::uint64_t seen = progress_->changes();
    const PutProgress::RelinkState state = progress_->StateOfRelinks(quorum_);
    const MonotonicTime now = parts_.clock->Now();
    if (state.is_enough) {
      if (!grace_end) grace_end = now + kSmallGrace;
      if (state.open == 0 || now >= *grace_end) return absl::OkStatus();
    } else if (state.is_hopeless || now >= end) {
      return NoQuorum(*view_, "too few nodes still hold the bytes; nothing was stored",
                      {state.failed.begin(), state.failed.end()});
    }
    progress_->AwaitChange(seen, (state.is_enough ? *grace_end : end) - now);
  }
}

// Asks the holders of copies that count for an older transaction to make them count for the present one. Blocks for
// this node's own disk only: a holder that hangs must not hold up the others.
void PutOperation::RelinkCopies() {
  const TxnId fresh = FromWire(txn_.txn());
  const PutProgress::Relinks relinks = progress_->TakeRelinks();
  for (const auto& [node, items] : relinks) {
    if (node == parts_.self) continue;
    auto done = [progress = progress_, node = node, fresh, items = items](
                    const absl::StatusOr<rpc::Ack>& answer) {
      progress->RecordRelinked(node, fresh, items, answer);
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
    progress_->RecordRelinked(parts_.self, fresh, own->second, ack);
  }
}

absl::StatusOr<api::PutResponse> PutOperation::Answer(const rpc::CommandResult& result) {
  DFS_RETURN_IF_ERROR(StatusOf(result));
  progress_->Commit(FromWire(txn_.txn()), result.replicas());
  api::PutResponse response;
  *response.mutable_info() = InfoOf(result.version(), bucket_);
  response.mutable_info()->set_chunks(static_cast<std::uint32_t>(
      (received_bytes_ + parts_.chunk_bytes - 1) / parts_.chunk_bytes));
  response.mutable_info()->set_replicas_ok(result.replicas());
  response.set_replicas(result.replicas());
  return response;
}

}  // namespace dfs::coordinator
