// The node's leader client with an eye on the moments at which a put waits.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_WATCHED_LEADER_CLIENT_H_
#define DFS_TESTS_SIMULATION_SYSTEM_WATCHED_LEADER_CLIENT_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/leader/leader_client.h"

namespace dfs::simulation {

// Where a put or a copy stands, on the fiber that carries it.
enum class Moment {
  kWritten,    // W copies are durable, CommitPut has not left the coordinator
  kProposing,  // the leader hands CommitPut to Raft
  kBeginning,  // the put was told to begin again and asks for a new transaction
  kRelinking,  // a holder is about to be asked to relink
  kCopied,     // of repair or a move: the copy is durable and not acknowledged
};
inline const char* NameOf(Moment moment) {
  switch (moment) {
    case Moment::kWritten:
      return "between write and commit";
    case Moment::kProposing:
      return "while a commit is proposed";
    case Moment::kBeginning:
      return "while a put begins again";
    case Moment::kRelinking:
      return "while relinking";
    case Moment::kCopied:
      return "after a copy";
  }
  return "";
}
// May block: the put stands still meanwhile.
using OnMoment = std::function<void(Moment moment)>;

class WatchedLeaderClient final : public leader::LeaderClient {
 public:
  WatchedLeaderClient(leader::LeaderClient* client, OnMoment on_moment)
      : client_(client), on_moment_(std::move(on_moment)) {}

  absl::StatusOr<LogIndex> ReadIndex(absl::Duration timeout) override {
    return client_->ReadIndex(timeout);
  }
  absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command, absl::Duration timeout) override {
    if (command.has_commit_put()) on_moment_(Moment::kWritten);
    return client_->Submit(std::move(command), timeout);
  }
  absl::StatusOr<rpc::OpenTransaction> Begin(BucketId bucket, const std::vector<NodeId>& avoid,
                                             const std::vector<NodeId>& holders,
                                             absl::Duration timeout) override {
    if (!holders.empty()) on_moment_(Moment::kBeginning);
    return client_->Begin(bucket, avoid, holders, timeout);
  }
  void Done(const TxnId& txn, bool is_committed) override { client_->Done(txn, is_committed); }
  void Pin(const TxnId& txn) override { client_->Pin(txn); }
  void Unpin(const TxnId& txn) override { client_->Unpin(txn); }
  void ReportReplica(rpc::ReplicaChange change) override {
    client_->ReportReplica(std::move(change));
  }
  absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(const rpc::VerdictsRequest& request,
                                                              absl::Duration timeout) override {
    return client_->AskVerdicts(request, timeout);
  }
  absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                              absl::Duration timeout) override {
    return client_->ReportUnlinked(request, timeout);
  }
  absl::Status Register(const rpc::NodeStarted& node, absl::Duration timeout) override {
    return client_->Register(node, timeout);
  }
  absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest& request,
                                         absl::Duration timeout) override {
    return client_->Join(request, timeout);
  }
  absl::StatusOr<rpc::ManageResponse> Manage(const rpc::ManageRequest& request,
                                             absl::Duration timeout) override {
    return client_->Manage(request, timeout);
  }

 private:
  leader::LeaderClient* const client_;
  const OnMoment on_moment_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_WATCHED_LEADER_CLIENT_H_
