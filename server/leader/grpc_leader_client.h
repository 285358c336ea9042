// LeaderClient as a node builds it: the leader here or, over gRPC, elsewhere.
#ifndef DFS_SERVER_LEADER_GRPC_LEADER_CLIENT_H_
#define DFS_SERVER_LEADER_GRPC_LEADER_CLIENT_H_

#include <memory>
#include <vector>

#include "common/executor.h"
#include "common/peer_channels.h"
#include "membership/membership_host.h"
#include "server/leader/grpc_leader_peer.h"
#include "server/leader/leader_client.h"
#include "server/leader/leader_host.h"
#include "server/leader/raft_consensus_port.h"
#include "server/leader/routed_leader_client.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/raft_host.h"

namespace dfs::leader {

class GrpcLeaderClient final : public LeaderClient {
 public:
  // All outlive the client.
  struct Parts {
    NodeId self;
    RunId run_id;
    const Clock* clock = nullptr;
    replicated_log::RaftHost* raft = nullptr;
    LeaderHost* local = nullptr;  // gets the way to its peers from here (LeaderHost::SetPeers)
    PeerChannels* channels = nullptr;
    metadata::MetadataMachine* machine = nullptr;
    membership::MembershipHost* membership = nullptr;
  };
  explicit GrpcLeaderClient(Parts parts);
  ~GrpcLeaderClient() override;  // Stop()

  // Those that wait are answered now; calls on their way are cancelled and awaited. Idempotent.
  void Stop();

  [[nodiscard]] absl::StatusOr<LogIndex> ReadIndex(absl::Duration timeout) override {
    return client_->ReadIndex(timeout);
  }
  [[nodiscard]] absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command,
                                                          absl::Duration timeout) override {
    return client_->Submit(std::move(command), timeout);
  }
  [[nodiscard]] absl::StatusOr<rpc::OpenTransaction> Begin(BucketId bucket,
                                                           const std::vector<NodeId>& avoid,
                                                           const std::vector<NodeId>& holders,
                                                           absl::Duration timeout) override {
    return client_->Begin(bucket, avoid, holders, timeout);
  }
  void Done(const TxnId& txn, bool is_committed) override { client_->Done(txn, is_committed); }
  void Pin(const TxnId& txn) override { client_->Pin(txn); }
  void Unpin(const TxnId& txn) override { client_->Unpin(txn); }
  void ReportReplica(rpc::ReplicaChange change) override {
    client_->ReportReplica(std::move(change));
  }
  [[nodiscard]] absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(
      const rpc::VerdictsRequest& request, absl::Duration timeout) override {
    return client_->AskVerdicts(request, timeout);
  }
  [[nodiscard]] absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                            absl::Duration timeout) override {
    return client_->ReportUnlinked(request, timeout);
  }
  [[nodiscard]] absl::Status Register(const rpc::NodeStarted& node,
                                      absl::Duration timeout) override {
    return client_->Register(node, timeout);
  }
  [[nodiscard]] absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest& request,
                                                       absl::Duration timeout) override {
    return client_->Join(request, timeout);
  }
  [[nodiscard]] absl::StatusOr<rpc::ManageResponse> Manage(const rpc::ManageRequest& request,
                                                           absl::Duration timeout) override {
    return client_->Manage(request, timeout);
  }

 private:
  LeaderHost* const local_;
  RaftConsensusPort consensus_;
  LeaderPeers peers_;
  ThreadExecutor executor_;
  std::unique_ptr<RoutedLeaderClient> client_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_GRPC_LEADER_CLIENT_H_
