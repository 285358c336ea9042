// How this process names itself to others, in each of their messages. Pure.
#ifndef DFS_SERVER_NODE_OWN_IDENTITY_H_
#define DFS_SERVER_NODE_OWN_IDENTITY_H_

#include "common/wire_ids.h"
#include "dfs/internal/v1/leader.pb.h"
#include "server/node/config.h"
#include "server/replicated_log/log_store.h"

namespace dfs::node {

rpc::NodeRow RowOf(const replicated_log::Identity& identity, NodeId node, const Config& config);
// The data directory belongs to a cluster (CHECKed).
rpc::PeerHello HelloOf(const replicated_log::Identity& identity, RunId run, const Config& config);
rpc::Ack AckOf(const replicated_log::Identity& identity);
rpc::JoinRequest JoinRequestOf(const replicated_log::Identity& identity, const Config& config);
rpc::NodeStarted StartedOf(const rpc::NodeRow& row);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_OWN_IDENTITY_H_
