// The calls of dfs.v1.Cluster that the leader answers, which are passed on to it, and garbage, of which each node tells.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "proto/wire_status.h"
#include "server/gateway/cluster_service.h"

namespace dfs::gateway {
namespace {

// A look at every version of a large cluster takes seconds; without a leader the caller is told within 5 s.
constexpr absl::Duration kAskMax = absl::Seconds(30);
constexpr absl::Duration kBriefAskMax = absl::Seconds(5);
constexpr absl::Duration kCollectTimeout = absl::Seconds(3);  // of each node

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

grpc::Status ClusterService::Collect(grpc::ServerContext* /*context*/,
                                     const api::CollectRequest* request,
                                     api::CollectResponse* response) {
  const auto view = parts_.machine->View();
  rpc::CollectNodeRequest ask;
  ask.set_start(request->start());
  ask.set_confirm(request->confirm());
  for (const auto& node : view->Nodes()) {
    if (node.state() != rpc::ACTIVE) continue;
    const bool is_meant = request->node().empty() || request->node() == node.name() ||
                          request->node() == std::to_string(node.node_id());
    if (!is_meant) continue;
    api::CollectStatus& row = *response->add_nodes();
    const NodeId id(node.node_id());
    auto answer = id == parts_.self ? parts_.collect(ask)
                                    : parts_.peers->Collect(id, ask, kCollectTimeout);
    if (answer.ok()) {
      row = *std::move(answer);
    } else {
      row.set_error(std::string(answer.status().message()));
    }
    row.set_node_id(node.node_id());
    row.set_node(node.name());
  }
  if (response->nodes().empty()) {
    return ToGrpc(absl::NotFoundError("there is no node " + request->node()));
  }
  response->set_trashed_files(view->GetTotals().trashed);
  return grpc::Status::OK;
}

}  // namespace dfs::gateway
