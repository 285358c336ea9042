// The node table and the buckets as the leader's checks read them for every put: a copy that is at most a fraction of
// a second old, so that a put costs no read of the store. Apply decides again; a stale copy costs a REBEGIN at most.
#ifndef DFS_SERVER_LEADER_NODE_DIRECTORY_H_
#define DFS_SERVER_LEADER_NODE_DIRECTORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "server/leader/term_state.h"
#include "server/placement/placement_policy.h"

namespace dfs::leader {

struct NodeRows {
  std::map<NodeId, rpc::NodeRow> rows;  // retired ones too
  std::uint64_t members = 0;            // ACTIVE

  // Whether `ack` names an ACTIVE node with its present storage uuid and boot epoch (rule R4).
  [[nodiscard]] bool IsCurrent(const rpc::Ack& ack) const;
};

// Thread-safe.
class NodeDirectory {
 public:
  static constexpr absl::Duration kFreshFor = absl::Milliseconds(200);

  explicit NodeDirectory(const LeaderWorld& world) : world_(world) {}

  [[nodiscard]] std::shared_ptr<const NodeRows> Get() ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads the state machine now.
  std::shared_ptr<const NodeRows> Refresh() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::optional<rpc::BucketRow> FindBucket(BucketId id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const LeaderWorld world_;
  Mutex mutex_;
  MonotonicTime read_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::shared_ptr<const NodeRows> rows_ ABSL_GUARDED_BY(mutex_);
  std::map<BucketId, rpc::BucketRow> buckets_ ABSL_GUARDED_BY(mutex_);  // forgotten at each refresh
};

// A member that has started, and whose copies were not compared with the log since (rule R3).
[[nodiscard]] bool IsReturning(const rpc::NodeRow& row);

// The members that are ACTIVE, as candidates for copies.
[[nodiscard]] std::vector<placement::Candidate> Candidates(
    const NodeRows& rows, const std::vector<NodeLiveness>& liveness);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_NODE_DIRECTORY_H_
