// The voter's side of an election. A server votes whatever its own configuration says of it: it
// may not have heard yet that it is a voter (section 4.2.2).
#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {

// Changes nothing here, neither term nor vote nor timer (section 9.6).
void HandlePreVoteRequest(RaftState& s, const Message& m, const PreVoteRequest& request) {
  const bool is_granted = request.next_term > s.term() && (request.is_transfer || !IsSticky(s)) &&
                          IsLogUpToDate(s, request.last_log_index, request.last_log_term);
  s.Send(m.from, PreVoteReply{request.next_term, is_granted});
}

void HandleVoteRequest(RaftState& s, const Message& m, const VoteRequest& request) {
  // The term rule has run: the request is of this term.
  const bool has_voted_for_it = s.hard_state.voted_for == m.from;
  const bool may_vote =
      s.hard_state.voted_for.is_none() && s.role != Role::kLeader &&
      !(DFS_MUTANT(529, "who does not know that it is a voter refuses its vote") &&
        !s.configuration().IsVoter(s.self())) &&
      (request.is_transfer || !IsSticky(s)) &&
      IsLogUpToDate(s, request.last_log_index, request.last_log_term);
  if (!has_voted_for_it && !may_vote) {
    s.Send(m.from, VoteReply{false});
    return;
  }
  if (!has_voted_for_it) {
    // A campaign for this same term's successor ends here: the voter waits for its choice.
    if (s.role != Role::kFollower) BecomeFollower(s, s.term(), NodeId());
    s.hard_state.voted_for = m.from;
    ResetElectionDeadline(s);
  }
  // Never before the vote is durable (Figure 2: "updated on stable storage before responding").
  if (s.durable_hard_state == s.hard_state || DFS_MUTANT(8, "a vote leaves before it is durable")) {
    s.Send(m.from, VoteReply{true});
  } else if (s.hard_state != s.emitted_hard_state) {
    s.SendAfterPersist(m.from, VoteReply{true});
  }
  // Else the request is a copy, and the answer to the first one waits for the disk already.
}

}  // namespace dfs::consensus
