// What the log says of the copies that a node holds, for that node's own upkeep.
#ifndef DFS_SERVER_LEADER_REPLICA_CATALOG_H_
#define DFS_SERVER_LEADER_REPLICA_CATALOG_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/chunk/chunk_store.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::leader {

// Answers come from a state that may lag: hints, and no verdicts. Thread-safe; every call may block, on a disk or on another
// node. kUnavailable: nobody who keeps metadata of files could be asked.
class ReplicaCatalog {
 public:
  static constexpr std::size_t kChunksMax = 1'000;  // of one question

  virtual ~ReplicaCatalog() = default;
  // Of each chunk, in order, whether a version that exists names the node for it. At most kChunksMax (CHECKed).
  [[nodiscard]] virtual absl::StatusOr<std::vector<bool>> AreNamed(NodeId node,
                                                                   const std::vector<ChunkId>& chunks) = 0;
  struct Page {
    std::vector<chunk::ChunkInfo> chunks;
    TxnId last;  // where the next page goes on
    bool is_end = false;
  };
  // Chunks of current versions whose copy on the node counts as good; of versions behind `after`, in order of TxnId.
  [[nodiscard]] virtual absl::StatusOr<Page> ListGood(NodeId node, const TxnId& after) = 0;
  // Chunks that the log has purged, then such as it has let go (a move), and of which it waits to hear that the node has
  // unlinked them; until visit returns false.
  [[nodiscard]] virtual absl::Status ListLetGo(NodeId node, const std::function<bool(const ChunkId&)>& visit) = 0;
};

// Of a state that is here.
class LocalReplicaCatalog final : public ReplicaCatalog {
 public:
  // `machine` outlives this, and has files.
  explicit LocalReplicaCatalog(const metadata::MetadataMachine* machine) : machine_(machine) {}

  absl::StatusOr<std::vector<bool>> AreNamed(NodeId node, const std::vector<ChunkId>& chunks) override;
  absl::StatusOr<Page> ListGood(NodeId node, const TxnId& after) override;
  absl::Status ListLetGo(NodeId node, const std::function<bool(const ChunkId&)>& visit) override;

 private:
  const metadata::MetadataMachine* const machine_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPLICA_CATALOG_H_
