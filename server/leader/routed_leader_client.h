// LeaderClient over LeaderOperations: the way to the leader wherever it is.
#ifndef DFS_SERVER_LEADER_ROUTED_LEADER_CLIENT_H_
#define DFS_SERVER_LEADER_ROUTED_LEADER_CLIENT_H_

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "common/executor.h"
#include "server/leader/leader_client.h"
#include "server/leader/leader_route.h"
#include "server/leader/read_index_rounds.h"
#include "server/leader/submit_batches.h"
#include "server/leader/transaction_pool.h"

namespace dfs::leader {

class RoutedLeaderClient final : public LeaderClient {
 public:
  // Changes that wait to be told to the leader; the oldest are dropped beyond (repair finds what was lost).
  static constexpr std::size_t kReportsMax = 10'000;

  // `executor` runs the timers and outlives the client; it must be stopped before the client is destroyed.
  RoutedLeaderClient(LeaderRoute::Parts parts, RunId run, Executor* executor);
  ~RoutedLeaderClient() override;  // Stop()

  // Starts the timers.
  void Start();
  // Those that wait get their answer now: kUnavailable, or kDeadlineExceeded (outcome unknown). Idempotent.
  void Stop();

  [[nodiscard]] absl::StatusOr<LogIndex> ReadIndex(absl::Duration timeout) override;
  [[nodiscard]] absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command,
                                                          absl::Duration timeout) override;
  [[nodiscard]] absl::StatusOr<rpc::OpenTransaction> Begin(BucketId bucket,
                                                           const std::vector<NodeId>& avoid,
                                                           const std::vector<NodeId>& holders,
                                                           absl::Duration timeout) override;
  void Done(const TxnId& txn, bool is_committed) override;
  void Pin(const TxnId& txn) override;
  void Unpin(const TxnId& txn) override;
  void ReportReplica(rpc::ReplicaChange change) override;
  [[nodiscard]] absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(
      const rpc::VerdictsRequest& request, absl::Duration timeout) override;
  [[nodiscard]] absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                            absl::Duration timeout) override;
  [[nodiscard]] absl::Status Register(const rpc::NodeStarted& node,
                                      absl::Duration timeout) override;
  [[nodiscard]] absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest& request,
                                                       absl::Duration timeout) override;
  [[nodiscard]] absl::StatusOr<rpc::ManageResponse> Manage(const rpc::ManageRequest& request,
                                                           absl::Duration timeout) override;

 private:
  // Copies to report, kept by the callbacks that send them.
  class Reports;

  void Repeat(absl::Duration interval, std::function<void()> tick);

  const std::shared_ptr<LeaderRoute> route_;
  Executor* const executor_;
  const std::shared_ptr<ReadIndexRounds> reads_;
  const std::shared_ptr<SubmitBatches> submits_;
  const std::shared_ptr<TransactionPool> transactions_;
  const std::shared_ptr<Reports> reports_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_ROUTED_LEADER_CLIENT_H_
