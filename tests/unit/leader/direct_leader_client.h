// What a node asks the leader, answered by a LeaderHost on the same thread.
#ifndef DFS_TESTS_UNIT_LEADER_DIRECT_LEADER_CLIENT_H_
#define DFS_TESTS_UNIT_LEADER_DIRECT_LEADER_CLIENT_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/random.h"
#include "server/leader/leader_client.h"
#include "server/leader/leader_host.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {

// Asks the leader of the same process. With `random`, which may be null, one answer in ten gets
// lost.
class DirectLeaderClient final : public LeaderClient {
 public:
  DirectLeaderClient(LeaderHost* host, ManualExecutor* executor, Random* random)
      : host_(host), executor_(executor), random_(random) {}
  absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(const rpc::VerdictsRequest& request,
                                                              absl::Duration) override {
    Taken<rpc::VerdictsResponse> taken;
    host_->Verdicts(request, absl::Seconds(1), taken.Callback());
    executor_->RunDue();
    if (random_ != nullptr && random_->OneIn(1, 10))
      return absl::DeadlineExceededError("the answer got lost");
    if (!taken.has()) return absl::DeadlineExceededError("no answer");
    if (!taken.get().ok()) return taken.get().status();
    return std::vector<rpc::VerdictAnswer>(taken.get()->answers().begin(),
                                           taken.get()->answers().end());
  }
  absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest& request, absl::Duration) override {
    Taken<rpc::ReportUnlinkedResponse> taken;
    host_->ReportUnlinked(request, absl::Seconds(1), taken.Callback());
    executor_->RunDue();
    return taken.has() ? taken.get().status() : absl::DeadlineExceededError("no answer");
  }
  absl::StatusOr<LogIndex> ReadIndex(absl::Duration) override { return Unused(); }
  absl::StatusOr<rpc::CommandResult> Submit(rpc::Command, absl::Duration) override {
    return Unused();
  }
  absl::StatusOr<rpc::OpenTransaction> Begin(BucketId, const std::vector<NodeId>&,
                                             const std::vector<NodeId>&, absl::Duration) override {
    return Unused();
  }
  void Done(const TxnId&, bool) override {}
  void Pin(const TxnId&) override {}
  void Unpin(const TxnId&) override {}
  void ReportReplica(rpc::ReplicaChange) override {}
  absl::Status Register(const rpc::NodeStarted&, absl::Duration) override { return Unused(); }
  absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest&, absl::Duration) override {
    return Unused();
  }

 private:
  static absl::Status Unused() { return absl::UnimplementedError("not asked here"); }
  LeaderHost* const host_;
  ManualExecutor* const executor_;
  Random* const random_;
};

}  // namespace dfs::leader

#endif  // DFS_TESTS_UNIT_LEADER_DIRECT_LEADER_CLIENT_H_
