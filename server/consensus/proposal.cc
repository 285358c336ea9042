// What clients of the log ask of its leader.
#include <utility>

#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

void Reject(RaftState& s, std::uint64_t token, RejectReason reason) {
  s.out.rejected.push_back({token, reason, /*is_read=*/false});
}

// Why nothing may be appended now, if so.
std::optional<RejectReason> Refusal(const RaftState& s, std::size_t bytes) {
  if (!s.leadership) return RejectReason::kNotLeader;
  if (s.leadership->transfer &&
      !DFS_MUTANT(120, "proposals are taken while leadership is handed over")) {
    return RejectReason::kTransferring;
  }
  // One entry of any size passes when nothing waits: otherwise it could never pass.
  const std::size_t waiting = s.log.BytesAfter(s.commit_index);
  if (waiting > 0 && waiting + bytes > s.options.uncommitted_bytes_max &&
      !DFS_MUTANT(128, "uncommitted bytes have no bound")) {
    return RejectReason::kOverloaded;
  }
  return std::nullopt;
}

// Only one change at a time, and none before this term's first entry is committed: without the
// latter, two leaders could change a configuration in two ways that do not overlap (Ongaro,
// raft-dev, July 2015).
bool IsChangePending(const RaftState& s) {
  const bool is_term_open =
      !s.HasCommittedInTerm() &&
      !DFS_MUTANT(3, "the configuration changes before an entry of the term is committed");
  const bool is_other_open =
      (s.configuration().is_joint() || s.log.configuration_index() > s.commit_index) &&
      !DFS_MUTANT(103, "the configuration changes while another change is not committed");
  return is_term_open || is_other_open;
}

// `is_allowed`: `next` is what this kind of proposal may ask for.
void ProposeConfiguration(RaftState& s, std::uint64_t token, Configuration next, bool is_allowed,
                          std::shared_ptr<const std::string> command) {
  if (const auto refusal = Refusal(s, command ? command->size() : 0)) {
    Reject(s, token, *refusal);
  } else if (IsChangePending(s)) {
    Reject(s, token, RejectReason::kChangePending);
  } else if (!is_allowed || (!s.configuration().CheckStep(next).ok() &&
                             !DFS_MUTANT(503, "voters change in one step"))) {
    Reject(s, token, RejectReason::kInvalid);
  } else {
    const LogIndex index = AppendAsLeader(s, std::make_shared<const Configuration>(std::move(next)),
                                          std::move(command));
    s.out.proposed.push_back({token, index, s.term()});
  }
}

}  // namespace

LogIndex AppendAsLeader(RaftState& s, std::shared_ptr<const Configuration> configuration,
                        std::shared_ptr<const std::string> command) {
  const bool is_change = configuration != nullptr;
  const LogIndex index = s.log.last_index().Next();
  s.log.Append(Entry{s.term(), index, std::move(configuration), std::move(command)});
  if (is_change) SyncPeers(s);
  return index;
}

void HandlePropose(RaftState& s, Propose proposal) {
  if (const auto refusal = Refusal(s, proposal.command ? proposal.command->size() : 0)) {
    Reject(s, proposal.token, *refusal);
    return;
  }
  const LogIndex index = AppendAsLeader(s, nullptr, std::move(proposal.command));
  s.out.proposed.push_back({proposal.token, index, s.term()});
}

void HandleProposeMembers(RaftState& s, ProposeMembers proposal) {
  const bool keeps_voters = proposal.next.voters == s.configuration().voters &&
                            proposal.next.old_voters == s.configuration().old_voters;
  ProposeConfiguration(s, proposal.token, std::move(proposal.next), keeps_voters,
                       std::move(proposal.command));
}

void HandleProposeVoters(RaftState& s, ProposeVoters proposal) {
  const bool is_change = proposal.voters != s.configuration().voters;
  Configuration next = s.configuration().EnterJoint(std::move(proposal.voters));
  if (DFS_MUTANT(503, "voters change in one step")) next = next.LeaveJoint();
  ProposeConfiguration(s, proposal.token, std::move(next), is_change, nullptr);
}

void HandleReadIndex(RaftState& s, const ReadIndex& read) {
  const auto reject = [&](RejectReason reason) {
    s.out.rejected.push_back({read.context, reason, /*is_read=*/true});
  };
  if (!s.leadership) {
    reject(RejectReason::kNotLeader);
  } else if (s.leadership->reads.size() >= s.options.reads_max) {
    reject(RejectReason::kOverloaded);
  } else {
    s.leadership->reads.Add(read.context);
  }
}

}  // namespace dfs::consensus
