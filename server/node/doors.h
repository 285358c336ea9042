// The services of a node, and the servers that offer them.
#ifndef DFS_SERVER_NODE_DOORS_H_
#define DFS_SERVER_NODE_DOORS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/operation_metrics.h"
#include "common/peer_channels.h"
#include "membership/membership_service.h"
#include "server/chunk/replica_service.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/catalog_service.h"
#include "server/gateway/cluster_service.h"
#include "server/gateway/file_operations.h"
#include "server/gateway/file_service.h"
#include "server/gateway/handed_read_service.h"
#include "server/gateway/posix_handover_socket.h"
#include "server/gossip_store/gossip_service.h"
#include "server/http/http_door.h"
#include "server/http/http_server.h"
#include "server/leader/leader_service.h"
#include "server/node/config.h"
#include "server/node/rpc_server.h"
#include "server/replicated_log/raft_service.h"

namespace dfs::node {

// Listen, SetServing and the Stops: from one thread at a time.
class Doors {
 public:
  // What the services stand on; all of it outlives the doors.
  struct Parts {
    replicated_log::GrpcRaftTransport* raft_transport = nullptr;
    membership::GrpcMembershipTransport* ring_transport = nullptr;
    leader::LeaderOperations* leader_host = nullptr;
    chunk::ReplicaService::Parts replica;
    const coordinator::Parts* coordinator = nullptr;
    PeerChannels* channels = nullptr;
    gossip_store::GossipHost* gossip = nullptr;
    gossip_store::GrpcGossipTransport* gossip_transport = nullptr;
    gateway::ClusterParts cluster;
    std::uint64_t http_form_bytes_max = http::HttpDoor::kFormBytesMax;
    coordinator::ParkLimits park_limits;
  };
  explicit Doors(Parts parts);

  // Opens the port of the nodes, then those of the clients. kUnavailable: an address is in use or not this machine's.
  [[nodiscard]] absl::Status Listen(const Config& config);
  // What load balancers are told. Nothing before Listen.
  void SetServing(bool is_serving);
  // As RpcServer::Stop.
  void StopClients(absl::Duration grace);
  void StopNodes();

 private:
  http::HttpDoor::Parts HttpParts(NodeId self, std::uint64_t form_bytes_max);

  replicated_log::RaftService raft_;
  membership::MembershipService ring_;
  leader::LeaderService leader_;
  chunk::ReplicaService replica_;
  gossip_store::GossipService gossip_;
  OperationMetrics metrics_;
  gateway::HandoverDesk desk_;
  gateway::FileOperations operations_;
  gateway::FileService files_;
  gateway::HandedReadService handed_reads_;
  gateway::CatalogService catalog_;
  gateway::ClusterService cluster_;
  http::HttpDoor http_;
  // Last: they use the services.
  std::unique_ptr<gateway::HandoverSocket> handover_;  // null: none is wanted
  std::unique_ptr<RpcServer> peer_server_;
  std::unique_ptr<RpcServer> client_server_;
  std::unique_ptr<http::HttpServer> http_server_;  // null: none is wanted
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_DOORS_H_
