#include "server/consensus/raft_core.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

// A timer that fires more than this many heartbeats late says that this process was paused:
// whatever it believed about others is as old as the pause.
constexpr int kLateHeartbeats = 2;
// So often in a row a late timer is forgiven; then the machine is simply slow and must act all the
// same.
constexpr int kLateTicksInARowMax = 3;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

HardState Newer(const HardState& a, const HardState& b) {
  if (a.term != b.term) return a.term > b.term ? a : b;
  return a.voted_for.is_none() ? b : a;
}

void RejectWaitingReads(RaftState& s) {
  for (const std::uint64_t context : s.leadership->reads.TakeAll()) {
    s.out.rejected.push_back({context, RejectReason::kNotLeader, /*is_read=*/true});
  }
}

// After a pause nothing that was known about others is fresh (SIGSTOP, a suspended machine): no
// campaign and no answered read before they could be heard again.
void HandleLateness(RaftState& s) {
  if (s.now <= s.next_deadline) return;
  if (DFS_MUTANT(32, "a process that was paused acts on what it knew before")) return;
  if (s.now <= s.next_deadline + kLateHeartbeats * s.options.heartbeat_interval) {
    s.election.late_ticks_in_a_row = 0;
    return;
  }
  if (++s.election.late_ticks_in_a_row > kLateTicksInARowMax) return;
  if (s.role == Role::kLeader) {
    s.leadership->silence_counts_from = s.now;
    s.leadership->reads.Reopen();
    return;
  }
  s.election.is_leader_suspected = false;
  ResetElectionDeadline(s);
}

// Old terms: tell their leaders and candidates that they are over; drop the rest.
void AnswerOldTerm(RaftState& s, const Message& m) {
  if (const auto* append = std::get_if<AppendRequest>(&m.body)) {
    AppendReply reply;
    reply.index = append->previous_index;
    reply.sequence = append->sequence;
    s.Send(m.from, reply);
  } else if (std::holds_alternative<VoteRequest>(m.body)) {
    s.Send(m.from, VoteReply{});
  } else if (const auto* request = std::get_if<PreVoteRequest>(&m.body)) {
    s.Send(m.from, PreVoteReply{request->next_term, false});
  }
}

// The term rule (Figure 2, "Rules for all servers") with its exceptions. False if the message is
// done with.
bool ApplyTermRule(RaftState& s, const Message& m) {
  if (m.term < s.term()) {
    // Who grants a pre-vote stays in its own, perhaps older term; `next_term` says what it answers.
    if (std::holds_alternative<PreVoteReply>(m.body)) return true;
    AnswerOldTerm(s, m);
    return false;
  }
  if (m.term == s.term()) return true;
  // A pre-vote changes nothing at the voter (section 9.6).
  if (std::holds_alternative<PreVoteRequest>(m.body)) {
    if (DFS_MUTANT(107, "a pre-vote raises the voter's term")) BecomeFollower(s, m.term, NodeId());
    return true;
  }
  if (const auto* request = std::get_if<VoteRequest>(&m.body)) {
    // A member that was cut off must not depose a leader that works (section 4.2.3).
    if (!request->is_transfer && IsSticky(s)) return false;
    if (DFS_MUTANT(205, "evidence lifts stickiness for pre-votes only (rule R5)") &&
        !request->is_transfer && s.election.is_leader_suspected) {
      return false;
    }
  }
  BecomeFollower(s, m.term, NodeId());
  return true;
}

void HandleReceive(RaftState& s, const Message& m) {
  const bool is_for_us = m.to == s.self() || DFS_MUTANT(27, "messages for somebody else are taken");
  if (!is_for_us || m.from == s.self() || m.from.is_none()) return;
  if (!ApplyTermRule(s, m)) return;
  std::visit(Overloaded{
                 [&](const PreVoteRequest& b) { HandlePreVoteRequest(s, m, b); },
                 [&](const PreVoteReply& b) { HandlePreVoteReply(s, m, b); },
                 [&](const VoteRequest& b) { HandleVoteRequest(s, m, b); },
                 [&](const VoteReply& b) { HandleVoteReply(s, m, b); },
                 [&](const AppendRequest& b) { HandleAppendRequest(s, m, b); },
                 [&](const AppendReply& b) { HandleAppendReply(s, m, b); },
                 [&](const TimeoutNow&) { HandleTimeoutNow(s, m); },
             },
             m.body);
}

void HandlePersisted(RaftState& s, const Persisted& p) {
  s.durable_hard_state = Newer(p.hard_state, s.durable_hard_state);
  if (!p.last_index.is_none()) {
    s.log.RecordPersisted(p.last_index, p.last_term, s.durable_hard_state.term);
  }
  RecordOwnVote(s);
}

void HandleSnapshotInstalled(RaftState& s, SnapshotInstalled snapshot) {
  if (snapshot.index <= s.log.base_index()) return;
  const bool is_held = s.log.Holds(snapshot.index, snapshot.term);
  const bool is_within = snapshot.index <= s.log.last_index();
  if (is_held || (is_within && DFS_MUTANT(14, "a snapshot leaves the log that contradicts it"))) {
    s.log.CutTo(snapshot.index);
  } else if (snapshot.index > s.commit_index ||
             DFS_MUTANT(114, "an old snapshot replaces newer state")) {
    s.log.Reset(snapshot.index, snapshot.term, std::move(snapshot.configuration));
  } else {
    LOG(ERROR) << "snapshot at " << snapshot.index << "/" << snapshot.term
               << " contradicts what is committed here; ignored";
    return;
  }
  s.commit_index = std::max(s.commit_index, snapshot.index);
  // No log is of a later term than its member.
  if (snapshot.term > s.term()) BecomeFollower(s, snapshot.term, NodeId());
}

void HandleCutLog(RaftState& s, const CutLog& cut) {
  s.log.CutTo(std::min(cut.index, s.commit_index));
}

void Dispatch(RaftState& s, Input input) {
  std::visit(Overloaded{
                 [&](const Tick&) {},
                 [&](const Receive& i) { HandleReceive(s, i.message); },
                 [&](Propose& i) { HandlePropose(s, std::move(i)); },
                 [&](ProposeMembers& i) { HandleProposeMembers(s, std::move(i)); },
                 [&](ProposeVoters& i) { HandleProposeVoters(s, std::move(i)); },
                 [&](const ReadIndex& i) { HandleReadIndex(s, i); },
                 [&](const Persisted& i) { HandlePersisted(s, i); },
                 [&](SnapshotInstalled& i) { HandleSnapshotInstalled(s, std::move(i)); },
                 [&](const SnapshotSent& i) { HandleSnapshotSent(s, i); },
                 [&](const PeerRestarted& i) { HandlePeerRestarted(s, i); },
                 [&](const CutLog& i) { HandleCutLog(s, i); },
                 [&](const LeaderSuspected& i) { HandleLeaderSuspected(s, i); },
                 [&](const TransferLeadership& i) { HandleTransferLeadership(s, i); },
             },
             input);
}

MonotonicTime NextDeadline(const RaftState& s) {
  if (s.role == Role::kLeader) {
    const auto& transfer = s.leadership->transfer;
    return transfer ? std::min(s.leadership->next_heartbeat, transfer->deadline)
                    : s.leadership->next_heartbeat;
  }
  return MayCampaign(s) ? s.election.deadline : absl::InfiniteFuture();
}

void CollectWrites(RaftState& s) {
  if (s.hard_state != s.emitted_hard_state) {
    CHECK_GE(s.hard_state.term, s.emitted_hard_state.term);
    s.out.hard_state = s.hard_state;
    s.emitted_hard_state = s.hard_state;
  }
  s.out.entries = s.log.TakeUnemitted(s.term());
}

}  // namespace

RaftState::RaftState(const Options& o, InitialState initial, MonotonicTime start)
    : options(o),
      random(o.random_seed),
      now(start),
      hard_state(initial.hard_state),
      emitted_hard_state(initial.hard_state),
      durable_hard_state(initial.hard_state),
      log(initial.base_index, initial.base_term, std::move(initial.base_configuration),
          std::move(initial.entries)),
      commit_index(std::max(initial.base_index, initial.applied_index)) {
  CHECK(!options.self.is_none());
  CHECK_LT(options.election_timeout_min, options.election_timeout_max);
  CHECK_LE(commit_index, log.last_index()) << "applied what the log does not hold";
  if (log.last_term() > hard_state.term) {
    // A snapshot of a term that this member never took part in, and no vote in it.
    CHECK_EQ(log.last_index(), log.base_index()) << "entries of a later term than the hard state";
    hard_state = HardState{log.last_term(), NodeId()};
  }
}

LogIndex RaftState::MatchOf(NodeId node) const {
  if (node == self()) {
    return DFS_MUTANT(30, "a leader counts itself before its own disk has the entry")
               ? log.last_index()
               : log.durable_index();
  }
  const auto peer = leadership->peers.find(node);
  return peer == leadership->peers.end() ? LogIndex() : peer->second.match_index();
}

bool RaftState::HasCommittedInTerm() const {
  return leadership && commit_index >= leadership->first_index;
}

LogIndex RaftState::HeldIndex() const {
  if (!leadership || DFS_MUTANT(206, "what the only voter has is shown (rule R6)")) {
    return commit_index;
  }
  return std::min(commit_index,
                  configuration().HeldIndex([this](NodeId node) { return MatchOf(node); }));
}

bool RaftState::HasUnemitted() const {
  return hard_state != emitted_hard_state || log.emitted_index() < log.last_index();
}

void BecomeFollower(RaftState& s, Term term, NodeId leader) {
  CHECK_GE(term, s.term());
  if (s.leadership) {
    RejectWaitingReads(s);
    s.leadership.reset();
  }
  if (term > s.term()) {
    s.hard_state = HardState{term, NodeId()};
    s.echoed_read_round = 0;
  } else if (DFS_MUTANT(7, "stepping down within a term forgets the vote") &&
             s.role != Role::kFollower) {
    s.hard_state.voted_for = NodeId();
  }
  s.role = Role::kFollower;
  s.leader = leader;
  if (!DFS_MUTANT(605, "a sign of life does not refute the evidence (rule R5)")) {
    s.election.is_leader_suspected = false;
  }
  s.election.votes.clear();
  ResetElectionDeadline(s);
}

RaftCore::RaftCore(const Options& options, InitialState initial, MonotonicTime now)
    : state_(std::make_unique<State>(options, std::move(initial), now)) {
  ResetElectionDeadline(*state_);
  // The only voter has nobody to wait for.
  const Configuration& c = state_->configuration();
  if (!c.is_joint() && c.voters == std::set<NodeId>{options.self}) state_->election.deadline = now;
  state_->next_deadline = NextDeadline(*state_);
}

RaftCore::~RaftCore() = default;

Output RaftCore::Step(MonotonicTime now, Input input) {
  RaftState& s = *state_;
  s.now = std::max(s.now, now);
  s.out = Output();
  HandleLateness(s);
  Dispatch(s, std::move(input));
  if (s.leadership) {
    HandleLeaderTimers(s);
  } else {
    HandleElectionTimer(s);
  }
  if (s.leadership) ConcludeLeaderStep(s);
  CollectWrites(s);
  s.next_deadline = NextDeadline(s);
  s.out.next_deadline = s.next_deadline;
  return std::move(s.out);
}

Role RaftCore::role() const { return state_->role; }
Term RaftCore::term() const { return state_->term(); }
NodeId RaftCore::leader() const { return state_->leader; }
LogIndex RaftCore::commit_index() const { return state_->commit_index; }
LogIndex RaftCore::held_index() const { return state_->HeldIndex(); }
bool RaftCore::has_committed_in_term() const { return state_->HasCommittedInTerm(); }
LogIndex RaftCore::first_index_of_term() const {
  return state_->leadership ? state_->leadership->first_index : LogIndex();
}
const Configuration& RaftCore::configuration() const { return state_->configuration(); }
const Configuration& RaftCore::ConfigurationAt(LogIndex index) const {
  return state_->log.ConfigurationAt(index);
}
LogIndex RaftCore::first_log_index() const { return state_->log.base_index().Next(); }
LogIndex RaftCore::last_log_index() const { return state_->log.last_index(); }
Term RaftCore::TermAt(LogIndex index) const { return state_->log.TermAt(index); }
std::vector<Entry> RaftCore::Entries(LogIndex after, LogIndex to) const {
  return state_->log.Entries(after, to);
}
std::size_t RaftCore::log_bytes() const { return state_->log.bytes(); }
bool RaftCore::is_transferring() const {
  return state_->leadership && state_->leadership->transfer.has_value();
}

std::vector<PeerStatus> RaftCore::Peers() const {
  std::vector<PeerStatus> peers;
  if (!state_->leadership) return peers;
  for (const auto& [node, progress] : state_->leadership->peers) {
    peers.push_back({node, progress.match_index(), progress.last_heard,
                     state_->snapshots_under_way.contains(node)});
  }
  return peers;
}

}  // namespace dfs::consensus
