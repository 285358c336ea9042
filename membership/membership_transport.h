// Carries ring messages: one stream to each node talked to, and nothing else on it.
#ifndef DFS_MEMBERSHIP_MEMBERSHIP_TRANSPORT_H_
#define DFS_MEMBERSHIP_MEMBERSHIP_TRANSPORT_H_

#include <functional>
#include <vector>

#include "common/ids.h"
#include "membership/member.h"
#include "membership/message.h"

namespace dfs::membership {

class MembershipTransport {
 public:
  using Receiver = std::function<void(Message)>;   // `from` is proved by the stream's Hello (rule R1)
  using Refused = std::function<void(NodeId)>;     // its address refuses connections, or reset the stream
  virtual ~MembershipTransport() = default;
  virtual void SetReceiver(Receiver receiver, Refused refused) = 0;
  virtual void SetMembers(const std::vector<MemberAddress>& members) = 0;
  // Never blocks; may lose. With `is_fresh`, over a new connection (a direct probe).
  virtual void Send(Message message, bool is_fresh) = 0;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_MEMBERSHIP_TRANSPORT_H_
