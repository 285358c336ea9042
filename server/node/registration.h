// Keeps the node table true about this node: the epoch and the addresses of this start.
#ifndef DFS_SERVER_NODE_REGISTRATION_H_
#define DFS_SERVER_NODE_REGISTRATION_H_

#include <atomic>
#include <functional>
#include <optional>

#include "common/executor.h"
#include "common/peer_registry.h"
#include "server/leader/leader_client.h"
#include "server/metadata/metadata_view.h"
#include "server/node/join.h"
#include "server/replicated_log/raft_host.h"

namespace dfs::node {

// Thread-safe.
class Registration {
 public:
  struct Parts {  // all outlive this
    replicated_log::RaftHost* raft = nullptr;
    leader::LeaderClient* leader = nullptr;
    ThreadPool* pool = nullptr;  // where calls block; stopped before this is destroyed
    // To be asked while no leader is heard of.
    std::function<Others()> others;
  };
  explicit Registration(Parts parts) : parts_(std::move(parts)) {}

  // Whether the table knows `own`; registers it if not. One attempt at a time; call again. Never blocks.
  bool Check(const rpc::NodeRow& own, const metadata::MetadataView& view);

 private:
  [[nodiscard]] absl::Status Register(const rpc::NodeStarted& started);

  const Parts parts_;
  std::atomic<bool> is_registering_{false};
};

// kFailedPrecondition, with what to do: the node has left its cluster, as far as this copy of the log goes.
[[nodiscard]] absl::Status CheckNotRetired(const metadata::MetadataView& view, NodeId self);
// The same, or kInvalidArgument: it joined with another role than it is started with.
[[nodiscard]] absl::Status CheckMayStart(const metadata::MetadataView& view, NodeId self,
                                         std::optional<rpc::NodeRole> role);

// Tells the registry which runs of the other nodes the table knows, and who is gone.
void LearnEpochs(const metadata::MetadataView& view, NodeId self, PeerRegistry* registry);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_REGISTRATION_H_
