// What a RaftCore remembers. Internal to this folder: the files of the core work on it, each on
// its part of the protocol. raft_core.h is what others see.
#ifndef DFS_SERVER_CONSENSUS_RAFT_STATE_H_
#define DFS_SERVER_CONSENSUS_RAFT_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "common/clock.h"
#include "common/ids.h"
#include "common/random.h"
#include "server/consensus/input_output.h"
#include "server/consensus/message.h"
#include "server/consensus/progress.h"
#include "server/consensus/raft_core.h"
#include "server/consensus/raft_log.h"
#include "server/consensus/read_index.h"

namespace dfs::consensus {

// A leadership transfer under way (section 3.10).
struct Transfer {
  NodeId to;
  MonotonicTime deadline;
  bool is_asked = false;  // TimeoutNow left; repeated with each heartbeat
};

// Exists while this member leads; a new one for each term.
struct Leadership {
  LogIndex first_index;              // of this term's first entry
  std::map<NodeId, Progress> peers;  // all members of the configuration in force but self
  MonotonicTime next_heartbeat;
  // Silence is counted from here on: start of the term, or the end of a pause of this process.
  MonotonicTime silence_counts_from;
  ReadIndexQueue reads;
  std::optional<Transfer> transfer;
  bool is_heartbeat_due = false;   // in this Step
  bool is_round_announced = true;  // the last closed round went out to the voters
};

// How this member sees elections, whatever its role.
struct ElectionView {
  MonotonicTime deadline;  // when silence makes it campaign
  MonotonicTime last_leader_contact = absl::InfinitePast();
  bool is_leader_suspected = false;  // own evidence against `leader` of this term (rule R5)
  std::map<NodeId, bool> votes;      // answers to this campaign, own vote included
  int late_ticks_in_a_row = 0;
};

struct RaftState {
  RaftState(const Options& o, InitialState initial, MonotonicTime start);

  const Options options;
  Random random;
  MonotonicTime now;                                     // of the Step under way
  Output out;                                            // of the Step under way
  MonotonicTime next_deadline = absl::InfiniteFuture();  // as given to the driver last

  HardState hard_state;
  HardState emitted_hard_state;  // given to the driver for writing
  HardState durable_hard_state;  // reported as durable
  RaftLog log;
  LogIndex commit_index;
  Role role = Role::kFollower;
  NodeId leader;                        // of this term, if known
  std::uint64_t echoed_read_round = 0;  // greatest one that was told the leader of this term
  ElectionView election;
  // Peers for which the driver was asked for a snapshot and has not reported its end; outlives a
  // term as the sending does.
  std::set<NodeId> snapshots_under_way;
  std::unique_ptr<Leadership> leadership;  // set if and only if role is kLeader

  [[nodiscard]] Term term() const { return hard_state.term; }
  [[nodiscard]] NodeId self() const { return options.self; }
  [[nodiscard]] const Configuration& configuration() const { return log.configuration(); }
  // Durable index of a member as far as this leader knows; own durable index for self.
  [[nodiscard]] LogIndex MatchOf(NodeId node) const;
  [[nodiscard]] bool HasCommittedInTerm() const;
  [[nodiscard]] LogIndex HeldIndex() const;  // contract: RaftCore::held_index
  // Whether the driver will have something to write for this Step.
  [[nodiscard]] bool HasUnemitted() const;

  [[nodiscard]] Message To(NodeId to, decltype(Message::body) body) const {
    return Message{self(), to, term(), std::move(body)};
  }
  // For what depends on nothing that is not durable.
  void Send(NodeId to, decltype(Message::body) body) {
    out.messages.push_back(To(to, std::move(body)));
  }
  // For what depends on what this Step hands out for writing.
  void SendAfterPersist(NodeId to, decltype(Message::body) body) {
    out.messages_after_persist.push_back(To(to, std::move(body)));
  }
};

struct RaftCore::State : RaftState {
  using RaftState::RaftState;
};

// ---- raft_core.cc ----
// Follower in `term` (at least the current one) of `leader`, if known. The vote is kept if the term
// stays.
void BecomeFollower(RaftState& s, Term term, NodeId leader);

// ---- election.cc ----
void ResetElectionDeadline(RaftState& s);
// Whether silence makes this member campaign: it is a voter, or was one before a change that is not
// known to be committed.
[[nodiscard]] bool MayCampaign(const RaftState& s);
// Whether votes are refused because the leader of this term is alive as far as this member knows.
[[nodiscard]] bool IsSticky(const RaftState& s);
[[nodiscard]] bool IsLogUpToDate(const RaftState& s, LogIndex last_index, Term last_term);
void BecomePreCandidate(RaftState& s);
void BecomeCandidate(RaftState& s, bool is_transfer);
// Records the own vote once it is durable, and leads if it completes a quorum.
void RecordOwnVote(RaftState& s);
void HandlePreVoteReply(RaftState& s, const Message& m, const PreVoteReply& reply);
void HandleVoteReply(RaftState& s, const Message& m, const VoteReply& reply);
void HandleTimeoutNow(RaftState& s, const Message& m);
void HandleLeaderSuspected(RaftState& s, const LeaderSuspected& hint);
void HandleElectionTimer(RaftState& s);

// ---- vote_handler.cc ----
void HandlePreVoteRequest(RaftState& s, const Message& m, const PreVoteRequest& request);
void HandleVoteRequest(RaftState& s, const Message& m, const VoteRequest& request);

// ---- append_handler.cc ----
void HandleAppendRequest(RaftState& s, const Message& m, const AppendRequest& request);

// ---- append_result_handler.cc ----
void HandleAppendReply(RaftState& s, const Message& m, const AppendReply& reply);
void HandleSnapshotSent(RaftState& s, const SnapshotSent& sent);
void HandlePeerRestarted(RaftState& s, const PeerRestarted& peer);

// ---- proposal.cc ----
void HandlePropose(RaftState& s, Propose proposal);
void HandleProposeMembers(RaftState& s, ProposeMembers proposal);
void HandleProposeVoters(RaftState& s, ProposeVoters proposal);
void HandleReadIndex(RaftState& s, const ReadIndex& read);
// Leader only. Returns the new entry's index.
LogIndex AppendAsLeader(RaftState& s, std::shared_ptr<const Configuration> configuration,
                        std::shared_ptr<const std::string> command);

// ---- leadership.cc ----
void BecomeLeader(RaftState& s);
// Peers of the configuration in force get a Progress, others lose it.
void SyncPeers(RaftState& s);
void HandleTransferLeadership(RaftState& s, const TransferLeadership& transfer);
// Heartbeat, check-quorum, end of a transfer.
void HandleLeaderTimers(RaftState& s);
// What the whole Step amounts to: commit, configuration follow-ups, reads, messages.
void ConcludeLeaderStep(RaftState& s);

// ---- replication.cc ----
void MaybeCommit(RaftState& s);
void ServeReads(RaftState& s);
// Sends to each peer what it may get now.
void SendAppends(RaftState& s);

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_RAFT_STATE_H_
