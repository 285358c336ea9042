// LeaderOperations of another node, over gRPC.
#ifndef DFS_SERVER_LEADER_GRPC_LEADER_PEER_H_
#define DFS_SERVER_LEADER_GRPC_LEADER_PEER_H_

#include <map>
#include <memory>
#include <set>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "common/peer_channels.h"
#include "common/sync.h"
#include "dfs/internal/v1/leader.grpc.pb.h"
#include "server/leader/leader_operations.h"

namespace dfs::leader {

// Calls that are on their way, so that a stop can cancel and await them. Thread-safe.
class OpenCalls {
 public:
  // False: stopping, nothing may begin.
  [[nodiscard]] bool Begin(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancels all; blocks until each has ended.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  CondVar ended_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> open_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe. An error of the transport whose call never left this machine is kUnavailable, NOTHING_CHANGED; one that may have
// arrived has outcome UNKNOWN.
class GrpcLeaderPeer final : public LeaderOperations {
 public:
  GrpcLeaderPeer(std::shared_ptr<grpc::Channel> channel, std::shared_ptr<OpenCalls> calls);

  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  void OpenTransactions(const rpc::OpenTransactionsRequest& request, absl::Duration timeout,
                        Answer<rpc::OpenTransactionsResponse> done) override;
  void RenewTransactions(const rpc::RenewTransactionsRequest& request, absl::Duration timeout,
                         Answer<rpc::RenewTransactionsResponse> done) override;
  void Submit(const rpc::SubmitRequest& request, absl::Duration timeout,
              Answer<rpc::SubmitResponse> done) override;
  void ReadIndex(absl::Duration timeout, Answer<rpc::ReadIndexResponse> done) override;
  void ReportReplicas(const rpc::ReportReplicasRequest& request, absl::Duration timeout,
                      Answer<rpc::ReportReplicasResponse> done) override;
  void Verdicts(const rpc::VerdictsRequest& request, absl::Duration timeout,
                Answer<rpc::VerdictsResponse> done) override;
  void ReportUnlinked(const rpc::ReportUnlinkedRequest& request, absl::Duration timeout,
                      Answer<rpc::ReportUnlinkedResponse> done) override;
  void Join(const rpc::JoinRequest& request, absl::Duration timeout,
            Answer<rpc::JoinResponse> done) override;
  void Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                Answer<rpc::RegisterResponse> done) override;
  void Manage(const rpc::ManageRequest& request, absl::Duration timeout,
              Answer<rpc::ManageResponse> done) override;

 private:
  template <class Request, class Response>
  void Start(void (rpc::Leader::Stub::async_interface::*method)(grpc::ClientContext*,
                                                                const Request*, Response*,
                                                                std::function<void(grpc::Status)>),
             const Request& request, absl::Duration timeout, Answer<Response> done);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::shared_ptr<rpc::Leader::Stub> stub_;
  const std::shared_ptr<OpenCalls> calls_;
};

// The peers of one node, by id. Thread-safe.
class LeaderPeers {
 public:
  explicit LeaderPeers(PeerChannels* channels)
      : channels_(channels), calls_(std::make_shared<OpenCalls>()) {}

  // Null if the node's address is not known. The pointer lives as long as this object.
  [[nodiscard]] LeaderOperations* Get(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() { calls_->Stop(); }

 private:
  PeerChannels* const channels_;
  const std::shared_ptr<OpenCalls> calls_;
  Mutex mutex_;
  std::map<NodeId, std::unique_ptr<GrpcLeaderPeer>> peers_ ABSL_GUARDED_BY(mutex_);
  // Those of addresses that were left: somebody may hold the pointer still.
  std::set<std::unique_ptr<GrpcLeaderPeer>> replaced_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_GRPC_LEADER_PEER_H_
