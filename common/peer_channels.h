// gRPC channels to the peer ports of other nodes, by node id.
#ifndef DFS_COMMON_PEER_CHANNELS_H_
#define DFS_COMMON_PEER_CHANNELS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/channel.h>

#include "common/grpc_credentials.h"
#include "common/ids.h"
#include "common/sync.h"

namespace dfs {

// Thread-safe. Channels are made when first asked for and connect by themselves.
class PeerChannels {
 public:
  explicit PeerChannels(Dialer dialer = Dialer()) : dialer_(std::move(dialer)) {}
  // Where the node's peer port is ("host:port"). Another address drops the node's channels.
  void SetAddress(NodeId node, const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::string AddressOf(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Null if the node's address is not known.
  [[nodiscard]] std::shared_ptr<grpc::Channel> Get(NodeId node, ChannelUse use)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Dialer dialer_;
  mutable Mutex mutex_;
  std::map<NodeId, std::string> addresses_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<NodeId, ChannelUse>, std::shared_ptr<grpc::Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs

#endif  // DFS_COMMON_PEER_CHANNELS_H_
