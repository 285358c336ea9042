// The leader's side of every put, join, repair and deletion, on every node: does its work while this node
// leads, and says NOT_LEADER while it does not.
#ifndef DFS_SERVER_LEADER_LEADER_HOST_H_
#define DFS_SERVER_LEADER_LEADER_HOST_H_

#include <functional>
#include <memory>

#include "common/executor.h"
#include "common/sync.h"
#include "server/leader/leader_operations.h"
#include "server/leader/term_state.h"
#include "server/replicated_log/raft_host.h"

namespace dfs::chunk {
class ChunkPeers;
}  // namespace dfs::chunk
namespace dfs::membership {
class MembershipHost;
}  // namespace dfs::membership

namespace dfs::leader {

class LeaderTerm;

// Thread-safe. Operations before SetRaft (or Start) answer NOT_LEADER.
class LeaderHost final : public replicated_log::LeadershipListener, public LeaderOperations {
 public:
  // As a node builds it. All parts outlive the host.
  struct Parts {
    NodeId self;
    const Clock* clock = nullptr;
    metadata::MetadataMachine* machine = nullptr;
    chunk::ChunkPeers* peers = nullptr;
    membership::MembershipHost* membership = nullptr;
    LeaderOptions options;
  };
  explicit LeaderHost(Parts parts);  // leader_wiring.cc
  // Before Start. The host must outlive `raft`'s callbacks: stop Raft before destroying it.
  void SetRaft(replicated_log::RaftHost* raft);  // leader_wiring.cc

  // With the world given: tests. `world.executor` and `world.run_blocking` may be null: the host brings its own.
  LeaderHost(LeaderWorld world, const LeaderOptions& options);
  ~LeaderHost() override;  // Stop()

  // How to ask other nodes: for Join and Register, which any node takes and passes on to the leader. May be null.
  void SetPeers(std::function<LeaderOperations*(NodeId)> peers) ABSL_LOCKS_EXCLUDED(mutex_);

  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends what it does; blocks until its threads have ended. Idempotent. Operations answer NOT_LEADER afterwards.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnLeading(Term term) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnNotLeading() override ABSL_LOCKS_EXCLUDED(mutex_);

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
  // These two pass on to the leader if another node leads.
  void Join(const rpc::JoinRequest& request, absl::Duration timeout,
            Answer<rpc::JoinResponse> done) override;
  void Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                Answer<rpc::RegisterResponse> done) override;
  void Manage(const rpc::ManageRequest& request, absl::Duration timeout,
              Answer<rpc::ManageResponse> done) override;

 private:
  [[nodiscard]] std::shared_ptr<LeaderTerm> Leading() const ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_LEADER with the client address of the leader, as far as this node knows it.
  [[nodiscard]] absl::Status NotLeader() const;
  void EndTerm() ABSL_LOCKS_EXCLUDED(mutex_);
  template <class Request, class Response>
  void Forward(void (LeaderOperations::*call)(const Request&, absl::Duration, Answer<Response>),
               const Request& request, absl::Duration timeout, Answer<Response> done);
  template <class Request, class Response>
  void LeadOrPassOn(void (LeaderOperations::*call)(const Request&, absl::Duration, Answer<Response>),
                    const Request& request, absl::Duration timeout, Answer<Response> done);
  // The leader to whom a call that was passed on so often goes next; null: nobody.
  [[nodiscard]] LeaderOperations* Onward(std::uint32_t hops) ABSL_LOCKS_EXCLUDED(mutex_);

  const LeaderOptions options_;
  LeaderWorld world_;  // constant from Start on
  std::unique_ptr<ConsensusPort> own_consensus_;
  std::unique_ptr<ThreadExecutor> own_executor_;
  std::unique_ptr<ThreadPool> own_pool_;
  mutable Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<LeaderTerm> leading_ ABSL_GUARDED_BY(mutex_);  // null: this node does not lead
  std::function<LeaderOperations*(NodeId)> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LEADER_HOST_H_
