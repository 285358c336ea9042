// Who is alive, as this node sees it: drives the ring core over a transport.
#ifndef DFS_MEMBERSHIP_MEMBERSHIP_HOST_H_
#define DFS_MEMBERSHIP_MEMBERSHIP_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "membership/member.h"
#include "membership/membership_transport.h"

namespace dfs::membership {

// What the ring knows of one member.
struct MemberView {
  NodeId node;
  LivenessState state = LivenessState::kUnknown;
  std::uint64_t incarnation = 0;   // boot_epoch << 32 | counter
  MonotonicTime changed;           // when the state was entered, on this node's clock
  MonotonicTime last_heard;        // directly or by rumour; InfinitePast if never
  NodeHealth health;               // as last heard
  std::vector<NodeId> successors;   // on the ring of live members, nearest first, at most 2
  std::vector<NodeId> predecessors;
};

// Thread-safe. Nothing here waits for a disk.
class MembershipHost {
 public:
  struct Parts {
    RingOptions options;
    MembershipTransport* transport = nullptr;  // outlives the host
    const Clock* clock = nullptr;
    // Called when a member's state changes; on the host's own thread: return at once. May be null.
    std::function<void(NodeId, LivenessState from, LivenessState to, std::uint64_t incarnation)> on_change;
    // This node's health, asked once per heartbeat round; must not block. May be null.
    std::function<NodeHealth()> own_health;
  };
  explicit MembershipHost(Parts parts);
  ~MembershipHost();  // Stop()
  void Start();
  void Stop();

  // The members by the replicated log (self included, retired ones not). Others are dropped and ignored.
  void SetMembers(std::vector<MemberAddress> members);
  // Evidence from elsewhere: an RPC to that node failed with a refused connection.
  void ReportRefused(NodeId node);

  [[nodiscard]] std::vector<MemberView> Members() const;
  [[nodiscard]] LivenessState StateOf(NodeId node) const;
  // Alive or suspect-but-not-dead: worth a try. Self is always usable.
  [[nodiscard]] bool IsUsable(NodeId node) const;
  // By what was last heard of it.
  [[nodiscard]] bool HasSlowDisk(NodeId node) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_MEMBERSHIP_HOST_H_
