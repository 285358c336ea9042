#include "server/gateway/file_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"
#include "server/coordinator/put_operation.h"

namespace dfs::gateway {
namespace {

constexpr std::size_t kDataBytesMax = std::size_t{2} << 20;
constexpr int kPageSize = 1'000;

absl::Status TooManyStreams() {
  return ErrorWithReason(absl::StatusCode::kResourceExhausted,
                         "too many transfers at this node; try another or later",
                         api::ErrorDetail::OVERLOADED);
}

// A result names no chunks, but says how many copies there are, and an Undelete's how many chunks.
api::FileInfo InfoOfResult(const rpc::CommandResult& result, const rpc::BucketRow& bucket) {
  api::FileInfo info = coordinator::InfoOf(result.version(), bucket);
  info.set_replicas_ok(result.replicas());
  info.set_chunks(static_cast<std::uint32_t>(result.count()));
  return info;
}

// A Move's result counts in its version number of before.
void SetMoved(const rpc::CommandResult& result, const rpc::BucketRow& bucket,
              api::MoveResponse& response) {
  *response.mutable_info() = coordinator::InfoOf(result.version(), bucket);
  response.mutable_info()->set_replicas_ok(result.replicas());
  response.set_source_version(result.count());
}

}  // namespace

FileService::FileService(const coordinator::Parts& parts, PeerChannels* channels)
    : parts_(parts), reads_(parts, &guard_), relay_(channels, &guard_), buckets_(parts) {
  AddClientStreaming("/dfs.v1.Files/Put", &FileService::Put);
  AddServerStreaming("/dfs.v1.Files/Get", &FileService::Get);
  AddUnary("/dfs.v1.Files/Remove", &FileService::Remove);
  AddUnary("/dfs.v1.Files/Move", &FileService::Move);
  AddUnary("/dfs.v1.Files/MakeBucket", &FileService::MakeBucket);
  AddUnary("/dfs.v1.Files/RemoveBucket", &FileService::RemoveBucket);
  AddUnary("/dfs.v1.Files/ListBuckets", &FileService::ListBuckets);
  AddUnary("/dfs.v1.Files/Undelete", &FileService::Undelete);
  AddUnary("/dfs.v1.Files/Stat", &FileService::Stat);
  AddUnary("/dfs.v1.Files/Locate", &FileService::Locate);
  AddServerStreaming("/dfs.v1.Files/List", &FileService::List);
  AddServerStreaming("/dfs.v1.Files/ListHere", &FileService::ListHere);
  AddUnary("/dfs.v1.Files/Clear", &FileService::Clear);
  AddUnary("/dfs.v1.Files/Settle", &FileService::Settle);
}

grpc::Status FileService::Put(grpc::ServerContext* context,
                              grpc::ServerReader<WithData<api::PutRequest>>* reader,
                              api::PutResponse* response) {
  const Admission::Ticket ticket(&streams_);
  if (!ticket.is_admitted()) return ToGrpc(TooManyStreams());
  return ToGrpc(PutStream(context, reader, response));
}

absl::Status FileService::PutStream(grpc::ServerContext* context,
                                    grpc::ServerReader<WithData<api::PutRequest>>* reader,
                                    api::PutResponse* response) {
  ProgressGuard::Watch watch(&guard_, FileReads::kStallTimeout,
                             [context] { context->TryCancel(); });
  WithData<api::PutRequest> request;
  coordinator::PutOperation put(parts_);
  std::uint64_t received = 0;
  bool is_first = true;
  while (true) {
    watch.Begin();
    const bool has_message = reader->Read(&request);
    watch.End();
    if (!has_message) break;
    const api::PutRequest& message = request.message;
    if (is_first != message.has_header()) {
      return absl::InvalidArgumentError("the first message, and no other, must have a header");
    }
    if (is_first) DFS_RETURN_IF_ERROR(put.Begin(message.header()));
    is_first = false;
    if (!request.data.empty()) {
      if (request.data.size() > kDataBytesMax) {
        return absl::InvalidArgumentError("data longer than 2 MiB in one message");
      }
      if (message.offset() != received) {
        return absl::InvalidArgumentError(
            absl::StrCat("data at offset ", message.offset(), ", expected ", received));
      }
      DFS_RETURN_IF_ERROR(put.Append(request.data, message.crc32c()));
      received += request.data.size();
      request.data.Clear();
    }
    if (message.has_finish()) {
      DFS_ASSIGN_OR_RETURN(*response, put.Finish(message.finish()));
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError("the stream ended without a finish; nothing was stored");
}

grpc::Status FileService::Read(
    const std::function<absl::Status(absl::Duration lag_max)>& here,
    const std::function<std::optional<absl::Status>(NodeId node)>& there) {
  const MonotonicTime start = parts_.clock->Now();
  const absl::Status status = here(coordinator::kLagMax);
  if (!coordinator::IsLagging(status)) return ToGrpc(status);
  if (const NodeId leader = parts_.leader_id(); !leader.is_none() && leader != parts_.self) {
    if (const auto word = there(leader)) return ToGrpc(*word);
  }
  const absl::Duration left = coordinator::kQuorumTimeout - (parts_.clock->Now() - start);
  return ToGrpc(here(std::max(left, coordinator::kLagMax)));
}

grpc::Status FileService::Get(grpc::ServerContext* context, const api::GetRequest* request,
                              grpc::ServerWriter<WithData<api::GetResponse>>* writer) {
  const Admission::Ticket ticket(&streams_);
  if (!ticket.is_admitted()) return ToGrpc(TooManyStreams());
  return Read(
      [&](absl::Duration lag_max) { return reads_.Get(context, *request, lag_max, writer); },
      [&](NodeId node) { return relay_.Get(node, *context, *request, writer); });
}

grpc::Status FileService::Stat(grpc::ServerContext* context, const api::StatRequest* request,
                               api::StatResponse* response) {
  return Read([&](absl::Duration lag_max) { return reads_.Stat(*request, lag_max, response); },
              [&](NodeId node) { return relay_.Stat(node, *context, *request, response); });
}

grpc::Status FileService::Locate(grpc::ServerContext* context, const api::LocateRequest* request,
                                 api::LocateResponse* response) {
  return Read([&](absl::Duration lag_max) { return reads_.Locate(*request, lag_max, response); },
              [&](NodeId node) { return relay_.Locate(node, *context, *request, response); });
}

grpc::Status FileService::List(grpc::ServerContext* context, const api::ListRequest* request,
                               grpc::ServerWriter<api::ListResponse>* writer) {
  return Read([&](absl::Duration lag_max) { return reads_.List(*request, lag_max, writer); },
              [&](NodeId node) { return relay_.List(node, *context, *request, writer); });
}

grpc::Status FileService::Remove(grpc::ServerContext* /*context*/,
                                 const api::RemoveRequest* request, api::RemoveResponse* response) {
  const auto remove = [&]() -> absl::Status {
    DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request->name()));
    DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request->request_id()));
    DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                         coordinator::FindBucketOfChange(parts_, request->bucket()));
    rpc::Command command;
    rpc::RemoveFile& file = *command.mutable_remove_file();
    *file.mutable_request_id() = request->request_id();
    file.set_bucket_id(bucket.id());
    file.set_name(request->name());
    if (request->has_if_version()) file.set_if_version(request->if_version());
    if (request->has_version()) file.set_version(request->version());
    DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                         parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
    DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
    response->set_version(result.version().number());
    return absl::OkStatus();
  };
  return ToGrpc(remove());
}

grpc::Status FileService::Move(grpc::ServerContext* /*context*/, const api::MoveRequest* request,
                               api::MoveResponse* response) {
  const auto move = [&]() -> absl::Status {
    DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request->source()));
    DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request->target()));
    DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request->request_id()));
    DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                         coordinator::FindBucketOfChange(parts_, request->bucket()));
    rpc::Command command;
    rpc::MoveFile& file = *command.mutable_move_file();
    *file.mutable_request_id() = request->request_id();
    file.set_bucket_id(bucket.id());
    file.set_source(request->source());
    file.set_target(request->target());
    if (request->has_if_version()) file.set_if_version(request->if_version());
    file.set_if_absent(request->if_absent());
    file.set_writer(request->writer());
    DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                         parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
    DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
    SetMoved(result, bucket, *response);
    return absl::OkStatus();
  };
  return ToGrpc(move());
}

grpc::Status FileService::MakeBucket(grpc::ServerContext* /*context*/,
                                     const api::MakeBucketRequest* request,
                                     api::MakeBucketResponse* response) {
  return ToGrpc(buckets_.Make(*request, response));
}

grpc::Status FileService::RemoveBucket(grpc::ServerContext* /*context*/,
                                       const api::RemoveBucketRequest* request,
                                       api::RemoveBucketResponse* /*response*/) {
  return ToGrpc(buckets_.Remove(*request));
}

grpc::Status FileService::ListBuckets(grpc::ServerContext* /*context*/,
                                      const api::ListBucketsRequest* request,
                                      api::ListBucketsResponse* response) {
  return ToGrpc(buckets_.List(*request, response));
}

grpc::Status FileService::Undelete(grpc::ServerContext* /*context*/,
                                   const api::UndeleteRequest* request,
                                   api::UndeleteResponse* response) {
  const auto undelete = [&]() -> absl::Status {
    DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request->name()));
    DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request->request_id()));
    DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                         coordinator::FindBucketOfChange(parts_, request->bucket()));
    rpc::Command command;
    rpc::UndeleteFile& file = *command.mutable_undelete_file();
    *file.mutable_request_id() = request->request_id();
    file.set_bucket_id(bucket.id());
    file.set_name(request->name());
    if (request->has_version()) file.set_version(request->version());
    file.set_replaces(request->replace());
    DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                         parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
    DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
    *response->mutable_info() = InfoOfResult(result, bucket);
    return absl::OkStatus();
  };
  return ToGrpc(undelete());
}

grpc::Status FileService::ListHere(grpc::ServerContext* /*context*/,
                                   const api::ListHereRequest* request,
                                   grpc::ServerWriter<api::ListHereResponse>* writer) {
  const NodeId node = request->node_id() == 0 ? parts_.self : NodeId(request->node_id());
  const auto view = parts_.machine->View();
  const auto row = view->FindNode(node);
  if (!row) {
    return ToGrpc(absl::NotFoundError(absl::StrCat("no node ", node.value(), " in this cluster")));
  }
  api::ListHereResponse page;
  page.set_applied_index(view->applied_index().value());
  page.set_node(row->name());
  bool is_open = true;
  std::uint64_t listed = 0;
  const auto add = [&](const ChunkId& id, std::uint64_t size, const Hash128& hash) {
    api::HereChunk& chunk = *page.add_chunks();
    chunk.set_chunk(ToString(id));
    chunk.set_size(size);
    chunk.set_hash(ToString(hash));
    if (const auto version = view->FindVersion(id.txn)) {
      chunk.set_name(version->name());
      chunk.set_version(version->number());
      chunk.set_is_trashed(version->trashed_index() != 0);
      if (const auto bucket = view->FindBucket(BucketId(version->bucket_id()))) {
        chunk.set_bucket(bucket->name());
      }
    }
    ++listed;
    if (page.chunks_size() == kPageSize) {
      is_open = writer->Write(page);
      page.clear_chunks();
    }
    return is_open;
  };
  if (node == parts_.self) {
    parts_.store->ForEach(std::nullopt, [&](const chunk::HeldChunk& held) {
      return add(held.info.id, held.info.size, held.info.hash);
    });
  } else {
    const absl::Status status = parts_.peers->List(
        node,
        [&](const rpc::SmallChunk& chunk) {
          return add(FromWire(chunk.chunk()), chunk.size(), HashFromWire(chunk.hash()));
        },
        coordinator::kProgressTimeout);
    if (!status.ok()) return ToGrpc(status);
  }
  if (is_open && (page.chunks_size() > 0 || listed == 0)) writer->Write(page);
  return grpc::Status::OK;
}

grpc::Status FileService::Clear(grpc::ServerContext* /*context*/, const api::ClearRequest* request,
                                api::ClearResponse* response) {
  const auto clear = [&]() -> absl::Status {
    DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request->request_id()));
    DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                         coordinator::FindBucketOfChange(parts_, request->bucket()));
    rpc::Command command;
    rpc::ClearPrefix& prefix = *command.mutable_clear_prefix();
    *prefix.mutable_request_id() = request->request_id();
    prefix.set_bucket_id(bucket.id());
    prefix.set_prefix(request->prefix());
    DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                         parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
    DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
    response->set_files(result.count());
    return absl::OkStatus();
  };
  return ToGrpc(clear());
}

grpc::Status FileService::Settle(grpc::ServerContext* /*context*/,
                                 const api::SettleRequest* request, api::SettleResponse* response) {
  const auto settle = [&]() -> absl::Status {
    DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request->request_id()));
    rpc::Command command;
    *command.mutable_settle()->mutable_request_id() = request->request_id();
    DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                         parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
    if (result.code() == rpc::CommandResult::SESSION_EXPIRED ||
        result.code() == rpc::CommandResult::STALE_SEQUENCE ||
        result.code() == rpc::CommandResult::INVALID) {
      return coordinator::StatusOf(result);
    }
    if (result.settled_kind() == 0) {
      const bool is_settled =
          result.code() == rpc::CommandResult::SETTLED || result.code() == rpc::CommandResult::DONE;
      if (!is_settled) return coordinator::StatusOf(result);
      response->set_fate(api::SettleResponse::DID_NOT_HAPPEN);
      return absl::OkStatus();
    }
    // The request was decided: as done, or with an error that also changed nothing.
    const absl::Status decided = coordinator::StatusOf(result);
    if (!decided.ok()) {
      response->set_fate(api::SettleResponse::DID_NOT_HAPPEN);
      response->set_error_code(decided.raw_code());
      response->set_error_message(std::string(decided.message()));
      return absl::OkStatus();
    }
    response->set_fate(api::SettleResponse::HAPPENED);
    const auto kind = static_cast<rpc::Command::KindCase>(result.settled_kind());
    const rpc::BucketRow bucket = parts_.machine->View()
                                      ->FindBucket(BucketId(result.version().bucket_id()))
                                      .value_or(rpc::BucketRow());
    if (kind == rpc::Command::kCommitPut) {
      *response->mutable_put()->mutable_info() = InfoOfResult(result, bucket);
      response->mutable_put()->set_replicas(result.replicas());
    } else if (kind == rpc::Command::kUndeleteFile) {
      *response->mutable_undelete()->mutable_info() = InfoOfResult(result, bucket);
    } else if (kind == rpc::Command::kMoveFile) {
      SetMoved(result, bucket, *response->mutable_move());
    } else if (kind == rpc::Command::kMakeBucket) {
      *response->mutable_make_bucket()->mutable_info() =
          BucketCalls::InfoOf(*parts_.machine->View(), result.bucket());
    } else if (kind == rpc::Command::kRemoveBucket) {
      response->mutable_remove_bucket();
    } else if (kind == rpc::Command::kRemoveFile) {
      response->mutable_remove()->set_version(result.version().number());
    } else {
      response->mutable_clear()->set_files(result.count());
    }
    return absl::OkStatus();
  };
  return ToGrpc(settle());
}

}  // namespace dfs::gateway
