#include "server/node/doors.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/grpc_credentials.h"
#include "common/status_macros.h"
#include "common/sync.h"
#include "common/tls_acceptor.h"
#include "proto/wire_status.h"
#include "server/http/http_stream.h"

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
      gossip_(parts.gossip_transport),
      desk_(&SystemClock()),
      operations_(*parts.coordinator, parts.channels, parts.gossip, parts.park_limits),
      files_(&operations_, &metrics_),
      handed_reads_(operations_.reads()),
      catalog_(&operations_),
      cluster_(std::move(parts.cluster)),
      http_(HttpParts(operations_.parts().self, parts.http_form_bytes_max)) {}

// What gRPC clients are told as well, in this process.
http::HttpDoor::Parts Doors::HttpParts(NodeId self, std::uint64_t form_bytes_max) {
  http::HttpDoor::Parts parts;
  parts.files = &operations_;
  parts.metrics = &metrics_;
  parts.form_bytes_max = form_bytes_max;
  parts.status = [this] {
    api::StatusResponse status;
    const api::StatusRequest request;
    if (const auto asked = cluster_.Status(nullptr, &request, &status); !asked.ok()) status.Clear();
    return status;
  };
  parts.ok_to_stop = [this, self]() -> absl::StatusOr<api::OkToStopResponse> {
    grpc::ServerContext context;
    api::OkToStopRequest request;
    api::OkToStopResponse response;
    request.add_nodes(absl::StrCat(self.value()));
    DFS_RETURN_IF_ERROR(FromGrpc(cluster_.OkToStop(&context, &request, &response)));
    return response;
  };
  return parts;
}

absl::Status Doors::Listen(const Config& config) {
  operations_.reads()->ShowTrashTime(config.trash_time);
  DFS_ASSIGN_OR_RETURN(
      peer_server_,
      RpcServer::Listen({.flag = "--peer-listen",
                         .address = config.peer_listen,
                         .credentials = DoorOf(config, TlsDoor::kPeers),
                         .services = {&raft_, &ring_, &leader_, &replica_, &gossip_, &handed_reads_, &catalog_},
                         .pings_clients = true}));
  if (!config.unix_socket.empty()) {
    DFS_ASSIGN_OR_RETURN(handover_, gateway::HandoverSocket::Listen(
                                        {config.unix_socket, config.unix_socket_own_user}, &desk_));
    operations_.reads()->HandOverAt(&desk_, handover_->path());
  }
  DFS_ASSIGN_OR_RETURN(client_server_,
                       RpcServer::Listen({.flag = "--listen",
                                          .address = config.listen,
                                          .credentials = DoorOf(config, TlsDoor::kClients),
                                          .services = {&files_, &cluster_},
                                          .has_health = true,
                                          .health_names = {"dfs.v1.Files", "dfs.v1.Cluster"}}));
  if (!config.http_listen.empty()) {
    http::HttpServer::Options options;
    options.address = config.http_listen;
    options.handler = [this](http::Exchange& exchange) { http_.Serve(exchange); };
    options.make_stream = http::PosixStreams(&SystemClock());
    if (config.tls) {
      DFS_ASSIGN_OR_RETURN(std::shared_ptr<TlsAcceptor> acceptor,
                           MakeTlsAcceptor(*config.tls, TlsDoor::kClients, "http/1.1"));
      options.make_stream = http::TlsStreams(std::move(acceptor), &SystemClock());
    }
    options.clock = &SystemClock();
    DFS_ASSIGN_OR_RETURN(http_server_, http::HttpServer::Listen(std::move(options)));
    LOG(INFO) << "serving HTTP on " << config.http_listen;
  }
  LOG(INFO) << "serving clients on " << config.listen << " and nodes on " << config.peer_listen
            << (config.tls ? ", TLS only" : ", in plaintext");
  return absl::OkStatus();
}

void Doors::SetServing(bool is_serving) {
  http_.SetServing(is_serving);
  if (client_server_ != nullptr) client_server_->SetServing(is_serving);
}

void Doors::StopClients(absl::Duration grace) {
  http_.SetServing(false);
  operations_.parked_puts()->Stop();
  // Both at once: each may need all of the grace.
  ThreadExecutor stopper("stop-http");
  Event is_http_stopped;
  stopper.Post([&] {
    if (http_server_ != nullptr) http_server_->Stop(grace);
    is_http_stopped.Set();
  });
  if (client_server_ != nullptr) client_server_->Stop(grace);
  is_http_stopped.Wait();
  handover_.reset();
}

void Doors::StopNodes() {
  if (peer_server_ != nullptr) peer_server_->Stop(absl::ZeroDuration());
}

}  // namespace dfs::node
