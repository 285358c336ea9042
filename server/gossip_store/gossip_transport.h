// How messages of gossip buckets get from node to node.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_TRANSPORT_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_TRANSPORT_H_

#include <functional>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/gossip_store/gossip_message.h"

namespace dfs::gossip_store {

// What one node holds of a name, and its clock.
struct HeldThere {
  std::optional<Record> record;  // a tombstone too; none: nothing
  absl::Time wall;
};
using HeldCallback = absl::AnyInvocable<void(absl::StatusOr<HeldThere>)>;

// The receiving side. Thread-safe; neither call blocks.
class GossipInbound {
 public:
  virtual ~GossipInbound() = default;
  // From `message.from`, which is proved; all else in it is not checked. May be dropped.
  virtual void Receive(Message message) = 0;
  // The callback is called once, on any thread, or destroyed.
  virtual void Find(Key key, HeldCallback done) = 0;
};

// Thread-safe. Nothing blocks.
class GossipTransport {
 public:
  virtual ~GossipTransport() = default;
  // May be lost, or come behind a later one.
  virtual void Send(Message message) = 0;
  // What `peer` holds of a name. The callback is called once, on an internal thread: return at once. kUnavailable,
  // kDeadlineExceeded: no answer.
  virtual void Ask(NodeId peer, const Key& key, absl::Duration timeout, HeldCallback done) = 0;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_TRANSPORT_H_
