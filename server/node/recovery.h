// Rule R6's way out: the other member of a cluster of two takes the vote when the only voter is
// lost for good.
#ifndef DFS_SERVER_NODE_RECOVERY_H_
#define DFS_SERVER_NODE_RECOVERY_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/consensus/raft_core.h"
#include "server/replicated_log/log_store.h"

namespace dfs::node {

// What has to be written so that `lost` is out and this node votes alone. Pure.
struct Recovery {
  NodeId lost;
  std::string lost_address;
  consensus::HardState hard_state;
  consensus::Entry entry;  // directly behind the end of the log
};

// nullopt: this node is the only member already, nothing is to be done.
// kInvalidArgument: the data directory belongs to no cluster.
// kFailedPrecondition: its log does not prove that it holds every answered change, or it needs no
// recovery: other than two members, this node votes, is not active yet, or a change of voters is
// under way.
absl::StatusOr<std::optional<Recovery>> PlanRecovery(const replicated_log::Identity& identity,
                                                     const consensus::InitialState& stored);

// Whether something answers at "host:port". Blocks for at most `timeout` an address.
using Dial = std::function<bool(const std::string& address)>;

// Plans, makes sure that nobody answers at the lost voter's address nor at `others`, and writes the
// plan in one synced batch. Says on the log what it means. Nothing is changed unless OK.
// kFailedPrecondition also: something answers there.
absl::Status RecoverAsVoter(replicated_log::LogStore& store, const std::vector<std::string>& others,
                            const Dial& answers);

// Opens a TCP connection. A process that is stopped and one that hangs answer too: they may go on.
bool AnswersTcp(const std::string& address);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_RECOVERY_H_
