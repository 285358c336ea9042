// The follower's side of replication (Figure 2, "AppendEntries RPC").
#include <glog/logging.h>

#include <algorithm>

#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

// Whether the message can come from a leader that keeps the protocol.
bool IsWellFormed(const Message& m, const AppendRequest& request) {
  Term term = request.previous_term;
  LogIndex index = request.previous_index;
  for (const Entry& entry : request.entries) {
    index = index.Next();
    if (entry.index != index || entry.term < term) return false;
    term = entry.term;
  }
  return term <= m.term;
}

// Whether this log agrees with the leader's up to and including the entry before the message's.
// What is committed here agrees with every leader (leader completeness).
bool AgreesBefore(const RaftState& s, const AppendRequest& request) {
  return request.previous_index <= s.commit_index ||
         s.log.Holds(request.previous_index, request.previous_term);
}

void Refuse(RaftState& s, const Message& m, const AppendRequest& request) {
  AppendReply reply;
  reply.index = request.previous_index;
  // No entry of a later term than `previous_term` can be in the leader's log at or before
  // `previous_index`: all of them are skipped at once.
  reply.hint_index = s.log.LastIndexUpToTerm(request.previous_index, request.previous_term);
  reply.hint_term = s.log.TermAt(reply.hint_index);
  reply.read_round = request.read_round;
  reply.sequence = request.sequence;
  s.Send(m.from, reply);
}

// Takes over what is new. False if the message contradicts what is committed here, which no correct
// leader can.
bool TakeEntries(RaftState& s, const AppendRequest& request) {
  if (DFS_MUTANT(12, "every message cuts the log to its own end") &&
      request.previous_index >= s.commit_index && request.previous_index < s.log.last_index()) {
    s.log.TruncateFrom(request.previous_index.Next());
  }
  for (const Entry& entry : request.entries) {
    if (entry.index <= s.log.base_index() || s.log.Holds(entry.index, entry.term)) continue;
    if (entry.index <= s.commit_index) {
      LOG(ERROR) << "entry " << entry.index << "/" << entry.term
                 << " contradicts what is committed here; message ignored";
      return false;
    }
    // A real conflict, and only that, shortens the log: a late copy of a shorter message does not.
    if (entry.index <= s.log.last_index()) s.log.TruncateFrom(entry.index);
    s.log.Append(entry);
  }
  return true;
}

// Acknowledges `matched`, but never what is not durable here.
void Acknowledge(RaftState& s, const Message& m, const AppendRequest& request, LogIndex matched) {
  AppendReply reply;
  reply.is_success = true;
  reply.read_round = request.read_round;
  reply.sequence = request.sequence;
  const bool is_term_durable = s.durable_hard_state.term == s.term();
  const bool is_durable = is_term_durable && s.log.durable_index() >= matched;
  const bool is_written_in_this_step = s.HasUnemitted();
  const bool is_round_news = request.read_round > s.echoed_read_round;
  if (DFS_MUTANT(110, "what is not durable is acknowledged")) {
    reply.index = matched;
    s.Send(m.from, reply);
    return;
  }
  if (is_term_durable && (is_durable || !is_written_in_this_step || is_round_news)) {
    // At once, for what is durable already: the disk must hold up neither reads nor check-quorum.
    s.echoed_read_round = std::max(s.echoed_read_round, request.read_round);
    reply.index = std::min(matched, s.log.durable_index());
    s.Send(m.from, reply);
  }
  if (!is_durable && is_written_in_this_step) {
    // Batches become durable in the order in which they were handed out, so this Step's covers all
    // of `matched`. (If nothing is written now, an earlier message's answer waits for the disk.)
    reply.index = matched;
    s.SendAfterPersist(m.from, reply);
  }
}

}  // namespace

void HandleAppendRequest(RaftState& s, const Message& m, const AppendRequest& request) {
  const bool is_second_leader =
      s.role == Role::kLeader || (!s.leader.is_none() && s.leader != m.from);
  if (is_second_leader || !IsWellFormed(m, request)) {
    LOG(ERROR) << "append of term " << m.term << " from " << m.from
               << (is_second_leader ? ": second leader of this term" : ": malformed")
               << "; message ignored";
    return;
  }
  BecomeFollower(s, s.term(), m.from);
  s.election.last_leader_contact = s.now;
  if (!AgreesBefore(s, request)) {
    Refuse(s, m, request);
    return;
  }
  if (!TakeEntries(s, request)) return;
  const LogIndex matched(request.previous_index.value() + request.entries.size());
  // Not further than this message vouches for: behind `matched` the log may hold a tail that
  // the leader will replace.
  LogIndex commit = std::min(request.commit_index, matched);
  if (DFS_MUTANT(11, "a follower commits as far as its log reaches")) {
    commit = std::min(request.commit_index, s.log.last_index());
  }
  s.commit_index = std::max(s.commit_index, std::min(commit, s.log.last_index()));
  Acknowledge(s, m, request, matched);
}

}  // namespace dfs::consensus
