// What members of the Raft group say to each other. Names as in the Raft dissertation (Ongaro
// 2014); ReadIndex is its section 6.4, pre-vote 9.6, transfer 3.10.
#ifndef DFS_SERVER_CONSENSUS_MESSAGE_H_
#define DFS_SERVER_CONSENSUS_MESSAGE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "server/consensus/configuration.h"

namespace dfs::consensus {

// One slot of the log.
struct Entry {
  Term term;
  LogIndex index;
  // Set for an entry that changes the configuration. Such an entry may carry a command too (a Join
  // adds the member here and the node's row in the state machine by the same entry).
  std::shared_ptr<const Configuration> configuration;
  // What the state machine applies; opaque to consensus. Null for the no-op at the start of a
  // term and for a change of voters. Shared, never changed once made.
  std::shared_ptr<const std::string> command;

  [[nodiscard]] std::size_t bytes() const { return 32 + (command ? command->size() : 0); }
};

// Term and vote (Figure 2, "Persistent state"): one record, made durable in one write before any
// message that depends on it leaves.
struct HardState {
  Term term;
  NodeId voted_for;  // none: no vote in `term`
  bool operator==(const HardState&) const = default;
};

struct PreVoteRequest {
  Term next_term;  // the term that the candidate would start; Message::term is its current one
  LogIndex last_log_index;
  Term last_log_term;
  bool is_transfer = false;
};
struct PreVoteReply {
  Term next_term;  // echoed
  bool is_granted = false;
};
struct VoteRequest {
  LogIndex last_log_index;
  Term last_log_term;
  bool is_transfer = false;  // asked for by the leader: stickiness does not apply
};
struct VoteReply {
  bool is_granted = false;
};
// Entries and heartbeat in one. Empty `entries`: a probe or heartbeat.
struct AppendRequest {
  LogIndex previous_index;
  Term previous_term;
  std::vector<Entry> entries;
  LogIndex commit_index;
  std::uint64_t read_round = 0;  // highest read-index round that this message confirms (0: none)
  std::uint64_t sequence = 0;    // of this message to this peer in this term: acks are matched to it
  // The last entry that the leader itself holds durably. Set by the driver, for witness marks (rule R3); the core
  // neither sets nor reads it.
  Term durable_term;
  LogIndex durable_index;
};
struct AppendReply {
  bool is_success = false;
  // Success: the last index that is known to equal the leader's log AND is durable here (at
  // the term of this message). Failure: the index refused.
  LogIndex index;
  // Failure: where the leader may try next (last index of the follower's conflicting term, or its last index).
  LogIndex hint_index;
  Term hint_term;
  std::uint64_t read_round = 0;  // echoed: the follower still follows this leader
  std::uint64_t sequence = 0;    // echoed
};
// "Campaign now" (section 3.10).
struct TimeoutNow {};

struct Message {
  NodeId from;
  NodeId to;
  Term term;  // the sender's current term
  std::variant<PreVoteRequest, PreVoteReply, VoteRequest, VoteReply, AppendRequest, AppendReply,
               TimeoutNow>
      body;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_MESSAGE_H_
