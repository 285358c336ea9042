#include "server/gateway/file_service.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"
#include "server/gateway/stream_sinks.h"

namespace dfs::gateway {
namespace {

constexpr std::size_t kDataBytesMax = std::size_t{2} << 20;

absl::Status TooManyStreams() {
  return ErrorWithReason(absl::StatusCode::kResourceExhausted,
                         "too many transfers at this node; try another or later",
                         api::ErrorDetail::OVERLOADED);
}

// Whom the client's certificate names; empty in plaintext.
std::string OwnerOf(const grpc::ServerContext& context) {
  std::string owner;
  for (const grpc::string_ref& name : context.auth_context()->GetPeerIdentity()) {
    owner.append(name.data(), name.size()).push_back('\0');
  }
  return owner;
}

// The answer of a change, or why there is none.
template <class Response>
grpc::Status Answer(OperationTimer timer, absl::StatusOr<Response> result, Response* response) {
  if (result.ok()) *response = *std::move(result);
  return ToGrpc(timer.End(result.status()));
}

}  // namespace

FileService::FileService(FileOperations* operations, OperationMetrics* metrics)
    : operations_(operations),
      metrics_(metrics),
      parts_(operations->parts()),
      buckets_(operations->parts(), operations->gossip_files()) {
  AddClientStreaming("/dfs.v1.Files/Put", &FileService::Put);
  AddUnary("/dfs.v1.Files/PutProgress", &FileService::PutProgress);
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
  OperationTimer timer = Timer(Operation::kPut);
  const absl::Status status = PutStream(context, reader, response, &timer);
  return ToGrpc(timer.End(status));
}

absl::Status FileService::PutStream(grpc::ServerContext* context,
                                    grpc::ServerReader<WithData<api::PutRequest>>* reader,
                                    api::PutResponse* response, OperationTimer* timer) {
  const InPhase phase(&timer->phases, Phase::kTransfer);
  ProgressGuard::Watch watch(&guard_, kStallTimeout, [context] { context->TryCancel(); });
  WithData<api::PutRequest> request;
  FilePut put = operations_->NewPut(&timer->phases);
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
    if (is_first) {
      timer->About(message.header().bucket(), message.header().name());
      DFS_RETURN_IF_ERROR(put.Begin(message.header(), message.header().has_resume_token() ? OwnerOf(*context) : ""));
    }
    is_first = false;
    if (!request.data.empty()) {
      if (request.data.size() > kDataBytesMax) {
        return absl::InvalidArgumentError("data longer than 2 MiB in one message");
      }
      const std::uint64_t expected = put.resumed_at() + timer->bytes_in;
      if (message.offset() != expected) {
        return absl::InvalidArgumentError(
            absl::StrCat("data at offset ", message.offset(), ", expected ", expected));
      }
      DFS_RETURN_IF_ERROR(put.Append(request.data, message.crc32c()));
      timer->bytes_in += request.data.size();
      request.data.Clear();
    }
    if (message.has_finish()) {
      DFS_ASSIGN_OR_RETURN(*response, put.Finish(message.finish()));
      return absl::OkStatus();
    }
    if (message.abandon()) return absl::CancelledError("abandoned; nothing was stored");
  }
  if (put.Park()) return absl::CancelledError("the stream broke; what came is kept for a while");
  return absl::InvalidArgumentError("the stream ended without a finish; nothing was stored");
}

grpc::Status FileService::PutProgress(grpc::ServerContext* context, const api::PutProgressRequest* request,
                                      api::PutProgressResponse* response) {
  auto progress = operations_->parked_puts()->Find(OwnerOf(*context), *request);
  if (progress.ok()) *response = *std::move(progress);
  return ToGrpc(progress.status());
}

grpc::Status FileService::Get(grpc::ServerContext* context, const api::GetRequest* request,
                              grpc::ServerWriter<WithData<api::GetResponse>>* writer) {
  const Admission::Ticket ticket(&streams_);
  if (!ticket.is_admitted()) return ToGrpc(TooManyStreams());
  OperationTimer timer = Timer(Operation::kGet, *request);
  StreamSink<WithData<api::GetResponse>> sink(&guard_, context, writer);
  const auto counted = [&](const WithData<api::GetResponse>& message) {
    timer.bytes_out += message.data.size();
    for (const auto& chunk : message.message.handed().chunks()) metrics_->RecordHandover(chunk.size());
    return sink(message);
  };
  return ToGrpc(timer.End(operations_->Get(context, *request, counted, &timer.phases)));
}

grpc::Status FileService::Stat(grpc::ServerContext* context, const api::StatRequest* request,
                               api::StatResponse* response) {
  OperationTimer timer = Timer(Operation::kStat, *request);
  return ToGrpc(timer.End(operations_->Stat(context, *request, response)));
}

grpc::Status FileService::Locate(grpc::ServerContext* context, const api::LocateRequest* request,
                                 api::LocateResponse* response) {
  OperationTimer timer = Timer(Operation::kLocate, *request);
  return ToGrpc(timer.End(operations_->Locate(context, *request, response)));
}

grpc::Status FileService::List(grpc::ServerContext* context, const api::ListRequest* request,
                               grpc::ServerWriter<api::ListResponse>* writer) {
  OperationTimer timer = Timer(Operation::kList);
  timer.About(request->bucket(), request->prefix());
  StreamSink<api::ListResponse> sink(&guard_, context, writer);
  return ToGrpc(timer.End(operations_->List(context, *request, std::ref(sink))));
}

grpc::Status FileService::Remove(grpc::ServerContext* /*context*/,
                                 const api::RemoveRequest* request,
                                 api::RemoveResponse* response) {
  OperationTimer timer = Timer(Operation::kRemove, *request);
  return Answer(timer, operations_->Remove(*request), response);
}

grpc::Status FileService::Move(grpc::ServerContext* /*context*/, const api::MoveRequest* request,
                               api::MoveResponse* response) {
  OperationTimer timer = Timer(Operation::kMove);
  timer.About(request->bucket(), request->source());
  return Answer(timer, operations_->Move(*request), response);
}

grpc::Status FileService::MakeBucket(grpc::ServerContext* /*context*/,
                                     const api::MakeBucketRequest* request,
                                     api::MakeBucketResponse* response) {
  OperationTimer timer = Timer(Operation::kMakeBucket);
  return ToGrpc(timer.End(buckets_.Make(*request, response)));
}

grpc::Status FileService::RemoveBucket(grpc::ServerContext* /*context*/,
                                       const api::RemoveBucketRequest* request,
                                       api::RemoveBucketResponse* /*response*/) {
  OperationTimer timer = Timer(Operation::kRemoveBucket);
  return ToGrpc(timer.End(buckets_.Remove(*request)));
}

grpc::Status FileService::ListBuckets(grpc::ServerContext* /*context*/,
                                      const api::ListBucketsRequest* request,
                                      api::ListBucketsResponse* response) {
  OperationTimer timer = Timer(Operation::kListBuckets);
  return ToGrpc(timer.End(buckets_.List(*request, response)));
}

grpc::Status FileService::Undelete(grpc::ServerContext* /*context*/,
                                   const api::UndeleteRequest* request,
                                   api::UndeleteResponse* response) {
  OperationTimer timer = Timer(Operation::kUndelete, *request);
  return Answer(timer, operations_->Undelete(*request), response);
}

grpc::Status FileService::ListHere(grpc::ServerContext* context, const api::ListHereRequest* request,
                                   grpc::ServerWriter<api::ListHereResponse>* writer) {
  return ToGrpc(operations_->ListHere(context, *request,
                                      [writer](const api::ListHereResponse& page) { return writer->Write(page); }));
}

grpc::Status FileService::Clear(grpc::ServerContext* /*context*/, const api::ClearRequest* request,
                                api::ClearResponse* response) {
  OperationTimer timer = Timer(Operation::kClear);
  timer.About(request->bucket(), request->prefix());
  return Answer(timer, operations_->Clear(*request), response);
}

grpc::Status FileService::Settle(grpc::ServerContext* /*context*/,
                                 const api::SettleRequest* request,
                                 api::SettleResponse* response) {
  OperationTimer timer = Timer(Operation::kSettle);
  return Answer(timer, operations_->Settle(*request), response);
}

}  // namespace dfs::gateway
