// What this node believes of each member, and the ring that follows from it.
#ifndef DFS_MEMBERSHIP_MEMBER_TABLE_H_
#define DFS_MEMBERSHIP_MEMBER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "membership/arrival_estimator.h"
#include "membership/member.h"
#include "membership/message.h"
#include "membership/ring.h"

namespace dfs::membership {

struct Member {
  explicit Member(double phi) : arrivals(phi) {}

  LivenessState state = LivenessState::kUnknown;
  std::uint64_t incarnation = 0;  // never goes back; 0 if never heard of
  MonotonicTime changed = absl::InfinitePast();
  MonotonicTime last_heard = absl::InfinitePast();       // directly or by rumour
  MonotonicTime heard_directly = absl::InfinitePast();
  NodeHealth health;
  MonotonicTime health_heard = absl::InfinitePast();
  std::vector<NodeId> observers;  // who suspects this incarnation; cleared with it

  bool is_watched = false;        // a ring neighbour
  MonotonicTime silent_since = absl::InfinitePast();  // from when its silence counts
  // It was last cleared by others or by its own rumour, not by a message to us: perhaps only our link is bad.
  bool is_vouched = false;
  MonotonicTime quiet_probe = absl::InfinitePast();   // when it was last probed without accusing
  ArrivalEstimator arrivals;      // of heartbeats
};

struct Change {
  NodeId node;
  LivenessState from = LivenessState::kUnknown;
  LivenessState to = LivenessState::kUnknown;
  std::uint64_t incarnation = 0;
};

// Beliefs only grow in the order (incarnation, alive < suspect < dead), so that all tables that heard the
// same, in any order and any number of times, agree. Self is a member that is always alive. Pure.
class MemberTable {
 public:
  MemberTable(NodeId self, std::uint64_t incarnation, double phi);

  // These members and self; others are forgotten. New ones begin as kUnknown.
  void SetMembers(MonotonicTime now, const std::vector<NodeId>& members);

  // nullptr for who is no member. The pointer lives until SetMembers.
  [[nodiscard]] Member* Find(NodeId node);
  [[nodiscard]] const Member* Find(NodeId node) const;
  [[nodiscard]] Member& self() { return members_.at(self_); }
  [[nodiscard]] const Member& self() const { return members_.at(self_); }
  [[nodiscard]] NodeId self_id() const { return self_; }

  // Takes over a belief if it is greater than the present one; returns whether it was. Not for self.
  bool Merge(MonotonicTime now, NodeId node, LivenessState state, std::uint64_t incarnation);
  // Whether (state, incarnation) is greater than what is believed of `member`.
  static bool IsNews(const Member& member, LivenessState state, std::uint64_t incarnation);
  // Adds who suspects the present incarnation. Returns whether it was new and there was room.
  static bool AddObserver(Member& member, NodeId observer);

  [[nodiscard]] Rumour RumourOf(NodeId node) const;  // of a member
  [[nodiscard]] const std::map<NodeId, Member>& members() const { return members_; }
  [[nodiscard]] std::map<NodeId, Member>& members() { return members_; }
  [[nodiscard]] std::size_t live_count() const { return ring_.size(); }  // self included
  [[nodiscard]] const Ring& ring() const { return ring_; }       // of members that are not dead
  [[nodiscard]] const Ring& full_ring() const { return full_ring_; }  // of all members
  [[nodiscard]] const std::vector<NodeId>& neighbours() const { return neighbours_; }

  [[nodiscard]] std::vector<Change> TakeChanges();
  // Whether the neighbours changed since the last call.
  [[nodiscard]] bool TakeNeighboursChanged();

 private:
  void RebuildRing(MonotonicTime now);

  const NodeId self_;
  const double phi_;
  std::map<NodeId, Member> members_;
  Ring ring_;
  Ring full_ring_;
  std::vector<NodeId> neighbours_;
  std::vector<Change> changes_;
  bool neighbours_changed_ = false;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_MEMBER_TABLE_H_
