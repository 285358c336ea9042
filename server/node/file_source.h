// Where this node has the metadata of files from: its own state or, if it is storage-only, other nodes.
#ifndef DFS_SERVER_NODE_FILE_SOURCE_H_
#define DFS_SERVER_NODE_FILE_SOURCE_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/peer_channels.h"
#include "server/consensus/configuration.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/directory_feed.h"
#include "server/leader/replica_catalog.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::node {

class FileSource {
 public:
  // All outlive it.
  struct Parts {
    const metadata::MetadataMachine* machine = nullptr;
    const Clock* clock = nullptr;
    PeerChannels* channels = nullptr;
    // Of a storage-only node: whom to ask (FileHolders); RaftHost::AdoptDirectory.
    std::function<std::vector<NodeId>()> holders;
    std::function<void(metadata::DirectoryRows, std::function<void(absl::Status)>)> adopt;
  };
  explicit FileSource(Parts parts);

  [[nodiscard]] leader::ReplicaCatalog* catalog() { return catalog_.get(); }
  void AddTo(coordinator::Parts* parts);
  // Of a storage-only node, nothing on others: from now on its directory is kept up to date.
  void Start();
  void Stop();

 private:
  const Parts parts_;
  std::unique_ptr<leader::ReplicaCatalog> catalog_;
  std::unique_ptr<gateway::DirectoryFeed> feed_;  // of a storage-only node, else null
};

// Members but `self` that have metadata of files: the leader first, then those that are usable.
[[nodiscard]] std::vector<NodeId> FileHolders(const consensus::Configuration& configuration, NodeId self, NodeId leader,
                                              const std::function<bool(NodeId)>& is_usable);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_FILE_SOURCE_H_
