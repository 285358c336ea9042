#include "server/chunk/replica_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/checksum.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "common/sync.h"
#include "proto/wire_status.h"
#include "server/chunk/byte_pace.h"
#include "server/chunk/chunk_copy.h"
#include "server/chunk/local_chunk_store.h"
#include "server/chunk/replica_limits.h"

namespace dfs::chunk {
namespace {

using Detail = api::ErrorDetail;

grpc::Status Overloaded() {
  return ToGrpc(ErrorWithReason(absl::StatusCode::kResourceExhausted,
                                "this node has too many such calls under way",
                                Detail::OVERLOADED));
}

absl::Status SizeMismatch(std::string_view message) {
  return ErrorWithReason(absl::StatusCode::kInvalidArgument, message, Detail::SIZE_MISMATCH);
}

// A buffer that the transport takes over as it is.
class ReadBuffer {
 public:
  explicit ReadBuffer(std::size_t bytes)
      : bytes_(bytes), memory_(std::make_unique_for_overwrite<char[]>(bytes)) {}
  [[nodiscard]] std::span<char> span() { return {memory_.get(), bytes_}; }
  Slices Release() {
    Slices out;
    out.Append(grpc::Slice(memory_.release(), bytes_,
                           [](void* memory) { delete[] static_cast<char*>(memory); }));
    return out;
  }

 private:
  const std::size_t bytes_;
  std::unique_ptr<char[]> memory_;
};

}  // namespace

ReplicaService::ReplicaService(Parts parts) : parts_(std::move(parts)) {
  AddClientStreaming("/dfs.internal.v1.Replicas/WriteChunk", &ReplicaService::WriteChunk);
  AddUnary("/dfs.internal.v1.Replicas/WriteSmall", &ReplicaService::WriteSmall);
  AddUnary("/dfs.internal.v1.Replicas/Relink", &ReplicaService::Relink);
  AddServerStreaming("/dfs.internal.v1.Replicas/ReadChunk", &ReplicaService::ReadChunk);
  AddUnary("/dfs.internal.v1.Replicas/Confirm", &ReplicaService::Confirm);
  AddUnary("/dfs.internal.v1.Replicas/CopyChunk", &ReplicaService::CopyChunk);
  AddServerStreaming("/dfs.internal.v1.Replicas/ListChunks", &ReplicaService::ListChunks);
  AddUnary("/dfs.internal.v1.Replicas/Scrub", &ReplicaService::Scrub);
  AddUnary("/dfs.internal.v1.Replicas/Collect", &ReplicaService::Collect);
}

grpc::Status ReplicaService::Answer(const absl::Status& status) const {
  if (status.ok() || DetailOf(status)) return ToGrpc(status);
  const std::string message(status.message());
  if (absl::IsDataLoss(status)) {
    return ToGrpc(parts_.store->Health().ok()
                      ? ErrorWithReason(status.code(), message, Detail::BAD_CHECKSUM)
                      : ErrorWithReason(status.code(), message, Detail::REASON_UNSPECIFIED,
                                        Detail::UNKNOWN));
  }
  if (absl::IsResourceExhausted(status)) {
    return ToGrpc(ErrorWithReason(status.code(), message, Detail::NO_SPACE));
  }
  return ToGrpc(status);
}

rpc::ChunkAck ReplicaService::AckOf(const ChunkInfo& info) const {
  rpc::ChunkAck out;
  *out.mutable_chunk() = ToWire(info.id);
  *out.mutable_ack() = parts_.own_ack();
  out.set_size(info.size);
  *out.mutable_hash() = ToWire(info.hash);
  return out;
}

grpc::Status ReplicaService::WriteChunk(
    grpc::ServerContext* context, grpc::ServerReader<WithData<rpc::WriteChunkRequest>>* reader,
    rpc::ChunkAck* response) {
  const Admission::Ticket ticket(&writes_);
  if (!ticket.is_admitted()) return Overloaded();
  return Answer(ReceiveChunk(context, reader, response));
}

absl::Status ReplicaService::ReceiveChunk(
    grpc::ServerContext* context, grpc::ServerReader<WithData<rpc::WriteChunkRequest>>* reader,
    rpc::ChunkAck* response) {
  ProgressGuard::Watch watch(&guard_, parts_.write_stall_timeout, [context] { context->TryCancel(); });
  ChunkId chunk;
  std::unique_ptr<ChunkWriter> writer;
  std::uint64_t received = 0;
  WithData<rpc::WriteChunkRequest> request;
  while (true) {
    watch.Begin();
    const bool has_message = reader->Read(&request);
    watch.End();
    if (context->IsCancelled()) return absl::CancelledError("cancelled");
    if (!has_message) return SizeMismatch("the stream ended without `finish`");
    const auto& message = request.message;
    if (message.has_header() != (writer == nullptr)) {
      return absl::InvalidArgumentError("`header` belongs into the first message only");
    }
    if (writer == nullptr) {
      chunk = FromWire(message.header().chunk());
      DFS_ASSIGN_OR_RETURN(writer, parts_.store->Create(chunk, 0));
    }
    if (request.data.size() > kWriteBytesMax) return SizeMismatch("too many bytes in a message");
    if (!request.data.empty()) {
      if (message.offset() != received) return SizeMismatch("`offset` is not what was sent so far");
      DFS_RETURN_IF_ERROR(writer->AppendChecked(request.data.Views(), message.crc32c()));
      received += request.data.size();
    }
    if (!message.has_finish()) continue;
    if (message.finish().size() != received) return SizeMismatch("`finish.size` was not sent");
    const ChunkInfo info{chunk, received, HashFromWire(message.finish().hash())};
    DFS_ASSIGN_OR_RETURN(const ChunkInfo stored, writer->Commit(info));
    *response = AckOf(stored);
    return absl::OkStatus();
  }
}

grpc::Status ReplicaService::WriteSmall(grpc::ServerContext* /*context*/,
                                        const WithData<rpc::WriteSmallRequest>* request,
                                        rpc::WriteSmallResponse* response) {
  const Admission::Ticket ticket(&small_writes_);
  if (!ticket.is_admitted()) return Overloaded();
  return Answer(StoreSmall(*request, response));
}

absl::Status ReplicaService::StoreSmall(const WithData<rpc::WriteSmallRequest>& request,
                                        rpc::WriteSmallResponse* response) {
  const auto& chunks = request.message.chunks();
  if (static_cast<std::size_t>(chunks.size()) > kSmallBatchMax ||
      request.data.size() > kSmallBatchBytes) {
    return absl::InvalidArgumentError("too many small chunks in a message");
  }
  const auto count = static_cast<std::size_t>(chunks.size());
  std::vector<SmallWrite> writes;
  writes.reserve(count);
  std::vector<Slices> parts(count);       // short slices hold their bytes themselves: they must stay
  std::vector<std::string> joined(count);  // only of bytes that came in several slices
  std::size_t offset = 0;
  for (const auto& chunk : chunks) {
    if (chunk.size() > request.data.size() - offset) return SizeMismatch("fewer bytes than sizes");
    const std::size_t i = writes.size();
    parts[i] = request.data.Range(offset, chunk.size());
    offset += chunk.size();
    const auto pieces = parts[i].Views();
    if (pieces.size() > 1) joined[i] = parts[i].ToString();
    const std::string_view bytes = pieces.size() == 1 ? pieces[0] : std::string_view(joined[i]);
    writes.push_back({{FromWire(chunk.chunk()), chunk.size(), HashFromWire(chunk.hash())}, bytes});
  }
  if (offset != request.data.size()) return SizeMismatch("more bytes than sizes");
  for (const absl::Status& status : parts_.store->PutSmall(writes)) {
    auto* result = response->add_results();
    result->set_error_code(status.raw_code());
    if (!status.ok()) result->set_error_message(std::string(status.message()));
  }
  *response->mutable_ack() = parts_.own_ack();
  return absl::OkStatus();
}

grpc::Status ReplicaService::Relink(grpc::ServerContext* /*context*/,
                                    const rpc::RelinkRequest* request,
                                    rpc::RelinkResponse* response) {
  if (static_cast<std::size_t>(request->items_size()) > kRelinksMax) {
    return Answer(absl::InvalidArgumentError("too many chunks to relink"));
  }
  std::vector<chunk::Relink> items;
  items.reserve(static_cast<std::size_t>(request->items_size()));
  for (const auto& item : request->items()) {
    items.push_back(
        {FromWire(item.old()), FromWire(item.new_()), item.size(), HashFromWire(item.hash())});
  }
  const absl::Status status = parts_.store->RelinkAll(items);
  if (status.ok()) *response->mutable_ack() = parts_.own_ack();
  return Answer(status);
}

grpc::Status ReplicaService::ReadChunk(grpc::ServerContext* context,
                                       const rpc::ReadChunkRequest* request,
                                       grpc::ServerWriter<WithData<rpc::ReadChunkResponse>>* writer) {
  const Admission::Ticket ticket(&reads_);
  if (!ticket.is_admitted()) return Overloaded();
  return Answer(SendChunk(context, *request, writer));
}

void ReplicaService::Pause(const grpc::ServerContext* context, absl::Duration pause) {
  if (pause <= absl::ZeroDuration() || context->IsCancelled()) return;
  Event never;
  never.WaitFor(pause);
}

absl::Status ReplicaService::SendChunk(
    grpc::ServerContext* context, const rpc::ReadChunkRequest& request,
    grpc::ServerWriter<WithData<rpc::ReadChunkResponse>>* writer) {
  constexpr std::uint64_t kBlockBytes = BlockChecksums::kBlockBytes;
  ProgressGuard::Watch watch(&guard_, parts_.stall_timeout, [context] { context->TryCancel(); });
  DFS_ASSIGN_OR_RETURN(const auto reader, parts_.store->Open(FromWire(request.chunk())));
  const std::uint64_t size = reader->info().size;
  if (request.offset() > size || (request.length() == 0 && size != 0)) {
    return absl::OutOfRangeError("no such range in the chunk");
  }
  std::uint64_t offset = request.offset() / kBlockBytes * kBlockBytes;
  // The last block that holds a byte asked for, to its end; the first term also keeps the sum in range.
  const std::uint64_t length = std::min(request.length(), size - request.offset());
  const std::uint64_t end =
      std::min(size, (request.offset() + length + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  WithData<rpc::ReadChunkResponse> response;
  response.message.set_size(size);
  response.message.mutable_table()->Add(reader->table().begin(), reader->table().end());
  BytePace pace(request.bytes_per_s_max() == 0
                    ? 0
                    : std::max(request.bytes_per_s_max(), kPacedBytesPerSecondMin));
  const std::uint64_t piece = pace.is_limited() ? kPacedReadBytes : kReadBytes;
  do {
    const auto bytes = static_cast<std::size_t>(std::min(piece, end - offset));
    if (bytes > 0) {
      ReadBuffer buffer(bytes);
      DFS_RETURN_IF_ERROR(reader->Read(offset, buffer.span()));
      response.data = buffer.Release();
    }
    response.message.set_offset(offset);
    watch.Begin();
    const bool is_sent = writer->Write(response);
    watch.End();
    if (!is_sent) return absl::CancelledError("cancelled");
    response = {};
    offset += bytes;
    if (offset < end) Pause(context, pace.Spend(bytes, SystemClock().Now()));
  } while (offset < end);
  return absl::OkStatus();
}

grpc::Status ReplicaService::Confirm(grpc::ServerContext* /*context*/,
                                     const rpc::ConfirmRequest* request,
                                     rpc::ConfirmResponse* response) {
  const Admission::Ticket ticket(&confirms_);
  if (!ticket.is_admitted()) return Overloaded();
  if (static_cast<std::size_t>(request->items_size()) > kConfirmBatchMax) {
    return Answer(absl::InvalidArgumentError("too many items to confirm"));
  }
  const LogIndex read_index(request->read_index());
  bool is_lagging = false;
  for (const auto& item : request->items()) {
    const auto verdict = is_lagging ? rpc::ConfirmResponse::LAGGING
                                    : parts_.confirmer->Confirm(read_index, item);
    is_lagging = verdict == rpc::ConfirmResponse::LAGGING;
    response->add_verdicts(verdict);
  }
  *response->mutable_ack() = parts_.own_ack();
  return grpc::Status::OK;
}

grpc::Status ReplicaService::CopyChunk(grpc::ServerContext* /*context*/,
                                       const rpc::CopyChunkRequest* request,
                                       rpc::ChunkAck* response) {
  const Admission::Ticket ticket(&copies_);
  if (!ticket.is_admitted()) return Overloaded();
  std::vector<NodeId> sources;
  const std::uint32_t own_id = parts_.own_ack().node_id();
  for (const std::uint32_t source : request->sources()) {
    if (source != own_id) sources.emplace_back(source);
  }
  const ChunkInfo info{FromWire(request->chunk()), request->size(), HashFromWire(request->hash())};
  CopyOrigin origin = CopyOrigin::kCopied;
  const auto copied = chunk::CopyChunk(parts_.store, parts_.peers, info, sources, parts_.set_aside,
                                       &origin, request->bytes_per_s_max());
  if (copied.ok()) {
    *response = AckOf(*copied);
    response->set_origin(origin == CopyOrigin::kHeld      ? rpc::ChunkAck::HELD
                         : origin == CopyOrigin::kAdopted ? rpc::ChunkAck::ADOPTED
                                                          : rpc::ChunkAck::COPIED);
  }
  return Answer(copied.status());
}

grpc::Status ReplicaService::Scrub(grpc::ServerContext* /*context*/,
                                   const rpc::ScrubNodeRequest* request,
                                   api::ScrubStatus* response) {
  if (parts_.scrubber == nullptr) return Answer(absl::UnimplementedError("no scrubber here"));
  if (request->start()) parts_.scrubber->StartPass();
  *response = chunk::ToWire(parts_.scrubber->GetStatus());
  response->set_node_id(parts_.own_ack().node_id());
  return grpc::Status::OK;
}

grpc::Status ReplicaService::Collect(grpc::ServerContext* /*context*/,
                                     const rpc::CollectNodeRequest* request,
                                     api::CollectStatus* response) {
  if (!parts_.collect) return Answer(absl::UnimplementedError("no collector here"));
  *response = parts_.collect(*request);
  return grpc::Status::OK;
}

grpc::Status ReplicaService::ListChunks(grpc::ServerContext* context,
                                        const rpc::ListChunksRequest* /*request*/,
                                        grpc::ServerWriter<rpc::ListChunksResponse>* writer) {
  const Admission::Ticket ticket(&reads_);
  if (!ticket.is_admitted()) return Overloaded();
  ProgressGuard::Watch watch(&guard_, parts_.stall_timeout, [context] { context->TryCancel(); });
  std::optional<ChunkId> after;
  while (true) {
    // Page by page, so that no view of the index is held while the network is waited for.
    rpc::ListChunksResponse page;
    std::size_t seen = 0;
    parts_.store->ForEach(after, [&](const HeldChunk& held) {
      after = held.info.id;
      if (!held.is_damaged) {
        auto* chunk = page.add_chunks();
        *chunk->mutable_chunk() = ToWire(held.info.id);
        chunk->set_size(static_cast<std::uint32_t>(held.info.size));
        *chunk->mutable_hash() = ToWire(held.info.hash);
      }
      return ++seen < kListPage;
    });
    watch.Begin();
    const bool is_sent = page.chunks().empty() || writer->Write(page);
    watch.End();
    if (!is_sent) return Answer(absl::CancelledError("cancelled"));
    if (seen < kListPage) return grpc::Status::OK;
  }
}

api::ScrubStatus ToWire(const ScrubStatus& status) {
  const auto micros = [](absl::Time time) {
    return time == absl::InfinitePast() ? 0 : absl::ToUnixMicros(time);
  };
  api::ScrubStatus out;
  out.set_is_running(status.progress.is_running);
  out.set_is_asked_for(status.progress.is_asked_for);
  out.set_chunks(status.progress.chunks);
  out.set_bytes(status.progress.bytes);
  out.set_stored_bytes(status.stored_bytes);
  out.set_bad(status.progress.bad);
  out.set_corrupt_chunks(status.bad_chunks);
  out.set_quarantined_objects(status.quarantined_objects);
  out.set_rate(status.rate_bytes_per_second);
  out.set_started_us(micros(status.progress.started));
  out.set_finished_us(micros(status.progress.finished));
  return out;
}

}  // namespace dfs::chunk
