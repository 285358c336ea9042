// Who belongs: takes in new members, makes them count when they hold the log, chooses who votes (rules R1, R4, R7).
#ifndef DFS_SERVER_LEADER_MEMBER_UPKEEP_H_
#define DFS_SERVER_LEADER_MEMBER_UPKEEP_H_

#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/wire_ids.h"
#include "server/leader/leader_operations.h"
#include "server/leader/node_directory.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Thread-safe, never blocks. Held by shared_ptr: callbacks keep it.
class MemberUpkeep : public std::enable_shared_from_this<MemberUpkeep> {
 public:
  static constexpr std::size_t kWaitingMax = 64;

  MemberUpkeep(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory)
      : state_(std::move(state)), directory_(std::move(directory)) {}

  // Adds the data directory as JOINING, or says which node it is already. Answered when the entry is applied.
  // kFailedPrecondition: refused for good, nothing changed: another cluster's directory, one that claims the id
  // of another, a retired one.
  void Join(const rpc::JoinRequest& request, Answer<rpc::JoinResponse> done);
  // Proposes NodeStarted if it changes anything. kFailedPrecondition: another storage uuid, an old epoch, retired.
  void Register(const rpc::NodeStarted& node, absl::AnyInvocable<void(absl::Status)> done);
  // Activates joiners that hold the log; proposes voters. Call regularly, from the executor.
  void Tick();

 private:
  using Step = absl::AnyInvocable<void()>;

  [[nodiscard]] absl::StatusOr<rpc::JoinResponse> FindJoined(const metadata::MetadataView& view,
                                                             const rpc::JoinRequest& request);
  void AddNode(const rpc::JoinRequest& request, Answer<rpc::JoinResponse> done);
  // The row of the node that started; kFailedPrecondition: refused, as this node's state has it.
  [[nodiscard]] absl::StatusOr<rpc::NodeRow> FindStarted(const rpc::NodeStarted& node) const;
  void RecordStarted(const rpc::NodeStarted& node, const rpc::NodeRow& row,
                     absl::AnyInvocable<void(absl::Status)> done);
  void ProposeStarted(const rpc::NodeStarted& node, bool moves,
                      absl::AnyInvocable<void(absl::Status)> done);
  void MaybeActivate(const replicated_log::RaftStatus& status, const metadata::MetadataView& view);
  void HandLeadershipOver();
  void MaybeChangeVoters(const replicated_log::RaftStatus& status,
                         const metadata::MetadataView& view);
  // Configuration changes go one after another: only one may be on its way, and the next needs the
  // applied outcome of the one before (the next node id).
  [[nodiscard]] bool RunOrQueue(Step step) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] bool TryBegin() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndStep() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
  Mutex mutex_;
  bool is_changing_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Step> waiting_ ABSL_GUARDED_BY(mutex_);
  // What the leader had committed when it looked at the joiner before: who holds that much now
  // held the whole log then.
  std::map<NodeId, LogIndex> goals_;  // executor only
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_MEMBER_UPKEEP_H_
