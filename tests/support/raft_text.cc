#include "tests/support/raft_text.h"

#include <sstream>

namespace dfs::consensus {
namespace {

void PutSet(std::ostream& out, const std::set<NodeId>& nodes) {
  out << "{";
  const char* separator = "";
  for (const NodeId node : nodes) {
    out << separator << node;
    separator = " ";
  }
  out << "}";
}

void PutBody(std::ostream& out, const PreVoteRequest& m) {
  out << "pre-vote? for term " << m.next_term << " log " << m.last_log_index << "/"
      << m.last_log_term << (m.is_transfer ? " transfer" : "");
}
void PutBody(std::ostream& out, const PreVoteReply& m) {
  out << "pre-vote " << (m.is_granted ? "yes" : "no") << " for term " << m.next_term;
}
void PutBody(std::ostream& out, const VoteRequest& m) {
  out << "vote? log " << m.last_log_index << "/" << m.last_log_term
      << (m.is_transfer ? " transfer" : "");
}
void PutBody(std::ostream& out, const VoteReply& m) {
  out << "vote " << (m.is_granted ? "yes" : "no");
}
void PutRound(std::ostream& out, std::uint64_t round) {
  if (round != 0) out << " round " << round;
}
void PutBody(std::ostream& out, const AppendRequest& m) {
  out << "append after " << m.previous_index << "/" << m.previous_term;
  if (!m.entries.empty()) out << " [" << TextOf(m.entries) << "]";
  out << " commit " << m.commit_index;
  PutRound(out, m.read_round);
}
void PutBody(std::ostream& out, const AppendReply& m) {
  if (m.is_success) {
    out << "holds " << m.index;
  } else {
    out << "refuses " << m.index << " try " << m.hint_index << "/" << m.hint_term;
  }
  PutRound(out, m.read_round);
}
void PutBody(std::ostream& out, const TimeoutNow&) { out << "campaign now"; }

}  // namespace

std::string TextOf(const Configuration& configuration) {
  std::ostringstream out;
  PutSet(out, configuration.voters);
  if (configuration.is_joint()) {
    out << "&";
    PutSet(out, configuration.old_voters);
  }
  for (const auto& [node, info] : configuration.members) {
    if (!configuration.IsVoter(node)) out << (info.is_active ? " +" : " ?") << node;
  }
  return out.str();
}

std::string TextOf(const Entry& entry) {
  std::ostringstream out;
  out << entry.index << "/" << entry.term << " ";
  if (entry.configuration) {
    out << TextOf(*entry.configuration);
    if (entry.command) out << " " << *entry.command;
  } else {
    out << (entry.command ? *entry.command : "-");
  }
  return out.str();
}

std::string TextOf(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) text += (text.empty() ? "" : ", ") + TextOf(entry);
  return text;
}

std::string TextOf(const Message& message) {
  std::ostringstream out;
  out << message.from << "->" << message.to << " t" << message.term << " ";
  std::visit([&](const auto& body) { PutBody(out, body); }, message.body);
  return out.str();
}

std::string TextOf(RejectReason reason) {
  switch (reason) {
    case RejectReason::kNotLeader:
      return "not leader";
    case RejectReason::kOverloaded:
      return "overloaded";
    case RejectReason::kTransferring:
      return "transferring";
    case RejectReason::kChangePending:
      return "change pending";
    case RejectReason::kInvalid:
      return "invalid";
  }
  return "";
}

std::string TextOf(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "";
}

std::string StateOf(const RaftCore& core) {
  std::ostringstream out;
  out << TextOf(core.role()) << " term " << core.term() << " leader ";
  if (core.leader().is_none()) {
    out << "none";
  } else {
    out << core.leader();
  }
  out << " commit " << core.commit_index();
  if (core.held_index() != core.commit_index()) out << " held " << core.held_index();
  return out.str();
}

}  // namespace dfs::consensus
