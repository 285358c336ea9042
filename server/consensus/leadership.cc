// What a leader does besides sending entries: its term's first entry, heartbeats, check-quorum,
// configuration follow-ups, transfers.
#include <algorithm>

#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

bool IsHeard(const RaftState& s, NodeId node) {
  if (node == s.self()) return true;
  const auto peer = s.leadership->peers.find(node);
  if (peer == s.leadership->peers.end()) return false;
  const MonotonicTime heard = std::max(peer->second.last_heard, s.leadership->silence_counts_from);
  return s.now < heard + s.options.election_timeout_min;
}

// The voter besides self whose log is most advanced; none if there is no other.
NodeId MostAdvancedVoter(const RaftState& s) {
  NodeId best;
  for (const auto& [node, progress] : s.leadership->peers) {
    if (!s.configuration().voters.contains(node)) continue;
    if (best.is_none() || progress.match_index() > s.MatchOf(best)) best = node;
  }
  return best;
}

// A target asks for votes only with a log that nobody's exceeds: proposals wait meanwhile.
void MaybeAskTarget(RaftState& s) {
  auto& transfer = s.leadership->transfer;
  if (!transfer) return;
  if (transfer->is_asked && !s.leadership->is_heartbeat_due) return;
  if (s.MatchOf(transfer->to) != s.log.last_index() &&
      !DFS_MUTANT(20, "leadership is handed to a member that lacks entries")) {
    return;
  }
  transfer->is_asked = true;
  s.Send(transfer->to, TimeoutNow{});
}

// The second half of a change of voters, by whoever leads once the first half is committed
// (section 4.3). Looks at the log only, so doing it twice is impossible: the entry itself ends
// joint.
void MaybeLeaveJoint(RaftState& s) {
  if (!s.configuration().is_joint() || !s.HasCommittedInTerm() || s.leadership->transfer) return;
  if (s.log.configuration_index() > s.commit_index &&
      !DFS_MUTANT(105, "joint is left before it is committed")) {
    return;
  }
  AppendAsLeader(s, std::make_shared<const Configuration>(s.configuration().LeaveJoint()), nullptr);
}

// A leader outside the new configuration leads until that is committed (section 4.2.2). True if it
// stepped down.
bool MaybeStepDownAsRemoved(RaftState& s) {
  if (s.configuration().IsVoter(s.self())) return false;
  if (DFS_MUTANT(29, "a leader that was dropped leads for ever")) return false;
  if (s.log.configuration_index() > s.commit_index &&
      !DFS_MUTANT(129, "a leader that was dropped goes before that is committed")) {
    return false;
  }
  SendAppends(s);  // the others learn what is committed
  const NodeId heir = MostAdvancedVoter(s);
  if (!heir.is_none() && s.MatchOf(heir) == s.log.last_index()) s.Send(heir, TimeoutNow{});
  BecomeFollower(s, s.term(), NodeId());
  return true;
}

}  // namespace

void BecomeLeader(RaftState& s) {
  s.role = Role::kLeader;
  s.leader = s.self();
  s.leadership = std::make_unique<Leadership>();
  s.leadership->first_index = s.log.last_index().Next();
  s.leadership->next_heartbeat = s.now + s.options.heartbeat_interval;
  s.leadership->silence_counts_from = s.now;
  SyncPeers(s);
  // An entry of its own term, or the leader would never learn what is committed (section 6.4).
  // The first one of all also carries the configuration that the founders began with: from then on
  // it is in the log, and a joiner that starts with nothing learns it in its place.
  std::shared_ptr<const Configuration> founding;
  if (s.log.configuration_index().is_none()) {
    founding = std::make_shared<const Configuration>(s.configuration());
  }
  AppendAsLeader(s, std::move(founding), nullptr);
}

void SyncPeers(RaftState& s) {
  auto& peers = s.leadership->peers;
  std::erase_if(peers, [&](const auto& p) { return !s.configuration().IsMember(p.first); });
  for (const auto& [node, info] : s.configuration().members) {
    if (node == s.self()) continue;
    peers.try_emplace(node, s.log.last_index().Next(), s.options.in_flight_messages_max,
                      s.options.in_flight_bytes_max);
  }
}

void HandleTransferLeadership(RaftState& s, const TransferLeadership& transfer) {
  if (!s.leadership || s.leadership->transfer) return;
  const NodeId to = transfer.to.is_none() ? MostAdvancedVoter(s) : transfer.to;
  if (to == s.self() || !s.leadership->peers.contains(to)) return;
  if (!s.configuration().voters.contains(to)) return;
  s.leadership->transfer = Transfer{to, s.now + s.options.election_timeout_max, false};
  if (DFS_MUTANT(520, "a transfer that fails never ends")) {
    s.leadership->transfer->deadline = absl::InfiniteFuture();
  }
}

void HandleLeaderTimers(RaftState& s) {
  Leadership& l = *s.leadership;
  if (l.transfer && (s.now >= l.transfer->deadline || !l.peers.contains(l.transfer->to))) {
    l.transfer.reset();
  }
  l.is_heartbeat_due = s.now >= l.next_heartbeat;
  if (!l.is_heartbeat_due) return;
  l.next_heartbeat = s.now + s.options.heartbeat_interval;
  // Check-quorum: a leader that nobody answers must not hold clients and voters (section 6.2).
  const bool has_quorum =
      s.configuration().HasQuorum([&](NodeId node) { return IsHeard(s, node); });
  if (!has_quorum && !DFS_MUTANT(6, "a leader stays though nobody answers it")) {
    BecomeFollower(s, s.term(), NodeId());
  }
}

void ConcludeLeaderStep(RaftState& s) {
  MaybeCommit(s);
  MaybeLeaveJoint(s);
  if (MaybeStepDownAsRemoved(s)) return;
  ServeReads(s);
  SendAppends(s);
  MaybeAskTarget(s);
}

}  // namespace dfs::consensus
