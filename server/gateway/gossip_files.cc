#include "server/gateway/gossip_files.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"
#include "server/chunk/chunk_copy.h"
#include "server/gateway/peer_chunk_reader.h"
#include "server/gossip_store/gossip_chunks.h"
#include "server/gossip_store/gossip_message_codec.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::gateway {
namespace {

using gossip_store::Record;

constexpr std::uint64_t kMessageBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kBlock = BlockChecksums::kBlockBytes;
constexpr std::size_t kClearBatch = 256;

absl::Status Labelled(absl::StatusCode code, std::string_view text, api::ErrorDetail::Reason reason,
                      api::ErrorDetail::Outcome outcome = api::ErrorDetail::NOTHING_CHANGED) {
  api::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(outcome);
  detail.set_consistency(api::EVENTUAL);
  return ErrorWithDetail(code, text, detail);
}

absl::Status NoFile(const std::string& name) {
  return Labelled(absl::StatusCode::kNotFound,
                  absl::StrCat("no file \"", name, "\" that this node knows of (consistency=eventual)"),
                  api::ErrorDetail::REASON_UNSPECIFIED);
}

absl::Status BadChecksum(std::string_view what) {
  return Labelled(absl::StatusCode::kDataLoss, what, api::ErrorDetail::BAD_CHECKSUM);
}

api::FileInfo InfoOf(const Record& record, const rpc::BucketRow& bucket) {
  api::FileInfo info;
  info.set_bucket(bucket.name());
  info.set_name(record.key.name);
  info.set_size(record.size);
  info.set_version(record.stamp.time.value());
  info.set_crc32c(record.crc32c);
  info.set_content_hash(BytesOf(record.content_hash.high, record.content_hash.low));
  info.set_time_us(
      static_cast<std::uint64_t>(absl::ToUnixMicros(gossip_store::WallOf(record.stamp.time))));
  info.set_chunks(static_cast<std::uint32_t>(record.chunks.size()));
  info.set_consistency(api::EVENTUAL);
  return info;
}

// This node's disk is full. Others may have room.
absl::Status WithoutSpace(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return Labelled(status.code(), absl::StrCat(std::string(status.message()), ": write through another"),
                  api::ErrorDetail::NO_SPACE);
}

// What clients see of a write that this node's host has refused or not ended.
absl::Status ErrorOf(const absl::Status& status) {
  const std::string text(status.message());
  if (absl::IsFailedPrecondition(status)) {
    return Labelled(status.code(), text, api::ErrorDetail::CLOCK_OFF);
  }
  if (absl::IsDataLoss(status)) {
    return Labelled(status.code(), text, api::ErrorDetail::REASON_UNSPECIFIED, api::ErrorDetail::UNKNOWN);
  }
  return Labelled(status.code(), text, api::ErrorDetail::OVERLOADED);
}

}  // namespace

std::optional<rpc::BucketRow> GossipFiles::BucketOf(const std::string& name) const {
  if (host_ == nullptr || name.empty() || name == "default") return std::nullopt;
  auto row = parts_.machine->View()->FindBucket(name);
  if (!row) {
    // Made just now, perhaps; if nobody can tell, the caller finds that out again.
    auto found = coordinator::FindBucketOfChange(parts_, name);
    if (found.ok()) row = *std::move(found);
  }
  if (!row || !metadata::IsGossipBucket(*row)) return std::nullopt;
  return row;
}

absl::Status GossipFiles::Refused(std::string_view what) {
  return Labelled(absl::StatusCode::kFailedPrecondition,
                  absl::StrCat(std::string(what), " is not possible in a bucket of mode gossip: any node takes changes "
                               "without asking the others, and the last writer wins"),
                  api::ErrorDetail::PRECONDITION);
}

absl::StatusOr<GossipFiles::Found> GossipFiles::Find(const rpc::BucketRow& bucket,
                                                     const std::string& name,
                                                     std::optional<std::uint64_t> version) {
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(name));
  const gossip_store::Key key{BucketId(bucket.id()), name};
  DFS_ASSIGN_OR_RETURN(std::optional<Record> held, host_->Held(key));
  Found found;
  if (held) {
    found.record = *std::move(held);
    found.is_here = true;
  } else {
    const auto answers = host_->AskPeers(key);
    for (const auto& [peer, record] : answers) {
      if (record.stamp > found.record.stamp) found.record = record;
    }
    for (const auto& [peer, record] : answers) {
      if (record.stamp == found.record.stamp) found.holders.push_back(peer);
    }
    if (found.holders.empty()) return NoFile(name);
  }
  if (found.record.is_tombstone) return NoFile(name);
  if (version && *version != found.record.stamp.time.value()) {
    return Labelled(absl::StatusCode::kNotFound,
                    absl::StrCat("no version ", *version, " of \"", name, "\": gossip buckets keep the last one only"),
                    api::ErrorDetail::REASON_UNSPECIFIED);
  }
  return found;
}

// ---- get ----

absl::StatusOr<std::unique_ptr<chunk::ChunkReader>> GossipFiles::Bring(const Found& found, std::size_t index) {
  std::vector<NodeId> sources = found.holders;
  for (const auto& node : parts_.machine->View()->Nodes()) {
    const NodeId id(node.node_id());
    if (found.is_here && id != parts_.self && parts_.is_usable(id)) sources.push_back(id);
  }
  const chunk::ChunkInfo info = gossip_store::ChunkOf(found.record, index);
  // Without room a peer would begin to send all of it before this node's store refuses it.
  if (parts_.store->GetSpace().free_bytes > info.size) {
    const auto brought = chunk::CopyChunk(parts_.store, parts_.peers, info, sources);
    if (brought.ok()) return parts_.store->Open(info.id);
    if (!absl::IsResourceExhausted(brought.status())) return brought.status();
  }
  return std::make_unique<PeerChunkReader>(parts_.peers, info, std::move(sources));
}

absl::StatusOr<std::unique_ptr<chunk::ChunkReader>> GossipFiles::Open(const Found& found,
                                                                      std::size_t index) {
  const ChunkId id{found.record.txn, static_cast<std::uint32_t>(index)};
  if (parts_.store->Find(id)) {
    auto reader = parts_.store->Open(id);
    if (reader.ok()) return reader;
  }
  return Bring(found, index);
}

absl::Status GossipFiles::StreamChunk(const Found& found, std::size_t index, std::uint64_t offset,
                                      std::uint64_t end, const GetSink& sink,
                                      WithData<api::GetResponse>* message) {
  DFS_ASSIGN_OR_RETURN(std::unique_ptr<chunk::ChunkReader> reader, Open(found, index));
  if (reader->info().hash != found.record.chunks[index]) {
    return BadChecksum("the chunk here is not the one of the record");
  }
  bool is_second_try = false;
  while (offset < end) {
    // Whole messages are whole blocks.
    const std::uint64_t next = std::min(end, offset - offset % kBlock + kMessageBytes);
    std::string bytes(static_cast<std::size_t>(next - offset), '\0');
    const absl::Status read = reader->Read(offset, std::span(bytes));
    if (absl::IsDataLoss(read) && !is_second_try) {
      is_second_try = true;
      DFS_ASSIGN_OR_RETURN(reader, Bring(found, index));
      continue;
    }
    DFS_RETURN_IF_ERROR(read);
    message->message.set_offset(index * chunk::kChunkBytesMax + offset);
    message->message.set_crc32c(Crc32c(bytes.data(), bytes.size()));
    message->data = Slices::Adopt(std::move(bytes));
    if (!sink(*message)) return absl::CancelledError("the client is gone");
    message->message.Clear();
    message->data.Clear();
    offset = next;
  }
  return absl::OkStatus();
}

absl::Status GossipFiles::Get(const rpc::BucketRow& bucket, const api::GetRequest& request,
                              const GetSink& sink) {
  DFS_ASSIGN_OR_RETURN(const Found found,
                       Find(bucket, request.name(),
                            request.has_version() ? std::optional(request.version()) : std::nullopt));
  const std::uint64_t size = found.record.size;
  if (request.offset() > size) {
    return Labelled(absl::StatusCode::kOutOfRange,
                    absl::StrCat("offset ", request.offset(), " is beyond the end, ", size),
                    api::ErrorDetail::REASON_UNSPECIFIED);
  }
  std::uint64_t offset = request.offset();
  const std::uint64_t end =
      request.has_length() ? offset + std::min(request.length(), size - offset) : size;
  WithData<api::GetResponse> message;
  *message.message.mutable_info() = InfoOf(found.record, bucket);
  if (offset == end) {
    sink(message);
    return absl::OkStatus();
  }
  while (offset < end) {
    const std::size_t index = static_cast<std::size_t>(offset / chunk::kChunkBytesMax);
    const std::uint64_t base = index * chunk::kChunkBytesMax;
    const std::uint64_t chunk_end = std::min(end, base + chunk::kChunkBytesMax);
    DFS_RETURN_IF_ERROR(StreamChunk(found, index, offset - base, chunk_end - base, sink, &message));
    offset = chunk_end;
  }
  return absl::OkStatus();
}

// ---- stat, locate, list ----

absl::Status GossipFiles::Stat(const rpc::BucketRow& bucket, const api::StatRequest& request,
                               api::StatResponse* response) {
  DFS_ASSIGN_OR_RETURN(const Found found,
                       Find(bucket, request.name(),
                            request.has_version() ? std::optional(request.version()) : std::nullopt));
  *response->mutable_info() = InfoOf(found.record, bucket);
  return absl::OkStatus();
}

absl::Status GossipFiles::Locate(const rpc::BucketRow& bucket, const api::LocateRequest& request,
                                 api::LocateResponse* response) {
  DFS_ASSIGN_OR_RETURN(Found found,
                       Find(bucket, request.name(),
                            request.has_version() ? std::optional(request.version()) : std::nullopt));
  if (found.is_here) {
    for (const auto& [peer, record] : host_->AskPeers(found.record.key)) {
      if (record.stamp == found.record.stamp) found.holders.push_back(peer);
    }
    found.holders.push_back(parts_.self);
  }
  std::sort(found.holders.begin(), found.holders.end());
  *response->mutable_info() = InfoOf(found.record, bucket);
  response->mutable_info()->set_replicas_ok(static_cast<std::uint32_t>(found.holders.size()));
  const auto view = parts_.machine->View();
  for (std::size_t i = 0; i < std::max<std::size_t>(found.record.chunks.size(), 1); ++i) {
    for (const NodeId node : found.holders) {
      api::Location& row = *response->add_locations();
      row.set_chunk(static_cast<std::uint32_t>(i));
      if (i < found.record.chunks.size()) {
        row.set_chunk_size(gossip_store::ChunkOf(found.record, i).size);
        row.set_chunk_hash(ToString(found.record.chunks[i]));
      }
      row.set_node_id(node.value());
      row.set_state(api::OK);
      row.set_version(found.record.stamp.time.value());
      row.set_node_is_alive(node == parts_.self || parts_.is_usable(node));
      if (const auto known = view->FindNode(node)) {
        row.set_node(known->name());
        row.set_address(known->client_address());
        row.set_zone(known->zone());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status GossipFiles::List(const rpc::BucketRow& bucket, const api::ListRequest& request,
                               const ListSink& sink) {
  if (request.trash()) return Refused("a trash");
  DFS_ASSIGN_OR_RETURN(NameListing listing, NameListing::Make(request, sink));
  listing.SetState(parts_.machine->applied_index(), api::EVENTUAL);
  std::string after = request.after();
  bool goes_on = listing.prefix().has_value();
  while (goes_on) {
    DFS_ASSIGN_OR_RETURN(const std::vector<Record> records,
                         host_->List(BucketId(bucket.id()), *listing.prefix(), after));
    for (const Record& record : records) {
      const auto choice = listing.Choose(record.key.name);
      goes_on = choice == NameListing::Choice::kPass ||
                (choice == NameListing::Choice::kVisit && listing.Add(InfoOf(record, bucket)));
      if (!goes_on) break;
    }
    if (records.size() < gossip_store::GossipHost::kListMax) break;
    after = records.back().key.name;
  }
  listing.Finish();
  return absl::OkStatus();
}

// ---- changes ----

absl::StatusOr<api::RemoveResponse> GossipFiles::Remove(const rpc::BucketRow& bucket,
                                                        const api::RemoveRequest& request) {
  if (request.has_if_version() || request.has_version()) return Refused("a condition or a version");
  DFS_ASSIGN_OR_RETURN(const Found found, Find(bucket, request.name(), std::nullopt));
  Record tombstone;
  tombstone.key = found.record.key;
  tombstone.stamp.time = found.record.stamp.time;
  tombstone.is_tombstone = true;
  std::vector<Record> records;
  records.push_back(std::move(tombstone));
  const auto results = host_->WriteAll(std::move(records));
  if (!results.front().ok()) return ErrorOf(results.front().status());
  api::RemoveResponse response;
  response.set_version(found.record.stamp.time.value());
  response.set_consistency(api::EVENTUAL);
  return response;
}

absl::StatusOr<api::ClearResponse> GossipFiles::Clear(const rpc::BucketRow& bucket,
                                                      const api::ClearRequest& request) {
  api::ClearResponse response;
  response.set_consistency(api::EVENTUAL);
  std::string after;
  while (true) {
    DFS_ASSIGN_OR_RETURN(const std::vector<Record> records,
                         host_->List(BucketId(bucket.id()), request.prefix(), after));
    for (std::size_t i = 0; i < records.size(); i += kClearBatch) {
      std::vector<Record> batch;
      for (std::size_t k = i; k < std::min(records.size(), i + kClearBatch); ++k) {
        Record& tombstone = batch.emplace_back();
        tombstone.key = records[k].key;
        tombstone.stamp.time = records[k].stamp.time;
        tombstone.is_tombstone = true;
      }
      for (const auto& result : host_->WriteAll(std::move(batch))) {
        if (!result.ok()) return ErrorOf(result.status());
        response.set_files(response.files() + 1);
      }
    }
    if (records.size() < gossip_store::GossipHost::kListMax) return response;
    after = records.back().key.name;
  }
}

void GossipFiles::AddCounts(api::BucketInfo* info) {
  if (host_ == nullptr || info->options().mode() != api::GOSSIP) return;
  const gossip_store::GossipTotals totals = host_->Totals(BucketId(info->id()));
  info->set_files(totals.files);
  info->set_bytes(totals.bytes);
}

// ---- put ----

GossipPut::GossipPut(const coordinator::Parts& parts, gossip_store::GossipHost* host,
                     rpc::BucketRow bucket)
    : parts_(parts), host_(host), bucket_(std::move(bucket)) {}

GossipPut::~GossipPut() {
  writer_.reset();
  if (!is_handed_over_) host_->Drop(record_.txn, record_.chunks.size());
}

absl::Status GossipPut::Begin(const api::PutHeader& header) {
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(header.name()));
  if (header.has_if_version() || header.if_absent()) {
    return GossipFiles::Refused("a condition");
  }
  header_ = header;
  record_.key = {BucketId(bucket_.id()), header.name()};
  record_.txn = host_->NewTxn();
  return absl::OkStatus();
}

absl::Status GossipPut::Append(const Slices& data, std::uint32_t crc) {
  std::size_t at = 0;
  while (at < data.size()) {
    const std::size_t part = static_cast<std::size_t>(
        std::min<std::uint64_t>(data.size() - at, chunk::kChunkBytesMax - chunk_bytes_));
    const Slices bytes = part == data.size() ? data : data.Range(at, part);
    std::uint32_t part_crc = crc;
    if (part != data.size()) {
      part_crc = 0;
      for (const auto& piece : bytes.pieces()) {
        part_crc = ExtendCrc32c(part_crc, piece.begin(), piece.size());
      }
    }
    DFS_RETURN_IF_ERROR(AppendPart(bytes, part_crc));
    at += part;
  }
  for (const auto& piece : data.pieces()) content_.Update(piece.begin(), piece.size());
  record_.crc32c = CombineCrc32c(record_.crc32c, crc, data.size());
  return absl::OkStatus();
}

absl::Status GossipPut::AppendPart(const Slices& part, std::uint32_t crc) {
  record_.size += part.size();
  if (header_.has_size() && record_.size > header_.size()) {
    return Labelled(absl::StatusCode::kInvalidArgument,
                    absl::StrCat("more bytes than the ", header_.size(), " announced"),
                    api::ErrorDetail::SIZE_MISMATCH);
  }
  if (writer_ == nullptr) {
    if (record_.chunks.size() >= gossip_store::kChunksMax) {
      return absl::OutOfRangeError("file too large: at most 16 GiB in a gossip bucket");
    }
    const ChunkId id{record_.txn, static_cast<std::uint32_t>(record_.chunks.size())};
    const std::uint64_t left = header_.has_size() ? header_.size() - (record_.size - part.size()) : part.size();
    auto writer = parts_.store->Create(id, std::min(left, chunk::kChunkBytesMax));
    if (!writer.ok()) return WithoutSpace(writer.status());
    writer_ = *std::move(writer);
  }
  const absl::Status written = writer_->AppendChecked(part.Views(), crc);
  if (absl::IsDataLoss(written) && parts_.store->Health().ok()) {
    return BadChecksum("data does not match its crc32c");
  }
  if (!written.ok()) return WithoutSpace(written);
  chunk_bytes_ += part.size();
  return chunk_bytes_ == chunk::kChunkBytesMax ? SealChunk() : absl::OkStatus();
}

absl::Status GossipPut::SealChunk() {
  DFS_ASSIGN_OR_RETURN(const chunk::ChunkInfo info, writer_->Commit(std::nullopt));
  writer_.reset();
  chunk_bytes_ = 0;
  record_.chunks.push_back(info.hash);
  return absl::OkStatus();
}

absl::StatusOr<api::PutResponse> GossipPut::Finish(const api::PutFinish& finish) {
  if (finish.size() != record_.size || (header_.has_size() && header_.size() != record_.size)) {
    return Labelled(absl::StatusCode::kInvalidArgument,
                    absl::StrCat("finished at ", finish.size(), " bytes, received ", record_.size),
                    api::ErrorDetail::SIZE_MISMATCH);
  }
  if (finish.crc32c() != record_.crc32c) return BadChecksum("the file does not match its crc32c");
  if (writer_ != nullptr) DFS_RETURN_IF_ERROR(SealChunk());
  record_.content_hash = content_.Digest();
  is_handed_over_ = true;
  const auto results = host_->WriteAll({record_});
  if (!results.front().ok()) return ErrorOf(results.front().status());
  record_.stamp = *results.front();
  api::PutResponse response;
  *response.mutable_info() = InfoOf(record_, bucket_);
  response.mutable_info()->set_replicas_ok(1);
  response.set_replicas(1);
  return response;
}

}  // namespace dfs::gateway
