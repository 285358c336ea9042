#include "server/node/doors.h"

#include <glog/logging.h>

#include <utility>

#include "common/status_macros.h"

namespace dfs::node {

Doors::Doors(Parts parts)
    : raft_(parts.raft_transport),
      ring_(parts.ring_transport),
      leader_(parts.leader_host),
      replica_(std::move(parts.replica)),
      operations_(*parts.coordinator, parts.channels),
      files_(&operations_),
      handed_reads_(operations_.reads()),
      cluster_(std::move(parts.cluster)) {}

absl::Status Doors::Listen(const Config& config) {
  DFS_ASSIGN_OR_RETURN(
      peer_server_,
      RpcServer::Listen({.flag = "--peer-listen",
                         .address = config.peer_listen,
                         .services = {&raft_, &ring_, &leader_, &replica_, &handed_reads_}}));
  DFS_ASSIGN_OR_RETURN(client_server_,
                       RpcServer::Listen({.flag = "--listen",
                                          .address = config.listen,
                                          .services = {&files_, &cluster_},
                                          .has_health = true,
                                          .health_names = {"dfs.v1.Files", "dfs.v1.Cluster"}}));
  LOG(INFO) << "serving clients on " << config.listen << " and nodes on " << config.peer_listen;
  return absl::OkStatus();
}

void Doors::SetServing(bool is_serving) {
  if (client_server_ != nullptr) client_server_->SetServing(is_serving);
}

void Doors::StopClients(absl::Duration grace) {
  if (client_server_ != nullptr) client_server_->Stop(grace);
}

void Doors::StopNodes() {
  if (peer_server_ != nullptr) peer_server_->Stop(absl::ZeroDuration());
}

}  // namespace dfs::node
