// Members that are away and that come back: makes them OUT, and counts them in full again once what they hold is known, which
// is asked after each start.
#ifndef DFS_SERVER_LEADER_NODE_UPKEEP_H_
#define DFS_SERVER_LEADER_NODE_UPKEEP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "common/wire_ids.h"
#include "server/leader/out_policy.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Held by shared_ptr: callbacks keep it.
class NodeUpkeep : public std::enable_shared_from_this<NodeUpkeep> {
 public:
  // A node that is back must hold the log up to this many entries before the end.
  static constexpr std::uint64_t kReturnLagMax = 1'000;
  // Nodes compared at once: each is a look at all versions.
  static constexpr int kComparisonsMax = 2;
  // After a comparison that failed.
  static constexpr absl::Duration kCompareAgain = absl::Seconds(5);

  explicit NodeUpkeep(std::shared_ptr<TermState> state)
      : state_(std::move(state)), policy_(state_->options.out_after) {}

  // Call regularly, from the executor.
  void Tick();
  // When the node becomes OUT if it stays away; InfiniteFuture: it is not away. Thread-safe.
  [[nodiscard]] MonotonicTime OutAt(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void MaybeOut(const metadata::MetadataView& view);
  void MaybeReturn(const metadata::MetadataView& view);
  // On the pool. Compares what the log says that the node holds with what it holds; what is not there is recorded as
  // missing before the node counts again (rule R3).
  void Reconcile(const rpc::NodeRow& row);
  [[nodiscard]] absl::StatusOr<std::vector<rpc::ReplicaChange>> FindLost(const rpc::NodeRow& row);
  void ProposeIn(const rpc::NodeRow& row);
  void EndReconcile(NodeId node, bool is_done);

  const std::shared_ptr<TermState> state_;
  // Executor only.
  bool is_proposing_ = false;
  int comparing_ = 0;
  std::map<NodeId, MonotonicTime> reconciling_;  // not again before; InfiniteFuture: under way
  mutable Mutex mutex_;
  OutPolicy policy_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_NODE_UPKEEP_H_
