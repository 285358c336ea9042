// What a leader sends, and what it concludes from the progress of its peers.
#include <algorithm>

#include "common/mutant.h"
#include "server/consensus/raft_state.h"

namespace dfs::consensus {
namespace {

void SendAppend(RaftState& s, NodeId node, Progress& progress, bool with_entries) {
  AppendRequest request;
  if (progress.state() != Progress::State::kSnapshot) {
    request.previous_index = LogIndex(progress.next_index().value() - 1);
    request.previous_term = s.log.TermAt(request.previous_index);
  }  // Else (0, 0), which everybody agrees with: a heartbeat that asks nothing.
  std::size_t bytes = 0;
  if (with_entries) {
    request.entries =
        s.log.Entries(request.previous_index, s.log.last_index(), s.options.append_bytes_max);
    const auto member = s.configuration().members.find(node);
    if (member != s.configuration().members.end() && member->second.gets_no_commands &&
        !DFS_MUTANT(1259, "commands are sent to a member that gets none")) {
      for (Entry& entry : request.entries) entry.command = nullptr;
    }
    for (const Entry& entry : request.entries) bytes += entry.bytes();
  }
  request.commit_index = s.commit_index;
  request.read_round = s.leadership->reads.last_round();
  const LogIndex last(request.previous_index.value() + request.entries.size());
  request.sequence = progress.RecordSent(last, bytes, s.commit_index);
  s.Send(node, std::move(request));
}

// A peer whose next entry has been cut off waits for a snapshot instead.
void MaybeWantSnapshot(RaftState& s, NodeId node, Progress& progress) {
  if (progress.state() == Progress::State::kSnapshot) return;
  if (progress.next_index() > s.log.base_index()) return;
  if (progress.is_probe_under_way() && !s.leadership->is_heartbeat_due) return;  // a pause
  progress.BecomeSnapshot();
  if (s.snapshots_under_way.insert(node).second) s.out.snapshots_wanted.push_back(node);
}

void SendTo(RaftState& s, NodeId node, Progress& progress, bool is_round_new) {
  MaybeWantSnapshot(s, node, progress);
  if (progress.next_index() <= s.log.base_index() &&
      progress.state() != Progress::State::kSnapshot) {
    return;  // a snapshot failed a moment ago
  }
  bool has_sent = false;
  while (progress.CanSendEntries() && (progress.state() == Progress::State::kProbe ||
                                       progress.next_index() <= s.log.last_index())) {
    SendAppend(s, node, progress, /*with_entries=*/true);
    has_sent = true;
  }
  if (has_sent) return;
  const bool is_commit_news =
      progress.state() == Progress::State::kReplicate && progress.commit_sent() < s.commit_index;
  const bool is_round_news = is_round_new && s.configuration().IsVoter(node);
  if (s.leadership->is_heartbeat_due || is_commit_news || is_round_news) {
    SendAppend(s, node, progress, /*with_entries=*/false);
  }
}

// A quorum of echoes, of both sets while joint, says that this member led when the round was
// closed.
void ConfirmRounds(RaftState& s) {
  Leadership& l = *s.leadership;
  l.reads.Confirm([&](std::uint64_t round) {
    if (DFS_MUTANT(17, "a leader answers reads without asking a quorum")) return true;
    return s.configuration().HasQuorum([&](NodeId node) {
      if (node == s.self()) return true;
      const auto peer = l.peers.find(node);
      return peer != l.peers.end() && peer->second.read_round >= round;
    });
  });
}

}  // namespace

void MaybeCommit(RaftState& s) {
  const LogIndex reached =
      s.configuration().QuorumIndex([&](NodeId node) { return s.MatchOf(node); });
  if (reached <= s.commit_index) return;
  // Counting replicas commits entries of this term only; earlier ones follow from them (Figure 3.7,
  // section 3.6.2).
  if (s.log.TermAt(reached) != s.term() &&
      !DFS_MUTANT(1, "entries of earlier terms are committed by counting")) {
    return;
  }
  s.commit_index = reached;
}

void ServeReads(RaftState& s) {
  Leadership& l = *s.leadership;
  ConfirmRounds(s);
  // One round at a time; a heartbeat goes to everybody anyway and takes a new one along.
  if (l.reads.has_open_requests() && (!l.reads.is_round_under_way() || l.is_heartbeat_due)) {
    // Whatever was answered before now is at most the commit index; what leaders of earlier terms
    // answered lies below this term's first entry.
    l.reads.Close(std::max(s.commit_index, l.first_index));
    l.is_round_announced = false;
    ConfirmRounds(s);  // the only voter asks nobody
  }
  const bool is_too_early = DFS_MUTANT(2, "reads do not wait for this term's first entry");
  if (!s.HasCommittedInTerm() && !is_too_early) return;
  for (ReadReady& ready : l.reads.TakeReady(is_too_early ? s.log.last_index() : s.HeldIndex())) {
    if (is_too_early) ready.index = std::min(ready.index, s.commit_index);
    s.out.reads.push_back(ready);
  }
}

void SendAppends(RaftState& s) {
  Leadership& l = *s.leadership;
  for (auto& [node, progress] : l.peers) SendTo(s, node, progress, !l.is_round_announced);
  l.is_round_announced = true;
}

}  // namespace dfs::consensus
