// What a node keeps of gossip buckets, durably.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_TABLE_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_TABLE_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/gossip_store/gossip_core.h"

namespace dfs::gossip_store {

struct StoredGossip {
  GossipState state;
  std::vector<HeldRecord> records;
};

// One thread at a time. All calls block on the disk.
class GossipTable {
 public:
  virtual ~GossipTable() = default;
  // All that is held. kDataLoss: a row is damaged.
  [[nodiscard]] virtual absl::StatusOr<StoredGossip> Load() = 0;
  // In this order, all or nothing, durable on return. kDataLoss: the disk failed; the outcome is unknown, and no further
  // write is taken until it is opened anew.
  [[nodiscard]] virtual absl::Status Write(const std::vector<Change>& changes,
                                           const std::optional<GossipState>& state) = 0;
  // From now on it holds this and no other record, all or nothing, durable on return. Errors as Write.
  [[nodiscard]] virtual absl::Status BeginAnew(const BegunAnew& anew) = 0;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_TABLE_H_
