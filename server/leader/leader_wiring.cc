// LeaderHost over the real parts of a node.
#include <utility>
#include <vector>

#include "membership/membership_host.h"
#include "server/chunk/chunk_peers.h"
#include "server/leader/leader_host.h"
#include "server/leader/raft_consensus_port.h"

namespace dfs::leader {
namespace {

constexpr absl::Duration kInventoryTimeout = absl::Minutes(10);

LeaderWorld WorldOf(const LeaderHost::Parts& parts) {
  LeaderWorld world;
  world.self = parts.self;
  world.clock = parts.clock;
  world.view = [machine = parts.machine] { return machine->View(); };
  world.liveness = [membership = parts.membership, self = parts.self] {
    std::vector<NodeLiveness> nodes;
    bool has_self = false;
    for (const auto& member : membership->Members()) {
      has_self = has_self || member.node == self;
      nodes.push_back({member.node, membership->IsUsable(member.node), member.health.free_bytes,
                       member.health.total_bytes, membership::HasSlowDisk(member.health),
                       member.state == membership::LivenessState::kDead ? member.changed
                                                                        : absl::InfiniteFuture(),
                       member.health.has_handed_gossip_over, member.health.gossip_alone});
    }
    if (!has_self) nodes.push_back({self, true, 0, 0});
    return nodes;
  };
  world.copy = [peers = parts.peers](NodeId node, const rpc::CopyChunkRequest& request,
                                     absl::Duration progress_timeout) {
    return peers->Copy(node, request, progress_timeout);
  };
  world.inventory = [peers = parts.peers](NodeId node) -> absl::StatusOr<std::vector<ChunkId>> {
    std::vector<ChunkId> chunks;
    const absl::Status status = peers->List(
        node,
        [&chunks](const rpc::SmallChunk& chunk) {
          chunks.push_back(FromWire(chunk.chunk()));
          return true;
        },
        kInventoryTimeout);
    if (!status.ok()) return status;
    return chunks;
  };
  return world;
}

}  // namespace

LeaderHost::LeaderHost(Parts parts) : LeaderHost(WorldOf(parts), parts.options) {}

void LeaderHost::SetRaft(replicated_log::RaftHost* raft) {
  own_consensus_ = std::make_unique<RaftConsensusPort>(raft);
  world_.consensus = own_consensus_.get();
}

}  // namespace dfs::leader
