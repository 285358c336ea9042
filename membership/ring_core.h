// The ring as a function of (state, now, input): heartbeats, suspicion, refutation, gossip.
//
// SWIM (Das et al. 2002) with Lifeguard (Dadgar et al. 2018) and phi-accrual, on a ring (README.md). The ring
// detects and gossip disseminates.
//
// Does no I/O, reads no clock, has no thread and no lock; not thread-safe. Equal inputs give equal
// outputs on every machine (its randomness is seeded by RingOptions).
#ifndef DFS_MEMBERSHIP_RING_CORE_H_
#define DFS_MEMBERSHIP_RING_CORE_H_

#include <cstdint>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "common/random.h"
#include "membership/failure_detector.h"
#include "membership/local_health.h"
#include "membership/member.h"
#include "membership/member_table.h"
#include "membership/message.h"
#include "membership/outbox.h"
#include "membership/rumour_queue.h"

namespace dfs::membership {

// ---- inputs ----

struct Tick {};
// From the transport, which has proved `message.from`; all else in it is checked here.
struct Receive {
  Message message;
};
// The address of `node` refuses connections, or its stream was reset.
struct Refused {
  NodeId node;
};
// By the replicated log. Self may be among them or not.
struct SetMembers {
  std::vector<NodeId> members;
};
struct SetHealth {
  NodeHealth health;
};
using Input = std::variant<Tick, Receive, Refused, SetMembers, SetHealth>;

// ---- output ----

// The driver sends the messages in order, reports the changes and steps Tick at `next_deadline`, not
// later than it must: a late Tick is taken as a sign that this node is the slow one.
struct Output {
  std::vector<Sending> sendings;
  std::vector<Change> changes;
  MonotonicTime next_deadline = absl::InfiniteFuture();
};

class RingCore {
 public:
  // Later than this after its deadline, a step counts as late.
  static constexpr absl::Duration kLateness = absl::Milliseconds(50);
  // Shortest time between two rounds of gossip, when there is something new.
  static constexpr absl::Duration kGossipSpacing = absl::Milliseconds(10);
  // One random dead member, and the dead among the neighbours by position, are probed this often, for ever:
  // so two halves of a cluster find each other again.
  static constexpr absl::Duration kDeadProbeInterval = absl::Seconds(1);
  // Each so many rounds, heartbeats also tell how the sender's other neighbours are (clusters with more
  // members than neighbours only).
  static constexpr std::uint64_t kRelayRounds = 10;

  RingCore(const RingOptions& options, MonotonicTime now);
  RingCore(const RingCore&) = delete;
  RingCore& operator=(const RingCore&) = delete;

  [[nodiscard]] Output Step(MonotonicTime now, Input input);

  [[nodiscard]] const MemberTable& table() const { return table_; }
  [[nodiscard]] std::uint64_t incarnation() const { return table_.self().incarnation; }
  [[nodiscard]] std::uint32_t local_health() const { return local_health_.score(); }

 private:
  void Handle(MonotonicTime now, Tick tick);
  void Handle(MonotonicTime now, Receive input);
  void Handle(MonotonicTime now, Refused input);
  void Handle(MonotonicTime now, SetMembers input);
  void Handle(MonotonicTime now, SetHealth input);

  void NoticeLateness(MonotonicTime now);
  void RecordContact(MonotonicTime now, const Message& message, Member& sender);
  void HandleRumour(MonotonicTime now, const Message& message, const Rumour& rumour);
  void HandleAliveRumour(MonotonicTime now, const Message& message, const Rumour& rumour);
  // Returns whether the sender believes of this node what is no longer, or never was, true.
  bool HandleRumourOfSelf(MonotonicTime now, const Rumour& rumour);
  void HandleKind(MonotonicTime now, const Message& message, bool was_wrong_about_us);

  void SendHeartbeats(MonotonicTime now);
  void Gossip(MonotonicTime now);
  void ProbeDead();
  // All that is known, in as many messages as it takes.
  void SendFullExchange(NodeId to);
  // What is known beyond `message`, a full exchange.
  void AnswerFullExchange(const Message& message);
  [[nodiscard]] std::vector<NodeId> LiveOthers() const;
  [[nodiscard]] MonotonicTime NextGossip() const;
  void Advance(MonotonicTime now);
  [[nodiscard]] MonotonicTime NextDeadline(MonotonicTime now) const;

  const RingOptions options_;
  Random random_;
  LocalHealth local_health_;
  MemberTable table_;
  RumourQueue news_;
  Outbox outbox_;
  FailureDetector detector_;
  MonotonicTime promised_ = absl::InfiniteFuture();  // the last next_deadline
  MonotonicTime next_heartbeat_;
  MonotonicTime last_heartbeat_ = absl::InfinitePast();
  std::uint64_t heartbeat_rounds_ = 0;
  MonotonicTime last_gossip_ = absl::InfinitePast();
  MonotonicTime next_full_exchange_;
  MonotonicTime next_dead_probe_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_RING_CORE_H_
