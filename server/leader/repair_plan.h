// Which missing copies to make next, from where and onto which node. Pure.
#ifndef DFS_SERVER_LEADER_REPAIR_PLAN_H_
#define DFS_SERVER_LEADER_REPAIR_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/ids.h"
#include "server/placement/placement_policy.h"

namespace dfs::leader {

enum class CopyState { kOk, kMissing, kCorrupt };

struct IncompleteChunk {
  ChunkId chunk;
  std::uint64_t size = 0;
  Hash128 hash;
  std::size_t replicas_wanted = 3;  // of the bucket
  std::map<NodeId, CopyState> set;
};

struct RepairLimits {
  std::size_t in_flight_max = 16;
  std::size_t per_source_max = 4;
  std::size_t per_target_max = 4;
};

// Copies under way.
struct RepairLoad {
  std::size_t in_flight = 0;
  std::map<NodeId, std::size_t> by_source;
  std::map<NodeId, std::size_t> by_target;
};

struct CopyTask {
  ChunkId chunk;
  std::uint64_t size = 0;
  Hash128 hash;
  std::vector<NodeId> sources;  // alive, hold it in full; the least loaded first
  NodeId target;
  NodeId replaces;  // always none for now: a missing copy whose node is dead waits for it
};

// At most one task for a chunk; chunks with the fewest copies on live nodes first. The target is a member of the set
// whose copy is missing or corrupt and that is alive; failing that, if the set is smaller than min(replicas wanted,
// members), a live node outside it. `members`: all that are ACTIVE.
[[nodiscard]] std::vector<CopyTask> PlanRepair(const std::vector<IncompleteChunk>& chunks,
                                               const std::vector<placement::Candidate>& members,
                                               const RepairLimits& limits, RepairLoad load);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_PLAN_H_
