// What the leader does for others, as calls that answer through a callback. The leader itself implements
// it (leader_host.h); so does the way to a leader elsewhere (grpc_leader_peer.h).
#ifndef DFS_SERVER_LEADER_LEADER_OPERATIONS_H_
#define DFS_SERVER_LEADER_LEADER_OPERATIONS_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/leader.pb.h"

namespace dfs::leader {

template <class Response>
using Answer = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

// Thread-safe, never blocks. `done` runs once: before the call returns, or later on a thread that must not wait. The
// caller bounds its own waiting: `timeout` only says from when on an answer is of no use any more.
//
// Errors of all: kUnavailable with reason NOT_LEADER and outcome NOTHING_CHANGED: this node does not lead. Any error
// whose outcome (proto/error_detail.h) is UNKNOWN may have had its effect or may still have it.
class LeaderOperations {
 public:
  virtual ~LeaderOperations() = default;

  virtual void OpenTransactions(const rpc::OpenTransactionsRequest& request, absl::Duration timeout,
                                Answer<rpc::OpenTransactionsResponse> done) = 0;
  virtual void RenewTransactions(const rpc::RenewTransactionsRequest& request,
                                 absl::Duration timeout,
                                 Answer<rpc::RenewTransactionsResponse> done) = 0;
  // Answered when every command of the batch is decided.
  virtual void Submit(const rpc::SubmitRequest& request, absl::Duration timeout,
                      Answer<rpc::SubmitResponse> done) = 0;
  virtual void ReadIndex(absl::Duration timeout, Answer<rpc::ReadIndexResponse> done) = 0;
  virtual void ReportReplicas(const rpc::ReportReplicasRequest& request, absl::Duration timeout,
                              Answer<rpc::ReportReplicasResponse> done) = 0;
  virtual void Verdicts(const rpc::VerdictsRequest& request, absl::Duration timeout,
                        Answer<rpc::VerdictsResponse> done) = 0;
  virtual void ReportUnlinked(const rpc::ReportUnlinkedRequest& request, absl::Duration timeout,
                              Answer<rpc::ReportUnlinkedResponse> done) = 0;
  // kFailedPrecondition: refused for good (rule R1); the sentence says what to do.
  virtual void Join(const rpc::JoinRequest& request, absl::Duration timeout,
                    Answer<rpc::JoinResponse> done) = 0;
  virtual void Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                        Answer<rpc::RegisterResponse> done) = 0;
  // Repair, Explain, ChangeMember, OkToStop (dfs/v1/cluster.proto). A twin that knows none of them says so.
  virtual void Manage(const rpc::ManageRequest& /*request*/, absl::Duration /*timeout*/,
                      Answer<rpc::ManageResponse> done) {
    done(absl::UnimplementedError("not answered here"));
  }
};

// Limits of the messages.
inline constexpr int kTransactionsPerRequestMax = 64;
inline constexpr int kCommandsPerSubmitMax = 256;
inline constexpr int kQuestionsPerRequestMax = 1'000;
inline constexpr int kChangesPerReportMax = 1'000;
inline constexpr int kUnlinkedPerReportMax = 1'000;
inline constexpr int kHeldPerRenewalMax = 10'000;
inline constexpr std::uint32_t kJoinHopsMax = 2;

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LEADER_OPERATIONS_H_
