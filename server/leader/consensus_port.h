// The part of the Raft host that the leader and its clients need. replicated_log/raft_host.h states the
// contract of each call; raft_consensus_port.h is the real one.
#ifndef DFS_SERVER_LEADER_CONSENSUS_PORT_H_
#define DFS_SERVER_LEADER_CONSENSUS_PORT_H_

#include <functional>
#include <set>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/consensus/configuration.h"
#include "server/replicated_log/raft_host.h"

namespace dfs::leader {

// Thread-safe, never blocks.
class ConsensusPort {
 public:
  using ResultCallback = absl::AnyInvocable<void(absl::StatusOr<rpc::CommandResult>)>;
  using MembersChange =
      std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)>;

  virtual ~ConsensusPort() = default;
  [[nodiscard]] virtual replicated_log::RaftStatus Status() const = 0;
  virtual void Propose(rpc::Command command, Term only_in_term, ResultCallback done) = 0;
  virtual void ProposeMembers(MembersChange change, rpc::Command command, ResultCallback done) = 0;
  virtual void ProposeVoters(std::set<NodeId> voters,
                             absl::AnyInvocable<void(absl::Status)> done) = 0;
  // `done` when another leads, or it was given up. A twin without others cannot.
  virtual void TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) {
    done(absl::UnavailableError("nobody can take over"));
  }
  virtual void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) = 0;
  virtual void WaitApplied(LogIndex index, absl::Duration timeout,
                           absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_CONSENSUS_PORT_H_
