#include "server/leader/grpc_leader_client.h"

#include <utility>

namespace dfs::leader {

GrpcLeaderClient::GrpcLeaderClient(Parts parts)
    : local_(parts.local),
      consensus_(parts.raft),
      peers_(parts.channels),
      executor_("leader-client", *parts.clock) {
  LeaderRoute::Parts route;
  route.self = parts.self;
  route.clock = parts.clock;
  route.consensus = &consensus_;
  route.local = parts.local;
  route.peers = [this](NodeId node) { return peers_.Get(node); };
  route.view = [machine = parts.machine] { return machine->View(); };
  route.liveness = [membership = parts.membership] {
    std::vector<NodeLiveness> nodes;
    for (const auto& member : membership->Members()) {
      nodes.push_back({member.node, membership->IsUsable(member.node), member.health.free_bytes,
                       member.health.total_bytes, membership::HasSlowDisk(member.health)});
    }
    return nodes;
  };
  client_ = std::make_unique<RoutedLeaderClient>(std::move(route), parts.run_id, &executor_);
  local_->SetPeers([this](NodeId node) { return peers_.Get(node); });
  client_->Start();
}

GrpcLeaderClient::~GrpcLeaderClient() { Stop(); }

void GrpcLeaderClient::Stop() {
  local_->SetPeers(nullptr);
  client_->Stop();
  executor_.Stop();
  peers_.Stop();
}

}  // namespace dfs::leader
