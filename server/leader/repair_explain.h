// Says of a chunk what is going on with its copies. Pure.
#ifndef DFS_SERVER_LEADER_REPAIR_EXPLAIN_H_
#define DFS_SERVER_LEADER_REPAIR_EXPLAIN_H_

#include <map>
#include <string>

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/v1/cluster.pb.h"
#include "server/leader/repair_plan.h"

namespace dfs::leader {

struct ExplainFacts {
  const RepairMembers* members = nullptr;
  std::map<NodeId, std::string> names;        // of all nodes, retired ones too
  std::map<NodeId, absl::Duration> out_in;    // of dead nodes that are not OUT: until they become OUT
  bool is_copying = false;                    // a copy of this chunk is under way
  bool is_yielding = false;
};

// Without the number of the chunk. `code`: OK, NODE_AWAY, COPYING, QUEUED, NO_LIVE_SOURCE, NO_NODE_LEFT, NO_SPACE.
[[nodiscard]] api::ExplainedChunk ExplainChunk(const IncompleteChunk& chunk,
                                               const ExplainFacts& facts);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_EXPLAIN_H_
