// The leader's side of acknowledgements.
#include <algorithm>

#include "server/consensus/raft_state.h"

namespace dfs::consensus {

void HandleAppendReply(RaftState& s, const Message& m, const AppendReply& reply) {
  if (!s.leadership) return;
  const auto peer = s.leadership->peers.find(m.from);
  if (peer == s.leadership->peers.end()) return;  // no longer a member
  Progress& progress = peer->second;
  progress.last_heard = s.now;
  if (reply.read_round <= s.leadership->reads.last_round()) {
    progress.read_round = std::max(progress.read_round, reply.read_round);
  }
  if (reply.is_success) {
    // Nobody can hold more of this term's log than its leader: such an answer is not for us.
    if (reply.index <= s.log.last_index()) progress.RecordSuccess(reply.index, reply.sequence);
    return;
  }
  // At `hint_index` the peer has `hint_term`: where this log has a later term than that, they
  // cannot agree.
  const LogIndex next_try = s.log.LastIndexUpToTerm(reply.hint_index, reply.hint_term);
  progress.RecordRefusal(reply.index, std::min(next_try, reply.hint_index), reply.sequence);
}

void HandleSnapshotSent(RaftState& s, const SnapshotSent& sent) {
  s.snapshots_under_way.erase(sent.to);
  if (!s.leadership) return;
  const auto peer = s.leadership->peers.find(sent.to);
  if (peer == s.leadership->peers.end()) return;
  Progress& progress = peer->second;
  if (progress.state() != Progress::State::kSnapshot) return;
  const bool is_done = !sent.index.is_none();
  // After a failure nothing is tried before the next heartbeat, so that an unreachable peer does
  // not keep the driver busy.
  const LogIndex next =
      is_done ? std::min(sent.index, s.log.last_index()).Next() : progress.match_index().Next();
  progress.BecomeProbe(next, /*is_under_way=*/!is_done);
}

void HandlePeerRestarted(RaftState& s, const PeerRestarted& peer) {
  if (!s.leadership) return;
  const auto found = s.leadership->peers.find(peer.node);
  if (found == s.leadership->peers.end()) return;
  found->second.StartAnew(s.log.last_index().Next());
}

}  // namespace dfs::consensus
