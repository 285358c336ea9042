#include "server/coordinator/get_operation.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include <glog/logging.h>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "common/sync.h"
#include "proto/wire_status.h"
#include "server/chunk/stored_chunk.h"
#include "server/coordinator/quorum_tally.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::coordinator {
namespace {

constexpr std::uint64_t kMessageBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kBlock = BlockChecksums::kBlockBytes;
// A confirmation that takes longer is asked of the others too.
constexpr absl::Duration kHedgeAfter = absl::Milliseconds(30);
// How long a source may send nothing before the next one takes over: short while another may do better, longer when
// all have hung, so that a cluster that is slow as a whole still serves.
constexpr std::array kPatience = {absl::Milliseconds(500), absl::Seconds(2), kProgressTimeout};
constexpr absl::Duration kLagWait = absl::Seconds(1);
constexpr absl::Duration kConfirmPatience = absl::Milliseconds(300);
// Chunks that are opened while the version is confirmed: if the disk hangs unnoticed, so many threads of the pool are left to it.
constexpr std::size_t kOpenAheadMax = 4;
constexpr int kRestartsMax = 5;  // with a new read index, when the version was purged meanwhile

std::uint64_t RoundDown(std::uint64_t n) { return n / kBlock * kBlock; }

std::uint32_t CrcOf(const Slices& data) {
  std::uint32_t crc = 0;
  for (const auto& piece : data.pieces()) crc = ExtendCrc32c(crc, piece.begin(), piece.size());
  return crc;
}

// Delivers the part of [piece_offset, piece_offset + data.size()) that lies in [offset, end), and moves offset.
absl::Status Deliver(const Slices& data, std::uint64_t piece_offset, std::uint32_t crc,
                     std::uint64_t end, std::uint64_t file_base, std::uint64_t& offset,
                     const GetOperation::Sink& sink) {
  const std::uint64_t skip = offset - piece_offset;
  const std::uint64_t take = std::min(end - offset, data.size() - skip);
  const bool is_whole = skip == 0 && take == data.size();
  const Slices part = is_whole ? data : data.Range(skip, take);
  if (!sink(part, file_base + offset, is_whole ? crc : CrcOf(part))) {
    return absl::CancelledError("the client is gone");
  }
  offset += take;
  return absl::OkStatus();
}

// Up to kMessageBytes of a chunk of this node, from a block's beginning on.
struct LocalPiece {
  LocalPiece(std::shared_ptr<const chunk::ChunkReader> from, std::uint64_t at)
      : reader(std::move(from)), offset(at) {}

  // Blocks on disk; sets `done` last.
  void Read() {
    const std::uint64_t bytes = std::min(kMessageBytes, reader->info().size - offset);
    auto* buffer = static_cast<char*>(std::malloc(bytes));
    if (buffer == nullptr) {
      status = absl::ResourceExhaustedError("out of memory");
    } else {
      data.Append(grpc::Slice(buffer, bytes, std::free));
      status = reader->Read(offset, {buffer, bytes});
    }
    done.Set();
  }

  const std::shared_ptr<const chunk::ChunkReader> reader;
  const std::uint64_t offset;
  Event done;
  // Valid once done.
  absl::Status status;
  Slices data;
};

bool MatchesLog(const rpc::ChunkRow& row, std::uint64_t size,
                const std::vector<std::uint32_t>& table) {
  return size == row.size() && table.size() == BlockChecksums::BlockCount(size) &&
         BlockChecksums::HashOf(size, table) == HashFromWire(row.hash());
}

}  // namespace

std::set<NodeId> ReplicaSetOf(const rpc::VersionRow& version,
                              const metadata::MetadataView& view) {
  std::set<NodeId> set;
  for (const auto& chunk : version.chunks()) {
    for (const auto& replica : chunk.replicas()) set.insert(NodeId(replica.node_id()));
  }
  if (version.chunks().empty()) {
    for (const std::uint32_t node : version.empty_set()) set.insert(NodeId(node));
  }
  std::erase_if(set, [&](NodeId node) {
    const auto row = view.FindNode(node);
    return !row || row->state() == rpc::RETIRED;
  });
  return set;
}

namespace {

// A node without metadata of files takes the word of one that has it.
rpc::ConfirmResponse::Verdict ConfirmByHolders(const Parts& parts, LogIndex read_index, const rpc::ConfirmItem& item) {
  struct Answer {
    Event done;
    absl::StatusOr<rpc::ConfirmResponse::Verdict> verdict = absl::UnknownError("");  // valid once done
  };
  const MonotonicTime start = parts.clock->Now();
  for (const NodeId holder : parts.file_holders()) {
    const absl::Duration left = kLagWait - (parts.clock->Now() - start);
    if (left <= absl::ZeroDuration()) break;
    const absl::Duration patience = std::min(left, kConfirmPatience);
    const auto answer = std::make_shared<Answer>();
    parts.peers->Confirm(holder, read_index, item, patience,
                         [answer](absl::StatusOr<rpc::ConfirmResponse::Verdict> verdict) {
                           answer->verdict = std::move(verdict);
                           answer->done.Set();
                         });
    if (!answer->done.WaitFor(patience) || !answer->verdict.ok()) continue;
    if (*answer->verdict != rpc::ConfirmResponse::LAGGING) return *answer->verdict;
  }
  return rpc::ConfirmResponse::LAGGING;
}

}  // namespace

rpc::ConfirmResponse::Verdict ConfirmHere(const Parts& parts, LogIndex read_index,
                                          const rpc::ConfirmItem& item) {
  if (!parts.machine->has_files()) {
    if (DFS_MUTANT(1260, "a storage-only node confirms what it does not know (rule R16)")) return rpc::ConfirmResponse::CONFIRMED;
    return ConfirmByHolders(parts, read_index, item);
  }
  if (parts.machine->applied_index() < read_index &&
      !parts.wait_applied(read_index, kLagWait).ok()) {
    return rpc::ConfirmResponse::LAGGING;
  }
  const auto view = parts.machine->View();
  const auto version = view->FindVersion(FromWire(item.txn()));
  if (!version) return rpc::ConfirmResponse::PURGED;
  const bool is_same = version->number() == item.version() &&
                       HashFromWire(version->content_hash()) == HashFromWire(item.content_hash());
  return is_same ? rpc::ConfirmResponse::CONFIRMED : rpc::ConfirmResponse::PURGED;
}

struct GetOperation::Opening {
  Opening(chunk::ChunkStore* from, const ChunkId& chunk) : store(from), id(chunk) {}

  // Blocks on disk; sets `done` last.
  void Open() {
    auto opened = store->Open(id);
    status = opened.status();
    if (opened.ok()) reader = *std::move(opened);
    done.Set();
  }

  chunk::ChunkStore* const store;
  const ChunkId id;
  Event done;
  // Valid once done.
  absl::Status status;
  std::shared_ptr<const chunk::ChunkReader> reader;
};

GetOperation::~GetOperation() {
  if (!pinned_.is_none()) parts_.leader->Unpin(pinned_);
}

absl::StatusOr<api::FileInfo> GetOperation::Begin(const api::GetRequest& request,
                                                  absl::Duration lag_max) {
  DFS_RETURN_IF_ERROR(CheckFileName(request.name()));
  bool is_confirmed = false;
  for (int attempt = 0; !is_confirmed && attempt < kRestartsMax; ++attempt) {
    DFS_ASSIGN_OR_RETURN(is_confirmed, FindAndConfirm(request, lag_max));
  }
  if (!is_confirmed) {
    return absl::AbortedError("the file changes faster than it can be read; try again");
  }
  if (request.offset() > version_.size()) {
    return absl::OutOfRangeError(absl::StrCat("offset ", request.offset(), " is beyond the end; ",
                                              "the file has ", version_.size(), " bytes"));
  }
  offset_ = request.offset();
  const std::uint64_t left = version_.size() - offset_;
  end_ = offset_ + (request.has_length() ? std::min(request.length(), left) : left);
  // What is read at once needs no pin.
  if (end_ - offset_ > chunk::kSmallBytesMax) {
    pinned_ = FromWire(version_.txn());
    parts_.leader->Pin(pinned_);
  }
  return InfoOf(version_, bucket_);
}

// False: the version was purged while it was confirmed; begin again with a new read index.
absl::StatusOr<bool> GetOperation::FindAndConfirm(const api::GetRequest& request,
                                                  absl::Duration lag_max) {
  DFS_ASSIGN_OR_RETURN(view_, ReadView(parts_, request.consistency(), lag_max));
  DFS_ASSIGN_OR_RETURN(bucket_, FindBucket(*view_, request.bucket()));
  DFS_ASSIGN_OR_RETURN(
      version_, FindVersionOf(*view_, bucket_, request.name(),
                              request.has_version() ? std::optional(request.version())
                                                    : std::nullopt));
  CompleteEmptySet(*view_, bucket_, &version_);
  if (hands_over_) OpenAhead(request);
  const bool is_strong = request.consistency() != api::LEADER &&
                         request.consistency() != api::EVENTUAL;
  if (!is_strong) return true;
  return Confirm(view_->applied_index());
}

absl::StatusOr<bool> GetOperation::Confirm(LogIndex read_index) {
  const std::set<NodeId> set = ReplicaSetOf(version_, *view_);
  const std::size_t needed = metadata::EffectiveReadQuorum(bucket_, set.size());
  struct Shared {
    Mutex mutex;
    CondVar changed;
    QuorumTally tally ABSL_GUARDED_BY(mutex);
    bool is_purged ABSL_GUARDED_BY(mutex) = false;
  };
  auto shared = std::make_shared<Shared>();
  std::vector<NodeId> others;  // the leader first (it has applied what it told), then those that are usable
  {
    MutexLock lock(&shared->mutex);
    shared->tally = QuorumTally(needed);
    for (const NodeId node : set) {
      shared->tally.AddCandidate(node);
      // This node's own view is at the read index and names the version.
      if (node == parts_.self) {
        shared->tally.RecordAcknowledged(node);
      } else {
        others.push_back(node);
      }
    }
    if (shared->tally.verdict() == QuorumTally::Verdict::kReached) return true;
  }
  const NodeId leader = parts_.leader_id();
  std::stable_sort(others.begin(), others.end(), [&](NodeId a, NodeId b) {
    const auto rank = [&](NodeId n) { return n == leader ? 0 : parts_.is_usable(n) ? 1 : 2; };
    return rank(a) < rank(b);
  });
  rpc::ConfirmItem item;
  item.set_bucket_id(bucket_.id());
  item.set_name(version_.name());
  item.set_version(version_.number());
  *item.mutable_content_hash() = version_.content_hash();
  *item.mutable_txn() = version_.txn();
  const auto ask = [&](NodeId node) {
    parts_.peers->Confirm(node, read_index, item, kQuorumTimeout,
                          [shared, node](absl::StatusOr<rpc::ConfirmResponse::Verdict> answer) {
                            MutexLock lock(&shared->mutex);
                            if (answer.ok() && *answer == rpc::ConfirmResponse::CONFIRMED) {
                              shared->tally.RecordAcknowledged(node);
                            } else {
                              shared->tally.RecordRefused(node);
                              if (answer.ok() && *answer == rpc::ConfirmResponse::PURGED) {
                                shared->is_purged = true;
                              }
                            }
                            shared->changed.SignalAll();
                          });
  };
  std::size_t asked = 0;
  const std::size_t at_first = needed - (set.contains(parts_.self) ? 1 : 0);
  while (asked < std::min(at_first, others.size())) ask(others[asked++]);
  const MonotonicTime start = parts_.clock->Now();
  while (true) {
    bool ask_rest = false;
    {
      MutexLock lock(&shared->mutex);
      if (shared->tally.verdict() == QuorumTally::Verdict::kReached) return true;
      if (shared->is_purged) return false;
      const absl::Duration passed = parts_.clock->Now() - start;
      if (shared->tally.verdict() == QuorumTally::Verdict::kLost || passed >= kQuorumTimeout) {
        std::vector<NodeId> missing;
        for (const NodeId node : others) {
          if (!shared->tally.acknowledged().contains(node)) missing.push_back(node);
        }
        return NoQuorum(*view_, absl::StrCat("get needs ", needed, " replicas to confirm"),
                        missing);
      }
      ask_rest = asked < others.size() &&
                 (passed >= kHedgeAfter || !shared->tally.refused().empty());
      if (!ask_rest) {
        shared->changed.WaitFor(&shared->mutex,
                                asked < others.size() ? kHedgeAfter - passed
                                                      : kQuorumTimeout - passed);
      }
    }
    while (ask_rest && asked < others.size()) ask(others[asked++]);
  }
}

absl::Status GetOperation::Stream(const Sink& sink) {
  std::uint64_t chunk_start = 0;
  for (std::uint32_t k = 0; k < static_cast<std::uint32_t>(version_.chunks_size()); ++k) {
    const std::uint64_t size = version_.chunks(static_cast<int>(k)).size();
    const std::uint64_t first = std::max(offset_, chunk_start);
    const std::uint64_t last = std::min(end_, chunk_start + size);
    if (first < last) {
      DFS_RETURN_IF_ERROR(
          StreamChunk(k, first - chunk_start, last - first, chunk_start, sink));
    }
    chunk_start += size;
  }
  return absl::OkStatus();
}

std::vector<NodeId> GetOperation::SourcesOf(const rpc::ChunkRow& row) const {
  std::vector<NodeId> sources;
  for (const auto& replica : row.replicas()) {
    if (replica.state() == api::OK) sources.emplace_back(replica.node_id());
  }
  const auto rank = [&](NodeId node) {
    if (parts_.is_slow && parts_.is_slow(node)) return 2;
    // The ring may be wrong about those that it holds for dead.
    return node == parts_.self ? 0 : parts_.is_usable(node) ? 1 : 3;
  };
  std::stable_sort(sources.begin(), sources.end(),
                   [&](NodeId a, NodeId b) { return rank(a) < rank(b); });
  return sources;
}

absl::Status GetOperation::StreamChunk(std::uint32_t index, std::uint64_t offset,
                                       std::uint64_t length, std::uint64_t file_offset,
                                       const Sink& sink) {
  const rpc::ChunkRow& row = version_.chunks(static_cast<int>(index));
  ChunkPart part{{FromWire(version_.txn()), index}, row, offset, offset + length, file_offset};
  const std::vector<NodeId> sources = SourcesOf(row);
  std::set<NodeId> useless;  // answered, and cannot give the bytes
  absl::Status last_error = absl::UnavailableError("no replica holds these bytes");
  bool is_damaged = false;
  for (std::size_t round = 0; round < kPatience.size();) {
    const std::uint64_t reached = part.offset;
    bool has_hung = false;
    for (const NodeId source : sources) {
      if (useless.contains(source)) continue;
      const absl::Status status = source == parts_.self
                                      ? StreamLocal(kPatience[round], part, sink)
                                      : StreamRemote(source, kPatience[round], part, sink);
      if (status.ok() || status.code() == absl::StatusCode::kCancelled) return status;
      LOG(WARNING) << "chunk " << part.id << " from node " << source << ": " << status;
      const bool has_timed_out = absl::IsDeadlineExceeded(status);
      has_hung = has_hung || has_timed_out;
      if (!has_timed_out && !absl::IsUnavailable(status)) useless.insert(source);
      is_damaged = is_damaged || absl::IsDataLoss(status);
      last_error = status;
    }
    if (part.offset > reached) continue;  // slow, but they bring the bytes
    if (!has_hung) break;
    ++round;
  }
  const std::string what = absl::StrCat("chunk ", index, " of \"", version_.name(), "\": ");
  if (is_damaged) {
    return ErrorWithReason(absl::StatusCode::kDataLoss,
                           what + std::string(last_error.message()), api::ErrorDetail::BAD_CHECKSUM);
  }
  return NoQuorum(*view_, what + "no replica could be read", sources);
}

absl::Status GetOperation::StreamLocal(absl::Duration patience, ChunkPart& part,
                                       const Sink& sink) {
  // Small ones come from the database, mostly from memory: no thread is changed for them.
  const bool is_small = part.row.size() <= chunk::kSmallBytesMax;
  const auto start = [&](Task task) {
    if (is_small) return task();
    parts_.pool->Post(std::move(task));
  };
  // Threads that read are left to a disk that hangs; they keep what they use.
  const absl::Status hangs = absl::DeadlineExceededError("this node's disk hangs");
  const auto opening = std::make_shared<Opening>(parts_.store, part.id);
  start([opening] { opening->Open(); });
  if (!opening->done.WaitFor(patience)) return hangs;
  if (!opening->status.ok()) return opening->status;
  const std::shared_ptr<const chunk::ChunkReader> reader = opening->reader;
  if (!MatchesLog(part.row, reader->info().size, reader->table())) {
    ReportDamaged(part);
    return absl::DataLossError("the stored block table is not the one in the log");
  }
  std::shared_ptr<LocalPiece> next =
      std::make_shared<LocalPiece>(reader, RoundDown(part.offset));
  start([next] { next->Read(); });
  while (part.offset < part.end) {
    const std::shared_ptr<LocalPiece> piece = std::move(next);
    if (!piece->done.WaitFor(patience)) return hangs;
    if (!piece->status.ok()) {
      if (absl::IsDataLoss(piece->status)) ReportDamaged(part);
      return piece->status;
    }
    // The next piece is read and checked while this one is sent.
    const std::uint64_t piece_end = piece->offset + piece->data.size();
    if (piece_end < part.end) {
      next = std::make_shared<LocalPiece>(reader, piece_end);
      start([next] { next->Read(); });
    }
    const std::uint32_t crc =
        BlockChecksums::CrcOf(reader->table(), piece->offset, piece->data.size());
    DFS_RETURN_IF_ERROR(Deliver(piece->data, piece->offset, crc, part.end, part.file_base,
                                part.offset, sink));
  }
  return absl::OkStatus();
}

absl::Status GetOperation::StreamRemote(NodeId node, absl::Duration patience, ChunkPart& part,
                                        const Sink& sink) {
  auto reader = parts_.peers->Read(node, part.id, part.offset, part.end - part.offset, patience,
                                    /*bytes_per_s_max=*/0);
  if (!reader.ok()) return reader.status();
  const auto& table = (*reader)->table();
  if (!MatchesLog(part.row, (*reader)->size(), table)) {
    return absl::DataLossError("the replica's block table is not the one in the log");
  }
  while (part.offset < part.end) {
    auto piece = (*reader)->Next();
    if (!piece.ok()) return piece.status();
    const std::uint64_t piece_end = piece->offset + piece->data.size();
    const bool is_expected = piece->offset % kBlock == 0 && piece->offset <= part.offset &&
                             piece_end > part.offset && piece_end <= part.row.size() &&
                             (piece_end % kBlock == 0 || piece_end == part.row.size());
    if (!is_expected) return absl::DataLossError("the replica sent other bytes than asked for");
    BlockChecksums sums;
    for (const auto& slice : piece->data.pieces()) sums.Update(slice.begin(), slice.size());
    const auto blocks = sums.Table();
    const auto first = table.begin() + static_cast<std::ptrdiff_t>(piece->offset / kBlock);
    if (!std::equal(blocks.begin(), blocks.end(), first)) {
      return absl::DataLossError("the replica sent damaged bytes");
    }
    DFS_RETURN_IF_ERROR(Deliver(piece->data, piece->offset, sums.Crc(), part.end, part.file_base,
                                part.offset, sink));
  }
  return absl::OkStatus();
}

void GetOperation::OpenAhead(const api::GetRequest& request) {
  openings_.clear();
  const std::uint64_t left = version_.size() - std::min(request.offset(), version_.size());
  const std::uint64_t end = request.offset() + (request.has_length() ? std::min(request.length(), left) : left);
  std::uint64_t chunk_start = 0;
  for (std::uint32_t k = 0; k < static_cast<std::uint32_t>(version_.chunks_size()); ++k) {
    if (chunk_start >= end || openings_.size() >= kOpenAheadMax) return;
    chunk_start += version_.chunks(static_cast<int>(k)).size();
    if (chunk_start <= request.offset()) continue;
    auto opening = StartOpening(k);
    if (opening == nullptr) return;  // HandOver ends there, too
    openings_.emplace(k, std::move(opening));
  }
}

std::shared_ptr<GetOperation::Opening> GetOperation::StartOpening(std::uint32_t index) const {
  // Its disk hangs: others are asked first (SourcesOf), and no thread is left to it.
  if (parts_.is_slow && parts_.is_slow(parts_.self)) return nullptr;
  const rpc::ChunkRow& row = version_.chunks(static_cast<int>(index));
  const bool is_here = std::any_of(row.replicas().begin(), row.replicas().end(), [&](const auto& replica) {
    return replica.state() == api::OK && NodeId(replica.node_id()) == parts_.self;
  });
  if (!is_here || row.size() <= chunk::kSmallBytesMax) return nullptr;
  auto opening = std::make_shared<Opening>(parts_.store, ChunkId{FromWire(version_.txn()), index});
  parts_.pool->Post([opening] { opening->Open(); });
  return opening;
}

std::shared_ptr<const chunk::ChunkReader> GetOperation::OpenFileHere(std::uint32_t index) {
  const auto ahead = openings_.find(index);
  const auto opening = ahead != openings_.end() ? ahead->second : StartOpening(index);
  if (opening == nullptr || !opening->done.WaitFor(kPatience[0]) || !opening->status.ok()) return nullptr;
  const std::shared_ptr<const chunk::ChunkReader> reader = opening->reader;
  const rpc::ChunkRow& row = version_.chunks(static_cast<int>(index));
  const bool is_file = MatchesLog(row, reader->info().size, reader->table()) && chunk::DescriptorOf(*reader) >= 0;
  return is_file ? reader : nullptr;
}

std::vector<api::HandedChunk> GetOperation::HandOver(const Offer& offer) {
  std::vector<api::HandedChunk> out;
  std::uint64_t chunk_start = 0;
  for (std::uint32_t k = 0; k < static_cast<std::uint32_t>(version_.chunks_size()); ++k) {
    const std::uint64_t size = version_.chunks(static_cast<int>(k)).size();
    const std::uint64_t chunk_end = chunk_start + size;
    if (chunk_start >= end_ || out.size() >= kHandedChunksMax) break;
    if (chunk_end > offset_) {
      const auto reader = OpenFileHere(k);
      const auto ticket = reader == nullptr ? std::nullopt : offer(reader);
      if (!ticket) break;
      api::HandedChunk& chunk = out.emplace_back();
      chunk.set_ticket(*ticket);
      chunk.set_file_offset(chunk_start);
      chunk.set_size(size);
      chunk.set_data_offset(chunk::kFileDataOffset);
      chunk.mutable_table()->Assign(reader->table().begin(), reader->table().end());
    }
    chunk_start = chunk_end;
  }
  return out;
}

void GetOperation::ReportDamaged(const ChunkPart& part) {
  rpc::ReplicaChange change;
  *change.mutable_chunk() = ToWire(part.id);
  *change.mutable_hash() = part.row.hash();
  *change.mutable_ack() = parts_.own_ack();
  change.set_state(api::CORRUPT);
  parts_.leader->ReportReplica(std::move(change));
}

}  // namespace dfs::coordinator
