// Everything this node does as leader of one term. Made when it begins to lead, ended when it stops.
#ifndef DFS_SERVER_LEADER_LEADER_TERM_H_
#define DFS_SERVER_LEADER_LEADER_TERM_H_

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "common/random.h"
#include "server/leader/command_admission.h"
#include "server/leader/departure_upkeep.h"
#include "server/leader/leader_operations.h"
#include "server/leader/log_upkeep.h"
#include "server/leader/member_upkeep.h"
#include "server/leader/node_directory.h"
#include "server/leader/node_upkeep.h"
#include "server/leader/repair_loop.h"
#include "server/leader/replica_changes.h"
#include "server/leader/term_state.h"
#include "server/leader/upkeep_desk.h"
#include "server/leader/verdict_desk.h"

namespace dfs::leader {

// Thread-safe, never blocks. Held by shared_ptr: its timers keep it until they see that the term has ended.
class LeaderTerm final : public LeaderOperations, public std::enable_shared_from_this<LeaderTerm> {
 public:
  LeaderTerm(const LeaderWorld& world, const LeaderOptions& options, Term term);

  // Starts the timers.
  void Begin();
  // From here on every call answers NOT_LEADER. Proposals on their way report their outcome still.
  void End();

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

  [[nodiscard]] Term term() const { return state_->term; }

 private:
  // Runs `tick` now and then each `interval` until the term ends.
  void Repeat(absl::Duration interval, std::function<void()> tick);
  void UpkeepTick();
  void MembersTick();
  [[nodiscard]] absl::StatusOr<rpc::OpenTransactionsResponse> Open(
      const rpc::OpenTransactionsRequest& request);

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
  std::shared_ptr<ReplicaChanges> changes_;
  std::shared_ptr<RepairLoop> repair_;
  std::shared_ptr<CommandAdmission> admission_;
  std::shared_ptr<MemberUpkeep> members_;
  std::shared_ptr<NodeUpkeep> nodes_;
  std::shared_ptr<DepartureUpkeep> departures_;
  std::shared_ptr<UpkeepDesk> desk_;
  std::shared_ptr<LogUpkeep> log_;
  std::shared_ptr<VerdictDesk> verdicts_;
  // At the last members tick; executor only.
  std::set<NodeId> usable_;
  std::set<NodeId> withdrawn_;  // OUT, or on their way out
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LEADER_TERM_H_
