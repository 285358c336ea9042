#include "server/gateway/handed_read_service.h"

#include <functional>

#include "proto/wire_status.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/stream_sinks.h"

namespace dfs::gateway {
namespace {

// Never handed on: this node waits for its own state.
constexpr absl::Duration kLagMax = coordinator::kQuorumTimeout;

grpc::Status Overloaded() {
  return ToGrpc(ErrorWithReason(absl::StatusCode::kResourceExhausted,
                                "too many reads were handed to this node",
                                api::ErrorDetail::OVERLOADED));
}

}  // namespace

HandedReadService::HandedReadService(FileReads* reads) : reads_(reads) {
  AddServerStreaming("/dfs.internal.v1.Reads/Get", &HandedReadService::Get);
  AddUnary("/dfs.internal.v1.Reads/Stat", &HandedReadService::Stat);
  AddUnary("/dfs.internal.v1.Reads/Locate", &HandedReadService::Locate);
  AddServerStreaming("/dfs.internal.v1.Reads/List", &HandedReadService::List);
}

grpc::Status HandedReadService::Get(grpc::ServerContext* context, const api::GetRequest* request,
                                    grpc::ServerWriter<WithData<api::GetResponse>>* writer) {
  const Admission::Ticket ticket(&admission_);
  if (!ticket.is_admitted()) return Overloaded();
  StreamSink<WithData<api::GetResponse>> sink(&guard_, context, writer);
  return ToGrpc(reads_->Get(*request, kLagMax, std::ref(sink)));
}

grpc::Status HandedReadService::Stat(grpc::ServerContext* /*context*/,
                                     const api::StatRequest* request, api::StatResponse* response) {
  const Admission::Ticket ticket(&admission_);
  if (!ticket.is_admitted()) return Overloaded();
  return ToGrpc(reads_->Stat(*request, kLagMax, response));
}

grpc::Status HandedReadService::Locate(grpc::ServerContext* /*context*/,
                                       const api::LocateRequest* request,
                                       api::LocateResponse* response) {
  const Admission::Ticket ticket(&admission_);
  if (!ticket.is_admitted()) return Overloaded();
  return ToGrpc(reads_->Locate(*request, kLagMax, response));
}

grpc::Status HandedReadService::List(grpc::ServerContext* context,
                                     const api::ListRequest* request,
                                     grpc::ServerWriter<api::ListResponse>* writer) {
  const Admission::Ticket ticket(&admission_);
  if (!ticket.is_admitted()) return Overloaded();
  StreamSink<api::ListResponse> sink(&guard_, context, writer);
  return ToGrpc(reads_->List(*request, kLagMax, std::ref(sink)));
}

}  // namespace dfs::gateway
