// Gossip buckets of this node: table, transport and host, and what the rest of the node has to do with them.
#ifndef DFS_SERVER_NODE_GOSSIP_BUCKETS_H_
#define DFS_SERVER_NODE_GOSSIP_BUCKETS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/peer_channels.h"
#include "common/peer_registry.h"
#include "dfs/v1/cluster.pb.h"
#include "membership/membership_host.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/scrubber.h"
#include "server/gossip_store/gossip_host.h"
#include "server/gossip_store/grpc_gossip_transport.h"
#include "server/gossip_store/rocksdb_gossip_table.h"
#include "server/leader/leader_client.h"
#include "server/leader/wanted_replicas.h"
#include "server/metadata/metadata_machine.h"
#include "server/node/config.h"
#include "server/node/test_message_loss.h"

namespace dfs::node {

class GossipBuckets final : public chunk::WantedChunks {
 public:
  // All outlive it.
  struct Parts {
    NodeId self;
    BootEpoch boot_epoch;
    const Clock* clock = nullptr;
    PeerRegistry* registry = nullptr;
    PeerChannels* channels = nullptr;
    const metadata::MetadataMachine* machine = nullptr;
    leader::ReplicaCatalog* catalog = nullptr;
    const membership::MembershipHost* membership = nullptr;
    chunk::ChunkStore* store = nullptr;
    chunk::ChunkPeers* peers = nullptr;
    TestMessageLoss* loss = nullptr;
    std::function<void(const absl::Status&)> on_fatal;
  };
  // Opens <data-dir>/gossip; nothing is said to anybody yet. Blocks on disk. Errors of RocksdbGossipTable::Open.
  static absl::StatusOr<std::unique_ptr<GossipBuckets>> Open(const Config& config, Parts parts);

  // From now on it talks. Errors of GossipHost::Start.
  [[nodiscard]] absl::Status Start();
  void Stop();

  [[nodiscard]] gossip_store::GossipHost* host() { return host_.get(); }
  [[nodiscard]] gossip_store::GrpcGossipTransport* transport() { return &transport_; }
  // For clients, and for the other nodes with the heartbeats. Never block.
  [[nodiscard]] api::GossipStatus GetStatus() const;
  void AddTo(membership::NodeHealth* health) const;

  // What is found damaged or missing: the host heals what is of gossip buckets, the leader is told of the rest. `leader`
  // outlives the function.
  [[nodiscard]] std::function<void(const chunk::BadChunk&)> ReportOf(
      leader::LeaderClient* leader, std::function<rpc::Ack()> own_ack);

  // WantedChunks: by the log, and by the records.
  [[nodiscard]] bool IsWanted(const ChunkId& chunk) override;
  void ForEach(const std::function<bool(const chunk::ChunkInfo&)>& visit) override;

 private:
  explicit GossipBuckets(Parts parts);
  [[nodiscard]] gossip_store::Surroundings Look() const;

  const Parts parts_;
  leader::WantedReplicas by_log_;
  gossip_store::GrpcGossipTransport transport_;
  std::unique_ptr<gossip_store::RocksdbGossipTable> table_;
  std::unique_ptr<gossip_store::GossipHost> host_;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_GOSSIP_BUCKETS_H_
