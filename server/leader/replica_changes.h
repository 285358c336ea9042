// Copies that came late or were made by repair, and copies found damaged or lost, on their way into the log in batches.
#ifndef DFS_SERVER_LEADER_REPLICA_CHANGES_H_
#define DFS_SERVER_LEADER_REPLICA_CHANGES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/wire_ids.h"
#include "server/leader/leader_operations.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Thread-safe, never blocks. Held by shared_ptr: callbacks keep it.
class ReplicaChanges : public std::enable_shared_from_this<ReplicaChanges> {
 public:
  static constexpr std::size_t kQueuedMax = 100'000;

  // `on_damage`: a batch that took copies away was applied. May be null.
  ReplicaChanges(std::shared_ptr<TermState> state, std::function<void()> on_damage)
      : state_(std::move(state)), on_damage_(std::move(on_damage)) {}

  // Queues what a coordinator reports. A copy that is there (OK) counts only for the order that its CommitPut
  // opened (rule R19); others are dropped, repair's question finds them. kResourceExhausted: nothing queued.
  [[nodiscard]] absl::Status Report(const rpc::ReportReplicasRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Queues the copy of a repair order, if that order is still open. False: it is not.
  bool ReportRepaired(rpc::ReplicaChange change, std::uint64_t order) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Enqueue(std::vector<rpc::ReplicaChange> changes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);
  void Propose(std::vector<rpc::ReplicaChange> batch);
  void Finish(const std::vector<rpc::ReplicaChange>& batch,
              const absl::StatusOr<rpc::CommandResult>& result);

  const std::shared_ptr<TermState> state_;
  const std::function<void()> on_damage_;
  Mutex mutex_;
  std::deque<rpc::ReplicaChange> queue_ ABSL_GUARDED_BY(mutex_);
  bool is_armed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPLICA_CHANGES_H_
