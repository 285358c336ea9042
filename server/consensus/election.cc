// Campaigns: when this member asks for votes, and what it does with the answers.
#include <algorithm>

#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

absl::Duration Uniform(RaftState& s, absl::Duration low, absl::Duration high) {
  const std::int64_t span = absl::ToInt64Microseconds(high - low);
  if (span <= 0) return low;
  return low + absl::Microseconds(
                   static_cast<std::int64_t>(s.random.Below(static_cast<std::uint64_t>(span))));
}

bool HasVoteQuorum(const RaftState& s) {
  return s.configuration().HasQuorum([&](NodeId node) {
    const auto vote = s.election.votes.find(node);
    return vote != s.election.votes.end() && vote->second;
  });
}

// Voters of both sets while joint.
std::set<NodeId> OtherVoters(const RaftState& s) {
  std::set<NodeId> others = s.configuration().voters;
  others.insert(s.configuration().old_voters.begin(), s.configuration().old_voters.end());
  others.erase(s.self());
  return others;
}

void StartCampaign(RaftState& s, Role role) {
  s.role = role;
  s.leader = NodeId();
  s.election.is_leader_suspected = false;
  s.election.votes.clear();
  ResetElectionDeadline(s);
}

}  // namespace

void ResetElectionDeadline(RaftState& s) {
  s.election.deadline =
      s.now + Uniform(s, s.options.election_timeout_min, s.options.election_timeout_max);
}

bool MayCampaign(const RaftState& s) {
  if (s.configuration().IsVoter(s.self())) return true;
  // A change that drops this member may have reached it and not those who are to decide without it:
  // then only its longer log can win (section 4.2.2, Figure 4.6). Its own vote counts for nothing.
  return s.log.configuration_index() > s.commit_index &&
         s.log.ConfigurationAt(s.commit_index).IsVoter(s.self());
}

bool IsSticky(const RaftState& s) {
  if (DFS_MUTANT(106, "who hears its leader votes for others all the same")) return false;
  // A leader that hears no quorum steps down by itself (check-quorum).
  if (s.role == Role::kLeader) return true;
  if (s.leader.is_none() || s.election.is_leader_suspected) return false;
  return s.now < s.election.last_leader_contact + s.options.election_timeout_min;
}

bool IsLogUpToDate(const RaftState& s, LogIndex last_index, Term last_term) {
  if (last_term != s.log.last_term()) return last_term > s.log.last_term();
  return last_index >= s.log.last_index();
}

void BecomePreCandidate(RaftState& s) {
  StartCampaign(s, Role::kPreCandidate);
  s.election.votes[s.self()] = true;
  if (HasVoteQuorum(s)) {  // the only voter
    BecomeCandidate(s, /*is_transfer=*/false);
    return;
  }
  const PreVoteRequest request{s.term().Next(), s.log.last_index(), s.log.last_term(), false};
  for (const NodeId voter : OtherVoters(s)) s.Send(voter, request);
}

void BecomeCandidate(RaftState& s, bool is_transfer) {
  StartCampaign(s, Role::kCandidate);
  s.hard_state = HardState{s.term().Next(), s.self()};
  // The own vote counts, and others are asked, only once term and vote are durable: a
  // member that forgot them in a crash could vote a second time in this term.
  const VoteRequest request{s.log.last_index(), s.log.last_term(), is_transfer};
  for (const NodeId voter : OtherVoters(s)) s.SendAfterPersist(voter, request);
}

void RecordOwnVote(RaftState& s) {
  if (s.role != Role::kCandidate || s.durable_hard_state != s.hard_state) return;
  s.election.votes[s.self()] = true;
  if (HasVoteQuorum(s)) BecomeLeader(s);
}

void HandlePreVoteReply(RaftState& s, const Message& m, const PreVoteReply& reply) {
  if (s.role != Role::kPreCandidate || reply.next_term != s.term().Next()) return;
  s.election.votes[m.from] = reply.is_granted;
  if (HasVoteQuorum(s)) BecomeCandidate(s, /*is_transfer=*/false);
}

void HandleVoteReply(RaftState& s, const Message& m, const VoteReply& reply) {
  if (s.role != Role::kCandidate) return;
  // A later refusal cannot take a vote back: it answers a copy of the request.
  if (reply.is_granted) s.election.votes[m.from] = true;
  if (HasVoteQuorum(s)) BecomeLeader(s);
}

void HandleTimeoutNow(RaftState& s, const Message& m) {
  if (s.role == Role::kLeader || m.from != s.leader || !MayCampaign(s)) return;
  BecomeCandidate(s, /*is_transfer=*/true);
}

void HandleLeaderSuspected(RaftState& s, const LeaderSuspected& hint) {
  if (s.role != Role::kFollower || hint.leader.is_none()) return;
  if (hint.leader != s.leader || hint.term != s.term() || s.election.is_leader_suspected) return;
  s.election.is_leader_suspected = true;
  const MonotonicTime soon = s.now + Uniform(s, absl::ZeroDuration(), s.options.hint_stagger_max);
  s.election.deadline = std::min(s.election.deadline, soon);
}

void HandleElectionTimer(RaftState& s) {
  if (s.now < s.election.deadline || !MayCampaign(s)) return;
  if (DFS_MUTANT(506, "a silent leader is followed by votes without pre-votes")) {
    BecomeCandidate(s, /*is_transfer=*/false);
  } else {
    BecomePreCandidate(s);
  }
}

}  // namespace dfs::consensus
