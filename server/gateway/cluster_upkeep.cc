// The calls of dfs.v1.Cluster that the leader answers: passed on to it.
#include <algorithm>
#include <chrono>
#include <utility>

#include "proto/wire_status.h"
#include "server/gateway/cluster_service.h"

namespace dfs::gateway {
namespace {

// A look at every version of a large cluster takes seconds; without a leader the caller is told within 5 s.
constexpr absl::Duration kAskMax = absl::Seconds(30);
constexpr absl::Duration kBriefAskMax = absl::Seconds(5);

absl::Duration TimeoutOf(const grpc::ServerContext& context, absl::Duration limit) {
  return std::min(limit, absl::FromChrono(context.deadline() - std::chrono::system_clock::now()));
}

}  // namespace

grpc::Status ClusterService::Repair(grpc::ServerContext* context,
                                    const api::RepairRequest* request,
                                    api::RepairResponse* response) {
  rpc::ManageRequest ask;
  *ask.mutable_repair() = *request;
  auto answer = parts_.leader->Manage(ask, TimeoutOf(*context, kBriefAskMax));
  if (answer.ok()) *response = std::move(*answer->mutable_repair());
  return ToGrpc(answer.status());
}

grpc::Status ClusterService::Explain(grpc::ServerContext* context,
                                     const api::ExplainRequest* request,
                                     api::ExplainResponse* response) {
  rpc::ManageRequest ask;
  *ask.mutable_explain() = *request;
  auto answer = parts_.leader->Manage(ask, TimeoutOf(*context, kBriefAskMax));
  if (answer.ok()) *response = std::move(*answer->mutable_explain());
  return ToGrpc(answer.status());
}

grpc::Status ClusterService::ChangeMember(grpc::ServerContext* context,
                                          const api::ChangeMemberRequest* request,
                                          api::ChangeMemberResponse* response) {
  rpc::ManageRequest ask;
  *ask.mutable_change_member() = *request;
  auto answer = parts_.leader->Manage(ask, TimeoutOf(*context, kAskMax));
  if (answer.ok()) *response = std::move(*answer->mutable_change_member());
  return ToGrpc(answer.status());
}

grpc::Status ClusterService::OkToStop(grpc::ServerContext* context,
                                      const api::OkToStopRequest* request,
                                      api::OkToStopResponse* response) {
  rpc::ManageRequest ask;
  *ask.mutable_ok_to_stop() = *request;
  auto answer = parts_.leader->Manage(ask, TimeoutOf(*context, kAskMax));
  if (answer.ok()) *response = std::move(*answer->mutable_ok_to_stop());
  return ToGrpc(answer.status());
}

}  // namespace dfs::gateway
