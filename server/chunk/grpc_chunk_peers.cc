#include "server/chunk/grpc_chunk_peers.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"
#include "server/chunk/local_chunk_store.h"
#include "server/chunk/replica_limits.h"

namespace dfs::chunk {
namespace {

constexpr std::uint64_t kBlock = BlockChecksums::kBlockBytes;

absl::Status NoAddress(NodeId node) {
  return absl::UnavailableError(absl::StrCat("the address of node ", node.value(), " is not known"));
}

void SetTimeout(grpc::ClientContext* context, absl::Duration timeout) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
}

// What a stream ended with.
absl::Status EndOf(const grpc::Status& status, const ProgressGuard::Watch& watch) {
  if (watch.has_fired()) return absl::DeadlineExceededError("the node made no progress in time");
  if (status.ok()) return absl::InternalError("the node ended the stream early");
  return FromGrpc(status);
}

class FailedWriter final : public RemoteChunkWriter {
 public:
  explicit FailedWriter(absl::Status status) : status_(std::move(status)) {}
  absl::Status Write(const Slices& /*data*/, std::uint32_t /*crc*/) override { return status_; }
  absl::StatusOr<rpc::ChunkAck> Finish(std::uint64_t /*size*/, Hash128 /*hash*/) override {
    return status_;
  }
  void Cancel() override {}

 private:
  const absl::Status status_;
};

class GrpcChunkWriter final : public RemoteChunkWriter {
 public:
  GrpcChunkWriter(std::shared_ptr<const ReplicaMethods> methods, ProgressGuard* guard,
                  const ChunkId& chunk, absl::Duration progress_timeout)
      : methods_(std::move(methods)),
        watch_(guard, progress_timeout, [this] { context_.TryCancel(); }),
        chunk_(chunk),
        stream_(methods_->write_chunk.Start(&context_, &ack_)) {}

  ~GrpcChunkWriter() override {
    if (end_) return;
    context_.TryCancel();
    [[maybe_unused]] const auto status = stream_->Finish();
  }

  absl::Status Write(const Slices& data, std::uint32_t crc) override {
    if (end_) return *end_;
    WithData<rpc::WriteChunkRequest> request = NextRequest();
    request.message.set_crc32c(crc);
    request.data = data;
    sent_ += data.size();
    return Send(request, grpc::WriteOptions());
  }

  absl::StatusOr<rpc::ChunkAck> Finish(std::uint64_t size, Hash128 hash) override {
    if (end_) return *end_;
    WithData<rpc::WriteChunkRequest> request = NextRequest();
    request.message.mutable_finish()->set_size(size);
    *request.message.mutable_finish()->mutable_hash() = ToWire(hash);
    DFS_RETURN_IF_ERROR(Send(request, grpc::WriteOptions().set_last_message()));
    watch_.Begin();
    const grpc::Status status = stream_->Finish();
    watch_.End();
    end_ = status.ok() ? absl::FailedPreconditionError("the writer has ended")
                       : EndOf(status, watch_);
    if (!status.ok()) return *end_;
    if (ack_.size() != size || HashFromWire(ack_.hash()) != hash) {
      return absl::DataLossError("the node acknowledged other bytes than were sent");
    }
    return ack_;
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  WithData<rpc::WriteChunkRequest> NextRequest() {
    WithData<rpc::WriteChunkRequest> request;
    if (!has_begun_) *request.message.mutable_header()->mutable_chunk() = ToWire(chunk_);
    has_begun_ = true;
    request.message.set_offset(sent_);
    return request;
  }
  absl::Status Send(const WithData<rpc::WriteChunkRequest>& request,
                    const grpc::WriteOptions& options) {
    watch_.Begin();
    const bool is_sent = stream_->Write(request, options);
    // Why not is known once the stream ends, which it has from the other side.
    if (!is_sent) end_ = EndOf(stream_->Finish(), watch_);
    watch_.End();
    return end_.value_or(absl::OkStatus());
  }

  const std::shared_ptr<const ReplicaMethods> methods_;
  grpc::ClientContext context_;
  ProgressGuard::Watch watch_;
  const ChunkId chunk_;
  rpc::ChunkAck ack_;
  const std::unique_ptr<grpc::ClientWriter<WithData<rpc::WriteChunkRequest>>> stream_;
  bool has_begun_ = false;
  std::uint64_t sent_ = 0;
  std::optional<absl::Status> end_;  // once the stream has ended
};

class GrpcChunkReader final : public RemoteChunkReader {
 public:
  GrpcChunkReader(std::shared_ptr<const ReplicaMethods> methods, ProgressGuard* guard,
                  const rpc::ReadChunkRequest& request, absl::Duration progress_timeout)
      : methods_(std::move(methods)),
        watch_(guard, progress_timeout, [this] { context_.TryCancel(); }),
        stream_(methods_->read_chunk.Start(&context_, request)) {}

  ~GrpcChunkReader() override {
    if (end_) return;
    context_.TryCancel();
    [[maybe_unused]] const auto status = stream_->Finish();
  }

  // Receives size and table. Call once, first.
  absl::Status Begin(std::uint64_t offset, std::uint64_t length) {
    DFS_RETURN_IF_ERROR(Receive());
    size_ = response_.message.size();
    table_.assign(response_.message.table().begin(), response_.message.table().end());
    if (size_ > kChunkBytesMax || table_.size() != BlockChecksums::BlockCount(size_) ||
        offset > size_) {
      return absl::DataLossError("the node describes a chunk that cannot be");
    }
    next_ = offset / kBlock * kBlock;
    const std::uint64_t wanted = offset + std::min(length, size_ - offset);
    range_end_ = std::min(size_, (wanted + kBlock - 1) / kBlock * kBlock);
    return absl::OkStatus();
  }

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return table_; }

  absl::StatusOr<Piece> Next() override {
    if (next_ >= range_end_) return Piece{.offset = next_};
    // The first message may carry bytes too.
    while (response_.data.empty()) DFS_RETURN_IF_ERROR(Receive());
    Piece piece{.offset = response_.message.offset(), .data = std::move(response_.data)};
    response_.data.Clear();
    const std::uint64_t end = next_ + piece.data.size();
    if (piece.offset != next_ || end > range_end_ || (end % kBlock != 0 && end != size_)) {
      return absl::DataLossError("the node sent bytes that were not asked for");
    }
    next_ = end;
    return piece;
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  absl::Status Receive() {
    if (end_) return *end_;
    watch_.Begin();
    if (!stream_->Read(&response_)) {
      end_ = EndOf(stream_->Finish(), watch_);
      response_ = {};
    }
    watch_.End();
    return end_.value_or(absl::OkStatus());
  }

  const std::shared_ptr<const ReplicaMethods> methods_;
  grpc::ClientContext context_;
  ProgressGuard::Watch watch_;
  const std::unique_ptr<grpc::ClientReader<WithData<rpc::ReadChunkResponse>>> stream_;
  std::uint64_t size_ = 0;
  std::vector<std::uint32_t> table_;
  std::uint64_t next_ = 0;       // the next byte that must come
  std::uint64_t range_end_ = 0;  // whole blocks
  WithData<rpc::ReadChunkResponse> response_;
  std::optional<absl::Status> end_;  // once the stream has ended
};

}  // namespace

GrpcChunkPeers::GrpcChunkPeers(PeerChannels* channels)
    : channels_(channels),
      callbacks_("chunk-peers"),
      small_writes_([this](NodeId node) { return MethodsOf(node, ChannelUse::kControl); },
                    &callbacks_),
      confirms_([this](NodeId node) { return MethodsOf(node, ChannelUse::kControl); },
                &callbacks_),
      relinks_([this](NodeId node) { return MethodsOf(node, ChannelUse::kControl); },
               &callbacks_) {}

GrpcChunkPeers::~GrpcChunkPeers() {
  small_writes_.Stop();
  confirms_.Stop();
  relinks_.Stop();
  Event is_drained;  // every callback runs
  callbacks_.Post([&is_drained] { is_drained.Set(); });
  is_drained.Wait();
}

std::shared_ptr<const ReplicaMethods> GrpcChunkPeers::MethodsOf(NodeId node, ChannelUse use) {
  const auto channel = channels_->Get(node, use);
  if (channel == nullptr) return nullptr;
  MutexLock lock(&mutex_);
  auto& methods = methods_[{node, use}];
  // Another channel means another address.
  if (methods == nullptr || methods->channel != channel) {
    methods = std::make_shared<const ReplicaMethods>(channel);
  }
  return methods;
}

std::unique_ptr<RemoteChunkWriter> GrpcChunkPeers::Write(NodeId node, const ChunkId& chunk,
                                                         absl::Duration progress_timeout) {
  auto methods = MethodsOf(node, ChannelUse::kBulk);
  if (methods == nullptr) return std::make_unique<FailedWriter>(NoAddress(node));
  return std::make_unique<GrpcChunkWriter>(std::move(methods), &guard_, chunk, progress_timeout);
}

absl::StatusOr<std::unique_ptr<RemoteChunkReader>> GrpcChunkPeers::Read(
    NodeId node, const ChunkId& chunk, std::uint64_t offset, std::uint64_t length,
    absl::Duration progress_timeout, std::uint64_t bytes_per_s_max) {
  auto methods = MethodsOf(node, ChannelUse::kBulk);
  if (methods == nullptr) return NoAddress(node);
  rpc::ReadChunkRequest request;
  request.set_bytes_per_s_max(bytes_per_s_max);
  *request.mutable_chunk() = ToWire(chunk);
  request.set_offset(offset);
  request.set_length(length);
  auto reader =
      std::make_unique<GrpcChunkReader>(std::move(methods), &guard_, request, progress_timeout);
  DFS_RETURN_IF_ERROR(reader->Begin(offset, length));
  return reader;
}

void GrpcChunkPeers::WriteSmall(NodeId node, const ChunkInfo& info, Slices data,
                                absl::Duration timeout, AckCallback done) {
  small_writes_.Submit(node, {info, std::move(data)}, timeout, std::move(done));
}

void GrpcChunkPeers::Confirm(NodeId node, LogIndex read_index, rpc::ConfirmItem item,
                             absl::Duration timeout, VerdictCallback done) {
  confirms_.Submit(node, {read_index, std::move(item)}, timeout, std::move(done));
}

void GrpcChunkPeers::RelinkAll(NodeId node, std::vector<Relink> items, absl::Duration timeout,
                               AckCallback done) {
  relinks_.Submit(node, std::move(items), timeout, std::move(done));
}

absl::StatusOr<rpc::ChunkAck> GrpcChunkPeers::Copy(NodeId node,
                                                   const rpc::CopyChunkRequest& request,
                                                   absl::Duration progress_timeout) {
  const auto methods = MethodsOf(node, ChannelUse::kBulk);
  if (methods == nullptr) return NoAddress(node);
  grpc::ClientContext context;
  SetTimeout(&context, progress_timeout);
  rpc::ChunkAck response;
  DFS_RETURN_IF_ERROR(FromGrpc(methods->copy_chunk.Call(&context, request, &response)));
  return response;
}

absl::StatusOr<api::ScrubStatus> GrpcChunkPeers::Scrub(NodeId node, bool start,
                                                       absl::Duration timeout) {
  const auto methods = MethodsOf(node, ChannelUse::kControl);
  if (methods == nullptr) return NoAddress(node);
  grpc::ClientContext context;
  SetTimeout(&context, timeout);
  rpc::ScrubNodeRequest request;
  request.set_start(start);
  api::ScrubStatus response;
  DFS_RETURN_IF_ERROR(FromGrpc(methods->scrub.Call(&context, request, &response)));
  return response;
}

absl::StatusOr<api::CollectStatus> GrpcChunkPeers::Collect(NodeId node,
                                                           const rpc::CollectNodeRequest& request,
                                                           absl::Duration timeout) {
  const auto methods = MethodsOf(node, ChannelUse::kControl);
  if (methods == nullptr) return NoAddress(node);
  grpc::ClientContext context;
  SetTimeout(&context, timeout);
  api::CollectStatus response;
  DFS_RETURN_IF_ERROR(FromGrpc(methods->collect.Call(&context, request, &response)));
  return response;
}

absl::Status GrpcChunkPeers::List(NodeId node,
                                  const std::function<bool(const rpc::SmallChunk&)>& visit,
                                  absl::Duration timeout) {
  const auto methods = MethodsOf(node, ChannelUse::kControl);
  if (methods == nullptr) return NoAddress(node);
  grpc::ClientContext context;
  SetTimeout(&context, timeout);
  const auto stream = methods->list_chunks.Start(&context, rpc::ListChunksRequest());
  rpc::ListChunksResponse page;
  bool wants_more = true;
  while (wants_more && stream->Read(&page)) {
    for (const auto& chunk : page.chunks()) {
      wants_more = visit(chunk);
      if (!wants_more) break;
    }
  }
  if (!wants_more) context.TryCancel();
  const absl::Status status = FromGrpc(stream->Finish());
  return wants_more ? status : absl::OkStatus();
}

}  // namespace dfs::chunk
