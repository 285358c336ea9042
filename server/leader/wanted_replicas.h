// What the log says this node holds: the other half of a scrub.
#ifndef DFS_SERVER_LEADER_WANTED_REPLICAS_H_
#define DFS_SERVER_LEADER_WANTED_REPLICAS_H_

#include <functional>

#include "common/ids.h"
#include "server/chunk/scrubber.h"
#include "server/leader/replica_catalog.h"

namespace dfs::leader {

// Thread-safe. From a state that may lag: what it says is a hint for repair and no verdict.
class WantedReplicas final : public chunk::WantedChunks {
 public:
  // `catalog` outlives this.
  WantedReplicas(NodeId self, ReplicaCatalog* catalog) : self_(self), catalog_(catalog) {}

  // True also if nobody can be asked.
  [[nodiscard]] bool IsWanted(const ChunkId& chunk) override;
  // Of current versions. Ends early if nobody can be asked: the next pass sees the others.
  void ForEach(const std::function<bool(const chunk::ChunkInfo&)>& visit) override;

 private:
  const NodeId self_;
  ReplicaCatalog* const catalog_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_WANTED_REPLICAS_H_
