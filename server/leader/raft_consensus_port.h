// ConsensusPort over the Raft host.
#ifndef DFS_SERVER_LEADER_RAFT_CONSENSUS_PORT_H_
#define DFS_SERVER_LEADER_RAFT_CONSENSUS_PORT_H_

#include <set>
#include <utility>

#include "server/leader/consensus_port.h"
#include "server/replicated_log/raft_host.h"

namespace dfs::leader {

class RaftConsensusPort final : public ConsensusPort {
 public:
  // `raft` outlives this object.
  explicit RaftConsensusPort(replicated_log::RaftHost* raft) : raft_(raft) {}

  [[nodiscard]] replicated_log::RaftStatus Status() const override { return raft_->Status(); }
  void Propose(rpc::Command command, Term only_in_term, ResultCallback done) override {
    raft_->Propose(std::move(command), only_in_term, std::move(done));
  }
  void ProposeMembers(MembersChange change, rpc::Command command, ResultCallback done) override {
    raft_->ProposeMembers(std::move(change), std::move(command), std::move(done));
  }
  void ProposeVoters(std::set<NodeId> voters,
                     absl::AnyInvocable<void(absl::Status)> done) override {
    raft_->ProposeVoters(std::move(voters), std::move(done));
  }
  void TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) override {
    raft_->TransferLeadership(std::move(done));
  }
  void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) override {
    raft_->ReadIndex(std::move(done));
  }
  void WaitApplied(LogIndex index, absl::Duration timeout,
                   absl::AnyInvocable<void(absl::Status)> done) override {
    raft_->WaitApplied(index, timeout, std::move(done));
  }

 private:
  replicated_log::RaftHost* const raft_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_RAFT_CONSENSUS_PORT_H_
