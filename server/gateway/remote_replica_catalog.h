// The catalog of a storage-only node: other nodes have it.
#ifndef DFS_SERVER_GATEWAY_REMOTE_REPLICA_CATALOG_H_
#define DFS_SERVER_GATEWAY_REMOTE_REPLICA_CATALOG_H_

#include <functional>
#include <vector>

#include "common/ids.h"
#include "common/peer_channels.h"
#include "common/progress_guard.h"
#include "server/leader/replica_catalog.h"

namespace dfs::gateway {

// Asks dfs.internal.v1.Catalog of the holders in turn. A question that meets nodes which hang takes kHolderPatience for each of
// them.
class RemoteReplicaCatalog final : public leader::ReplicaCatalog {
 public:
  // `channels` outlives it. `holders`: coordinator::Parts::file_holders.
  RemoteReplicaCatalog(PeerChannels* channels, std::function<std::vector<NodeId>()> holders)
      : channels_(channels), holders_(std::move(holders)) {}

  absl::StatusOr<std::vector<bool>> AreNamed(NodeId node, const std::vector<ChunkId>& chunks) override;
  absl::StatusOr<Page> ListGood(NodeId node, const TxnId& after) override;
  absl::Status ListLetGo(NodeId node, const std::function<bool(const ChunkId&)>& visit) override;

 private:
  template <class Request, class Response>
  absl::StatusOr<Response> Ask(const char* method, const Request& request);

  PeerChannels* const channels_;
  const std::function<std::vector<NodeId>()> holders_;
  ProgressGuard guard_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_REMOTE_REPLICA_CATALOG_H_
