// From silence and refused connections to SUSPECT, and from SUSPECT to DEAD.
#ifndef DFS_MEMBERSHIP_FAILURE_DETECTOR_H_
#define DFS_MEMBERSHIP_FAILURE_DETECTOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "common/random.h"
#include "membership/local_health.h"
#include "membership/member.h"
#include "membership/member_table.h"
#include "membership/message.h"
#include "membership/outbox.h"
#include "membership/probe_round.h"
#include "membership/rumour_queue.h"
#include "membership/suspicion.h"

namespace dfs::membership {

// Watches the ring neighbours and examines suspects. Every verdict goes into the table and, as news, into the
// rumour queue. Never accuses on evidence that is older than the last contact with the accused.
//
// Part of the ring core: no clock, thread or I/O. Not thread-safe.
class FailureDetector {
 public:
  // Longest silence that is ever waited for, before stretching: a member whose rhythm is wild is still missed.
  static constexpr absl::Duration kSuspectAfterMax = absl::Seconds(1);
  static constexpr std::size_t kFavoursMax = 64;  // probes under way for others
  static constexpr std::size_t kConfirmationsMax = 3;

  struct Parts {
    const RingOptions* options = nullptr;
    MemberTable* table = nullptr;
    RumourQueue* news = nullptr;
    Outbox* outbox = nullptr;
    LocalHealth* local_health = nullptr;
    Random* random = nullptr;
  };
  explicit FailureDetector(const Parts& parts);  // all outlive this

  // `node` (a member) was heard directly; the table knows already.
  void HandleContact(MonotonicTime now, NodeId node);
  // `node` has raised its incarnation, by rumour.
  void HandleVouched(MonotonicTime now, NodeId node);
  void HandleRefused(MonotonicTime now, NodeId node);
  // Of another member than self. `is_old`: not news but old knowledge (a full exchange).
  void HandleSuspectRumour(MonotonicTime now, const Rumour& rumour);
  void HandleDeadRumour(MonotonicTime now, const Rumour& rumour, bool is_old);
  void HandleIndirectProbe(MonotonicTime now, const Message& message);
  void HandleIndirectReply(MonotonicTime now, const Message& message);

  // This node did nothing for `lateness`: silence during that time is no evidence.
  void Forgive(MonotonicTime now, absl::Duration lateness);
  // This node stood still for long: everyone gets a fresh chance.
  void ForgiveAll(MonotonicTime now);

  // Does what is due.
  void Advance(MonotonicTime now);
  [[nodiscard]] MonotonicTime NextDeadline(MonotonicTime now) const;

 private:
  // A suspect under examination.
  struct Case {
    std::uint64_t incarnation = 0;
    Suspicion suspicion;
    bool is_own = false;      // this node is one of the observers
    bool was_refused = false;  // and its evidence is a refused connection, not silence
    std::optional<ProbeRound> probes;
    // When this node looks for itself, if nobody has decided by then (the accuser may have died).
    MonotonicTime own_probe_at;
  };
  // A probe for another member.
  struct Favour {
    NodeId asker;
    NodeId target;
    std::uint64_t sequence = 0;  // of the question
    MonotonicTime deadline;
  };

  [[nodiscard]] absl::Duration SilenceLimit(const Member& member) const;
  void CheckSilence(MonotonicTime now, NodeId node, Member& member);
  void Accuse(MonotonicTime now, NodeId node, bool is_refused);
  Case& OpenCase(MonotonicTime now, NodeId node);
  void CloseSettledCases(MonotonicTime now);
  // The accused showed life, but has not refuted yet.
  void Exonerate(MonotonicTime now, NodeId node, Case& opened);
  void BeginProbes(MonotonicTime now, NodeId node, Case& opened);
  // Unless `message` says something about it already.
  void AddRumourOf(NodeId node, Message& message) const;
  void AskHelpers(NodeId target, const std::vector<NodeId>& helpers);
  [[nodiscard]] std::vector<NodeId> ChooseHelpers(NodeId target);
  void AdvanceCase(MonotonicTime now, NodeId node, Case& opened);
  [[nodiscard]] bool ShouldDeclareDead(MonotonicTime now, const Member& member,
                                       const Case& opened) const;
  [[nodiscard]] MonotonicTime VerdictTime(const Member& member, const Case& opened) const;
  void AnswerFavours(NodeId target, bool is_alive);
  void AnswerFavour(const Favour& favour, bool is_alive);

  const RingOptions& options_;
  MemberTable& table_;
  RumourQueue& news_;
  Outbox& outbox_;
  LocalHealth& local_health_;
  Random& random_;
  std::map<NodeId, Case> cases_;
  std::vector<Favour> favours_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_FAILURE_DETECTOR_H_
