// Messages to other nodes that are lost on purpose: `dfs-server --test-drop-percent`.
#ifndef DFS_SERVER_NODE_TEST_MESSAGE_LOSS_H_
#define DFS_SERVER_NODE_TEST_MESSAGE_LOSS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/random.h"
#include "common/sync.h"
#include "membership/membership_transport.h"
#include "server/gossip_store/gossip_transport.h"
#include "server/replicated_log/raft_transport.h"

namespace dfs::node {

// Loses each message that is sent through it with the same probability: those of the ring, of Raft and of gossip buckets,
// whose transports may lose messages by contract. Not lost are calls that carry bytes of files or snapshots, and
// those of clients: they go over TCP, which repeats what a network loses.
//
// Thread-safe. What Through returns lives as long as this object, and as what it was given.
class TestMessageLoss {
 public:
  // 0: nothing is lost, and Through returns what it is given.
  explicit TestMessageLoss(std::uint32_t percent, std::uint64_t seed = SystemRandom64());
  ~TestMessageLoss();
  TestMessageLoss(const TestMessageLoss&) = delete;
  TestMessageLoss& operator=(const TestMessageLoss&) = delete;

  // What it does, for status; empty if it loses nothing.
  [[nodiscard]] std::string Describe() const;

  // Each once.
  membership::MembershipTransport* Through(membership::MembershipTransport* ring);
  replicated_log::RaftTransport* Through(replicated_log::RaftTransport* raft);
  gossip_store::GossipTransport* Through(gossip_store::GossipTransport* gossip);

 private:
  class LossyRing;
  class LossyRaft;
  class LossyGossip;
  bool IsLost() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::uint32_t percent_;
  std::atomic<std::uint64_t> lost_{0};
  Mutex mutex_;
  Random random_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LossyRing> ring_;
  std::unique_ptr<LossyRaft> raft_;
  std::unique_ptr<LossyGossip> gossip_;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_TEST_MESSAGE_LOSS_H_
