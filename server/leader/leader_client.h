// The leader, wherever it is, as this node's coordinator and upkeep ask it.
//
// Finds the leader by the Raft host's status, calls it directly when it is this node, by RPC otherwise, and
// tries again (a few times, within the timeout) when leadership moves and nothing has happened.
#ifndef DFS_SERVER_LEADER_LEADER_CLIENT_H_
#define DFS_SERVER_LEADER_LEADER_CLIENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/leader.pb.h"

namespace dfs::leader {

// Thread-safe. All calls but Report… block the calling thread until answered or `timeout`.
// Errors of all: kUnavailable with reason NO_QUORUM: no leader was found in time, nothing happened (the detail names
// the members that this node believes dead).
class LeaderClient {
 public:
  virtual ~LeaderClient() = default;

  // A log index that covers every change answered before this call. Calls from many threads share rounds: a
  // call joins only one that has not been sent yet (rule R10).
  [[nodiscard]] virtual absl::StatusOr<LogIndex> ReadIndex(absl::Duration timeout) = 0;

  // Decides one change (those of SubmitRequest in leader.proto). Calls from many threads are sent
  // in batches. kDeadlineExceeded: outcome unknown. A result REBEGIN is returned as such.
  [[nodiscard]] virtual absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command,
                                                                  absl::Duration timeout) = 0;

  // A transaction for a put in `bucket`: from those opened in advance if one is at most 10 s old and was opened by
  // the leader of the present term, else from the leader. `holders` and `avoid` as in leader.proto (with either, always
  // from the leader). It is renewed every second (rule R11) until Done.
  [[nodiscard]] virtual absl::StatusOr<rpc::OpenTransaction> Begin(BucketId bucket,
                                                                   const std::vector<NodeId>& avoid,
                                                                   const std::vector<NodeId>& holders,
                                                                   absl::Duration timeout) = 0;
  // The put with this transaction is over; `is_committed` false: the leader closes it (it is cancelled with the next
  // renewal). Never blocks.
  virtual void Done(const TxnId& txn, bool is_committed) = 0;

  // A get reads this version for a while: told to the leader once a second, so that it is not purged meanwhile (rule R17).
  // As many Unpin as Pin. Never block.
  virtual void Pin(const TxnId& txn) = 0;
  virtual void Unpin(const TxnId& txn) = 0;

  // Queues late acknowledgements and damage reports; sent in batches every 100 ms or 1,000. Bounded: the oldest are
  // dropped (repair finds what was lost).
  virtual void ReportReplica(rpc::ReplicaChange change) = 0;

  [[nodiscard]] virtual absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(
      const rpc::VerdictsRequest& request, absl::Duration timeout) = 0;
  [[nodiscard]] virtual absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                                    absl::Duration timeout) = 0;
  [[nodiscard]] virtual absl::Status Register(const rpc::NodeStarted& node, absl::Duration timeout) = 0;
  [[nodiscard]] virtual absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest& request,
                                                               absl::Duration timeout) = 0;
  // What the leader says to Repair, Explain, ChangeMember or OkToStop (dfs/v1/cluster.proto). kDeadlineExceeded: no
  // answer came in time, ask again.
  [[nodiscard]] virtual absl::StatusOr<rpc::ManageResponse> Manage(const rpc::ManageRequest& /*request*/,
                                                                   absl::Duration /*timeout*/) {
    return absl::UnimplementedError("not answered here");
  }
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LEADER_CLIENT_H_
