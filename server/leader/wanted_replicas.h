// What the log says this node holds: the other half of a scrub.
#ifndef DFS_SERVER_LEADER_WANTED_REPLICAS_H_
#define DFS_SERVER_LEADER_WANTED_REPLICAS_H_

#include <functional>

#include "common/ids.h"
#include "server/chunk/scrubber.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::leader {

// Thread-safe. From this node's own applied state, which may lag: what it says is a hint for repair and no verdict.
class WantedReplicas final : public chunk::WantedChunks {
 public:
  // `machine` outlives this.
  WantedReplicas(NodeId self, const metadata::MetadataMachine* machine)
      : self_(self), machine_(machine) {}

  [[nodiscard]] bool IsWanted(const ChunkId& chunk) override;
  // Of current versions.
  void ForEach(const std::function<bool(const chunk::ChunkInfo&)>& visit) override;

 private:
  const NodeId self_;
  const metadata::MetadataMachine* const machine_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_WANTED_REPLICAS_H_
