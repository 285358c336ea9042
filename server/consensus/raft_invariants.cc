#include "server/consensus/raft_invariants.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "common/status_macros.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

template <class... T>
absl::Status Broken(const T&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return absl::InternalError(text.str());
}

bool IsSameVoteOrFirst(const HardState& before, const HardState& after) {
  return before.term != after.term || before.voted_for.is_none() ||
         before.voted_for == after.voted_for;
}

std::string Describe(const Configuration& c) {
  std::ostringstream text;
  text << "members";
  for (const auto& [node, info] : c.members) text << " " << node << (info.is_active ? "" : "?");
  text << " voters";
  for (const NodeId node : c.voters) text << " " << node;
  if (c.is_joint()) text << " old";
  for (const NodeId node : c.old_voters) text << " " << node;
  return text.str();
}

template <class T>
bool IsEqualContent(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
  if (a == b) return true;
  return a && b && *a == *b;
}

}  // namespace

absl::Status RaftInvariants::Check(const RaftCore& core) {
  Seen& seen = members_[core.state_->self()];
  DFS_RETURN_IF_ERROR(CheckHardState(core, seen));
  DFS_RETURN_IF_ERROR(CheckLog(core, seen));
  DFS_RETURN_IF_ERROR(CheckCommit(core, seen));
  DFS_RETURN_IF_ERROR(CheckLeader(core, seen));
  return CheckConfiguration(core);
}

void RaftInvariants::RecordCrash(NodeId node) {
  Seen& seen = members_[node];
  seen.hard_state = seen.durable_hard_state;
  seen.commit_index = LogIndex();
  seen.first = LogIndex();
  seen.terms.clear();
  seen.leading_in = Term();
}

absl::Status RaftInvariants::CheckHardState(const RaftCore& core, Seen& seen) {
  const RaftState& s = *core.state_;
  if (s.hard_state.term < seen.hard_state.term) {
    return Broken("hard state: node ", s.self(), " went back from term ", seen.hard_state.term,
                  " to ", s.hard_state.term);
  }
  if (!IsSameVoteOrFirst(seen.hard_state, s.hard_state)) {
    return Broken("hard state: node ", s.self(), " voted for ", seen.hard_state.voted_for,
                  " and then for ", s.hard_state.voted_for, " in term ", s.hard_state.term);
  }
  if (s.durable_hard_state.term > s.hard_state.term) {
    return Broken("hard state: node ", s.self(), " stored term ", s.durable_hard_state.term,
                  " ahead of ", s.hard_state.term);
  }
  seen.hard_state = s.hard_state;
  seen.durable_hard_state = s.durable_hard_state;
  return absl::OkStatus();
}

absl::Status RaftInvariants::CheckLeader(const RaftCore& core, Seen& seen) {
  if (core.role() != Role::kLeader) return absl::OkStatus();
  const RaftState& s = *core.state_;
  const auto [leader, is_new] = leaders_.emplace(core.term(), s.self());
  if (leader->second != s.self()) {
    return Broken("election safety: term ", core.term(), " is led by ", leader->second, " and ",
                  s.self());
  }
  if (is_new) {
    for (auto c = committed_.upper_bound(s.log.base_index()); c != committed_.end(); ++c) {
      if (c->second.seen_in >= core.term() || s.log.Holds(c->first, c->second.term)) continue;
      return Broken("leader completeness: entry ", c->first, "/", c->second.term,
                    " was committed in term ", c->second.seen_in, " and is not held by ", s.self(),
                    ", the leader of term ", core.term());
    }
  }
  seen.leading_in = core.term();
  seen.leader_last = core.last_log_index();
  return absl::OkStatus();
}

absl::Status RaftInvariants::CheckLog(const RaftCore& core, Seen& seen) {
  const RaftLog& log = core.state_->log;
  // Forget what was cut off; start anew if the log begins where nothing was seen.
  const LogIndex seen_end(seen.first.value() + seen.terms.size());  // exclusive
  if (seen.terms.empty() || log.base_index() >= seen_end || log.base_index() < seen.first) {
    seen.terms.assign(1, log.TermAt(log.base_index()));
    seen.first = log.base_index();
  }
  while (seen.first < log.base_index()) {
    seen.terms.pop_front();
    seen.first = seen.first.Next();
  }
  // Back from the end to where the log is as it was seen; what lies before cannot have changed,
  // because a log changes by truncation and appending only.
  LogIndex known = std::min(LogIndex(seen.first.value() + seen.terms.size() - 1), log.last_index());
  while (known > log.base_index() &&
         seen.terms[known.value() - seen.first.value()] != log.TermAt(known)) {
    known = LogIndex(known.value() - 1);
  }
  if (core.role() == Role::kLeader && seen.leading_in == core.term() && known < seen.leader_last) {
    return Broken("leader append-only: node ", core.state_->self(), " leads term ", core.term(),
                  " and changed its log behind ", known);
  }
  seen.terms.resize(known.value() - seen.first.value() + 1);
  for (LogIndex i = known.Next(); i <= log.last_index(); i = i.Next()) {
    DFS_RETURN_IF_ERROR(CheckEntry(core, i));
    seen.terms.push_back(log.TermAt(i));
  }
  return absl::OkStatus();
}

absl::Status RaftInvariants::CheckEntry(const RaftCore& core, LogIndex index) {
  const RaftLog& log = core.state_->log;
  const Entry& entry = log.At(index);
  const LogIndex previous(index.value() - 1);
  const KnownEntry mine{log.TermAt(previous), entry.command, entry.configuration};
  const auto [known, is_new] = entries_.emplace(std::make_pair(index, entry.term), mine);
  if (entry.configuration && is_new) {
    const absl::Status step = log.ConfigurationAt(previous).CheckStep(*entry.configuration);
    if (!step.ok()) return Broken("configuration: entry ", index, ": ", step.ToString());
  }
  // A member that gets no commands, or has not come to the entry of its own join yet.
  const auto& members = core.configuration().members;
  const auto self = members.find(core.state_->self());
  const bool may_lack_command = self == members.end() || self->second.gets_no_commands;
  const bool is_bare = may_lack_command && mine.command == nullptr;
  if (known->second.previous_term == mine.previous_term &&
      (is_bare || IsEqualContent(known->second.command, mine.command)) &&
      IsEqualContent(known->second.configuration, mine.configuration)) {
    return absl::OkStatus();
  }
  return Broken("log matching: entry ", index, "/", entry.term, " of node ", core.state_->self(),
                " differs from the one of the same term and index seen before, or follows term ",
                mine.previous_term, " instead of ", known->second.previous_term);
}

absl::Status RaftInvariants::CheckCommit(const RaftCore& core, Seen& seen) {
  const RaftLog& log = core.state_->log;
  if (core.commit_index() < seen.commit_index) {
    return Broken("commit: node ", core.state_->self(), " went back from ", seen.commit_index,
                  " to ", core.commit_index());
  }
  if (core.commit_index() > log.last_index() || core.commit_index() < log.base_index()) {
    return Broken("commit: node ", core.state_->self(), " committed ", core.commit_index(),
                  ", its log spans ", log.base_index(), " to ", log.last_index());
  }
  const LogIndex from = std::max(seen.commit_index, log.base_index());
  for (LogIndex i = from.Next(); i <= core.commit_index(); i = i.Next()) {
    const auto [known, is_new] = committed_.emplace(i, Committed{log.TermAt(i), core.term()});
    if (known->second.term != log.TermAt(i)) {
      return Broken("state machine safety: entry ", i, " was committed with term ",
                    known->second.term, " and node ", core.state_->self(), " commits it with term ",
                    log.TermAt(i));
    }
    if (is_new && log.At(i).configuration) configurations_[i] = log.At(i).configuration;
  }
  seen.commit_index = core.commit_index();
  return absl::OkStatus();
}

absl::Status RaftInvariants::CheckConfiguration(const RaftCore& core) {
  const RaftLog& log = core.state_->log;
  const LogIndex base = log.base_index();
  if (configurations_.empty() && base.is_none() && !log.ConfigurationAt(base).voters.empty()) {
    configurations_[base] = std::make_shared<const Configuration>(log.ConfigurationAt(base));
  }
  // What a snapshot says of its index must be what the log said there.
  const auto later = configurations_.upper_bound(base);
  if (later == configurations_.begin()) return absl::OkStatus();
  if (base.is_none() || *std::prev(later)->second == log.ConfigurationAt(base)) {
    return absl::OkStatus();
  }
  return Broken("configuration: node ", core.state_->self(), " begins at ", base, " with ",
                Describe(log.ConfigurationAt(base)), ", in force there was ",
                Describe(*std::prev(later)->second), " since ", std::prev(later)->first);
}

}  // namespace dfs::consensus
