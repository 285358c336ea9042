// The whole contract between the Raft core and whoever drives it.
//
// The driver (production: replicated_log/raft_host; tests: the simulator) calls
// `RaftCore::Step(now, input)` for each event, one at a time, and carries out the returned Output
// in this order:
//   1. send `messages` (they depend on nothing that is not yet durable);
//   2. make `hard_state` and `entries` durable in ONE synced batch; entries replace everything in
//      the log from the first one's index on;
//   3. only then send `messages_after_persist`, and step `Persisted` for that batch;
//   4. apply entries up to `commit_index`, in log order (they are read from RaftCore::log());
//   5. answer `reads`; drop `rejected` proposals;
//   6. arm one timer for `next_deadline` and step `Tick` then.
// After construction it steps one Tick at once, which yields the first deadline. Batches become
// durable in the order in which they were handed out. An Output with messages_after_persist and
// nothing to write waits for the batches before it.
// Several inputs may be stepped before 1 to 6 are carried out once for the merged outputs.
#ifndef DFS_SERVER_CONSENSUS_INPUT_OUTPUT_H_
#define DFS_SERVER_CONSENSUS_INPUT_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "server/consensus/configuration.h"
#include "server/consensus/message.h"

namespace dfs::consensus {

enum class Role { kFollower, kPreCandidate, kCandidate, kLeader };

struct Options {
  NodeId self;
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  // Election timeout: uniform in [min, max), drawn anew each time. `min` is also how long a
  // follower that heard its leader refuses votes (stickiness), and how long a leader that
  // hears no quorum goes on (check-quorum).
  absl::Duration election_timeout_min = absl::Milliseconds(250);
  absl::Duration election_timeout_max = absl::Milliseconds(500);
  // After evidence against the leader (rule R5) pre-vote starts within [0, hint_stagger_max).
  absl::Duration hint_stagger_max = absl::Milliseconds(50);
  std::uint64_t random_seed = 0;
  // Bounds (each is a queue): bytes and messages in flight to one peer, bytes of one
  // AppendRequest, bytes of entries that are proposed and not committed, waiting read requests.
  std::size_t in_flight_bytes_max = std::size_t{8} << 20;
  std::size_t in_flight_messages_max = 64;
  std::size_t append_bytes_max = std::size_t{1} << 20;
  std::size_t uncommitted_bytes_max = std::size_t{64} << 20;
  std::size_t reads_max = 65'536;
};

// ---- inputs ----

struct Tick {};
struct Receive {
  Message message;
};
// A command for the log. `token` comes back in Output::proposed or Output::rejected, from this same
// Step.
struct Propose {
  std::uint64_t token = 0;
  std::shared_ptr<const std::string> command;
};
// Changes members (not voters) of the configuration, with an optional command in the same entry.
struct ProposeMembers {
  std::uint64_t token = 0;
  Configuration next;
  std::shared_ptr<const std::string> command;
};
// Begins joint consensus towards `voters`; the core leaves joint by itself. Rejected while
// another configuration change is not committed or before this term's first entry is.
struct ProposeVoters {
  std::uint64_t token = 0;
  std::set<NodeId> voters;
};
// Asks for a read index; answered in Output::reads with the same context. Only a leader answers.
struct ReadIndex {
  std::uint64_t context = 0;
};
// The batch with these last entries and this hard state is durable. `last_index`/`last_term`:
// last entry of the batch, none if it had only a hard state. `hard_state`: the newest one that
// is durable now, be it of this batch or of an earlier one. (The term is what makes a late
// report about a truncated entry harmless.)
struct Persisted {
  LogIndex last_index;
  Term last_term;
  HardState hard_state;
};
// The state machine has taken over a snapshot with this content; it is durable, and the stored
// log begins behind it. From the moment it begins the batch that does this until it has stepped
// this input, the driver has no other write under way and steps nothing else, so that what is
// stored and what the core holds are the same. If that has an entry of `term` at `index`, what
// follows it stays (it may be acknowledged); else all of it goes, also what lies behind `index` (it
// contradicts the snapshot). Drop a snapshot at or below commit_index() instead.
struct SnapshotInstalled {
  LogIndex index;
  Term term;
  Configuration configuration;  // in force at `index`
};
// The sending of a snapshot that Output::snapshots_wanted asked for ended, whoever leads by then.
// `index` is 0 if it failed. No other is asked for this peer before.
struct SnapshotSent {
  NodeId to;
  LogIndex index;
};
// This peer came back as another run of its process (a new boot_epoch). What its earlier runs
// acknowledged counts for nothing until it says so again; answers to earlier messages are ignored.
struct PeerRestarted {
  NodeId node;
};
// Entries up to `index` are no longer needed (a snapshot or the synced state machine covers them).
struct CutLog {
  LogIndex index;
};
// This node's own evidence that the leader of `term` is gone: its address refuses connections,
// or the ring says that this incarnation of it is DEAD (rule R5).
struct LeaderSuspected {
  NodeId leader;
  Term term;
};
// Hands leadership to `to`, or to the most advanced voter if none. Ends by itself after one
// election timeout.
struct TransferLeadership {
  NodeId to;
};

using Input = std::variant<Tick, Receive, Propose, ProposeMembers, ProposeVoters, ReadIndex,
                           Persisted, SnapshotInstalled, SnapshotSent, PeerRestarted, CutLog,
                           LeaderSuspected, TransferLeadership>;

// ---- outputs ----

enum class RejectReason {
  kNotLeader,
  kOverloaded,     // uncommitted_bytes_max or reads_max reached: nothing done, retry later
  kTransferring,   // leadership is being handed over: nothing done, retry soon
  kChangePending,  // a change is under way, or this term's first entry is not committed
  kInvalid,        // Configuration::CheckStep refused it
};
struct Proposed {
  std::uint64_t token = 0;
  LogIndex index;
  Term term;
};
struct Rejected {
  std::uint64_t token = 0;  // of the proposal, or context of the read
  RejectReason reason = RejectReason::kNotLeader;
  bool is_read = false;
};
struct ReadReady {
  std::uint64_t context = 0;
  LogIndex index;  // the answer is linearizable once the state machine has applied this far
};

struct Output {
  std::vector<Message> messages;
  std::optional<HardState> hard_state;  // set if it must be written
  // To be written, contiguous; they replace the log from the first one's index on.
  std::vector<Entry> entries;
  std::vector<Message> messages_after_persist;
  std::vector<Proposed> proposed;
  std::vector<Rejected> rejected;
  std::vector<ReadReady> reads;
  // Peers that lie behind the start of the log: the driver sends each a snapshot, at
  // most one at a time, and steps SnapshotSent.
  std::vector<NodeId> snapshots_wanted;
  MonotonicTime next_deadline = absl::InfiniteFuture();

  // Appends a later output to this one, so that both can be carried out at once. Messages to one
  // member that follow each other become one: entries are joined up to 1 MiB, and of
  // acknowledgements the last one says all.
  void Merge(Output later);
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_INPUT_OUTPUT_H_
