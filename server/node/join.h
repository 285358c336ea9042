// How a data directory that belongs to no cluster gets into one.
#ifndef DFS_SERVER_NODE_JOIN_H_
#define DFS_SERVER_NODE_JOIN_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/grpc_credentials.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/leader.pb.h"
#include "server/consensus/raft_core.h"
#include "server/replicated_log/log_store.h"

namespace dfs::node {

// Waits up to the given time for a signal to stop; true: stop.
using Interrupted = std::function<bool(absl::Duration)>;

// Peer addresses of other members, and how to dial them.
struct Others {
  std::vector<std::string> addresses;
  Dialer dialer;
};

// Asks the addresses in turn until one answers. Idempotent by storage uuid.
//   kFailedPrecondition  the cluster refuses this data directory; the message says what to do
//   kUnavailable         no address answered within `timeout`
//   kCancelled           stopped
absl::StatusOr<rpc::JoinResponse> JoinThrough(const Others& others,
                                              const rpc::JoinRequest& request,
                                              absl::Duration timeout,
                                              const Interrupted& interrupted);

// kInvalidArgument, with what to do: a data directory that is new, or one that joined and was stopped before it got the log,
// and no address was given.
absl::Status BelongsToNoCluster(const std::string& data_dir);
absl::Status StoppedBeforeTheLog(const std::string& data_dir);

// Whether the log says who the members are.
bool HasConfiguration(const consensus::InitialState& log);

// Asks each address once to pass the registration on to the leader; OK if one did. The first refusal ends it.
//   kFailedPrecondition  refused; kUnavailable: nobody knew a leader
absl::Status RegisterThrough(const Others& others, const rpc::RegisterRequest& request);

// Forms a cluster of one (rule R4): a fresh cluster id, node 1, and a log whose first entry holds the configuration
// and the FormCluster command. The store must belong to no cluster.
absl::Status FormCluster(replicated_log::LogStore& store, const rpc::NodeRow& node);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_JOIN_H_
