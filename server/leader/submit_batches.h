// Changes of many threads in few messages to the leader.
#ifndef DFS_SERVER_LEADER_SUBMIT_BATCHES_H_
#define DFS_SERVER_LEADER_SUBMIT_BATCHES_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/leader/leader_route.h"

namespace dfs::leader {

// Two batches at most are on their way; what arrives meanwhile makes up the next. When this node leads, a change goes
// straight to it.
//
// Sending the same change to a second leader is safe: (session, sequence) makes it count once, and the term of its
// transaction keeps a late first one from counting at all (rule R13).
//
// Thread-safe. Held by shared_ptr: callbacks keep it.
class SubmitBatches : public std::enable_shared_from_this<SubmitBatches> {
 public:
  static constexpr std::size_t kBatchesInFlightMax = 2;
  static constexpr std::size_t kBatchBytesMax = std::size_t{4} << 20;

  SubmitBatches(std::shared_ptr<LeaderRoute> route, RunId run)
      : route_(std::move(route)), run_(run) {}

  // Blocks until the change is decided. kUnavailable NO_QUORUM: no leader got it, nothing happened and
  // nothing will; kDeadlineExceeded: outcome unknown; kInvalidArgument: not a client's command.
  [[nodiscard]] absl::StatusOr<rpc::CommandResult> Submit(const rpc::Command& command,
                                                          absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Attempt {
    explicit Attempt(const rpc::Command& the_command) : command(the_command) {}
    const rpc::Command command;
    PendingAnswer<rpc::CommandResult> answer;
  };
  struct Batch {
    LeaderRoute::Target target;
    std::vector<std::shared_ptr<Attempt>> attempts;
  };

  [[nodiscard]] rpc::SubmitRequest EmptyRequest() const;
  std::optional<absl::StatusOr<rpc::CommandResult>> AskLocal(const LeaderRoute::Target& target,
                                                             const rpc::Command& command,
                                                             MonotonicTime end);
  std::optional<absl::StatusOr<rpc::CommandResult>> AskInBatch(const rpc::Command& command,
                                                               MonotonicTime end, bool& has_left)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(const std::shared_ptr<Batch>& batch);
  void Finish(const std::shared_ptr<Batch>& batch, absl::StatusOr<rpc::SubmitResponse> response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AbandonStale() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<LeaderRoute> route_;
  const RunId run_;
  Mutex mutex_;
  std::deque<std::shared_ptr<Attempt>> queue_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<Batch>> in_flight_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_SUBMIT_BATCHES_H_
