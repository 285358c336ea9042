// dfs.v1.Cluster: what this node knows of the cluster. Always answers.
#ifndef DFS_SERVER_GATEWAY_CLUSTER_SERVICE_H_
#define DFS_SERVER_GATEWAY_CLUSTER_SERVICE_H_

#include <functional>
#include <string>
#include <vector>

#include "dfs/v1/cluster.grpc.pb.h"
#include "membership/membership_host.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/scrubber.h"
#include "server/leader/leader_client.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/raft_host.h"

namespace dfs::gateway {

// Everything here outlives the service and is thread-safe.
struct ClusterParts {
  NodeId self;
  const metadata::MetadataMachine* machine = nullptr;
  const replicated_log::RaftHost* raft = nullptr;
  const membership::MembershipHost* membership = nullptr;
  chunk::ChunkStore* store = nullptr;
  chunk::Scrubber* scrubber = nullptr;
  // This node's collector of garbage. Never blocks.
  std::function<api::CollectStatus(const rpc::CollectNodeRequest&)> collect;
  chunk::ChunkPeers* peers = nullptr;  // to ask the other nodes' scrubbers and collectors
  leader::LeaderClient* leader = nullptr;
  const Clock* clock = nullptr;
  std::string server_version;
  std::int64_t certificate_not_after_s = 0;  // since 1970; 0: no TLS
  // What this node does wrong on purpose, for a test; empty: nothing. Never blocks. May be null.
  std::function<std::string()> test_faults;
  // Gossip buckets on this node. Never blocks. Null: there are none.
  std::function<api::GossipStatus()> gossip;
};

class ClusterService final : public api::Cluster::Service {
 public:
  explicit ClusterService(ClusterParts parts) : parts_(std::move(parts)) {}

  grpc::Status Hello(grpc::ServerContext* context, const api::HelloRequest* request,
                     api::HelloResponse* response) override;
  grpc::Status Status(grpc::ServerContext* context, const api::StatusRequest* request,
                      api::StatusResponse* response) override;
  grpc::Status Scrub(grpc::ServerContext* context, const api::ScrubRequest* request,
                     api::ScrubResponse* response) override;
  grpc::Status Collect(grpc::ServerContext* context, const api::CollectRequest* request,
                       api::CollectResponse* response) override;
  grpc::Status Members(grpc::ServerContext* context, const api::MembersRequest* request,
                       api::MembersResponse* response) override;
  grpc::Status Repair(grpc::ServerContext* context, const api::RepairRequest* request,
                      api::RepairResponse* response) override;
  grpc::Status Explain(grpc::ServerContext* context, const api::ExplainRequest* request,
                       api::ExplainResponse* response) override;
  grpc::Status ChangeMember(grpc::ServerContext* context, const api::ChangeMemberRequest* request,
                            api::ChangeMemberResponse* response) override;
  grpc::Status OkToStop(grpc::ServerContext* context, const api::OkToStopRequest* request,
                        api::OkToStopResponse* response) override;

 private:
  std::vector<api::NodeStatus> NodeRows(const metadata::MetadataView& view) const;

  const ClusterParts parts_;
};

// The reasons why the cluster is not well, worst first, each with the next command to type. Pure. `now`: what certificates
// that end are held against; without it they are not. `test_faults`: what the answering node
// does wrong on purpose.
std::vector<api::HealthReason> Diagnose(const api::StatusResponse& status, const absl::Status& store_health,
                                        absl::Time now = absl::InfinitePast(), std::string_view test_faults = {});

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_CLUSTER_SERVICE_H_
