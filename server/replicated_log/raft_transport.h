// Carries Raft messages between members.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_TRANSPORT_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_TRANSPORT_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "server/consensus/message.h"

namespace dfs::replicated_log {

class RaftTransport {
 public:
  // `message.from` is proved: it came over a connection whose Hello was checked (rules R1, R2).
  using Receiver = std::function<void(consensus::Message)>;
  // The member's address refused a connection, or its stream broke: evidence of a crash.
  using Refused = std::function<void(NodeId)>;

  virtual ~RaftTransport() = default;
  // Before the first message. Both are called on transport threads: return at once.
  virtual void SetReceiver(Receiver receiver, Refused refused) = 0;
  // Keeps streams to these members (all but self) and to nobody else.
  virtual void SetMembers(const consensus::Configuration& configuration) = 0;
  // Queues; never blocks; may lose, never alters. What does not fit into a peer's queue (named limit) is dropped.
  virtual void Send(std::vector<consensus::Message> messages) = 0;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_TRANSPORT_H_
