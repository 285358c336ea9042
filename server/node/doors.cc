#include "server/node/doors.h"

#include <glog/logging.h>

#include <utility>

#include "common/grpc_credentials.h"
#include "common/status_macros.h"

namespace dfs::node {
namespace {

std::shared_ptr<grpc::ServerCredentials> DoorOf(const Config& config, TlsDoor door) {
  return config.tls ? LockedDoor(*config.tls, door) : PlaintextDoor();
}

}  // namespace

Doors::Doors(Parts parts)
    : raft_(parts.raft_transport),
      ring_(parts.ring_transport),
      leader_(parts.leader_host),
      replica_(std::move(parts.replica)),
      files_(*parts.coordinator, parts.channels),
      handed_reads_(files_.reads()),
      cluster_(std::move(parts.cluster)) {}

absl::Status Doors::Listen(const Config& config) {
  DFS_ASSIGN_OR_RETURN(
      peer_server_,
      RpcServer::Listen({.flag = "--peer-listen",
                         .address = config.peer_listen,
                         .credentials = DoorOf(config, TlsDoor::kPeers),
                         .services = {&raft_, &ring_, &leader_, &replica_, &handed_reads_}}));
  DFS_ASSIGN_OR_RETURN(client_server_,
                       RpcServer::Listen({.flag = "--listen",
                                          .address = config.listen,
                                          .credentials = DoorOf(config, TlsDoor::kClients),
                                          .services = {&files_, &cluster_},
                                          .has_health = true,
                                          .health_names = {"dfs.v1.Files", "dfs.v1.Cluster"}}));
  LOG(INFO) << "serving clients on " << config.listen << " and nodes on " << config.peer_listen
            << (config.tls ? ", TLS only" : ", in plaintext");
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
