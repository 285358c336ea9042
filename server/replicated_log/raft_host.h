// Drives the Raft core: makes its log durable, carries its messages, applies what is committed, and
// wakes those who wait. The node's one door to consensus.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_HOST_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/consensus/input_output.h"
#include "server/consensus/raft_core.h"
#include "server/metadata/directory_rows.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/log_store.h"
#include "server/replicated_log/raft_transport.h"
#include "server/replicated_log/witness_marks.h"

namespace dfs::replicated_log {

// What this node knows of the group at one moment.
struct RaftStatus {
  NodeId self;
  consensus::Role role = consensus::Role::kFollower;
  NodeId leader;                 // none if not known
  Term term;
  LogIndex commit_index;
  LogIndex applied_index;
  LogIndex last_log_index;
  Term last_log_term;
  LogPosition durable;           // what the stores hold
  bool is_hanging = false;       // a round takes longer than an election timeout: the log's disk does
  bool can_serve = false;        // leader whose own first entry of this term is committed AND applied
  absl::Duration leader_silence;  // since the leader was last heard; 0 if leading
  consensus::Configuration configuration;
  std::vector<consensus::PeerStatus> peers;  // leader only

  // Up to where the leader knows the node's log to be equal to its own; 0: not known.
  [[nodiscard]] LogIndex MatchOf(NodeId node) const {
    if (node == self) return last_log_index;
    for (const auto& peer : peers) {
      if (peer.node == node) return peer.match_index;
    }
    return LogIndex();
  }
};

// What the leader's parts want to know. Called on the host's executor: return at once, post elsewhere.
class LeadershipListener {
 public:
  virtual ~LeadershipListener() = default;
  // This node leads `term` and its first entry is applied here: everything earlier terms committed is in its state.
  virtual void OnLeading(Term term) = 0;
  virtual void OnNotLeading() = 0;
};

class RaftHost {
 public:
  struct Parts {
    consensus::Options options;
    LogStore* log_store = nullptr;            // outlives the host, as all parts
    metadata::MetadataMachine* machine = nullptr;
    RaftTransport* transport = nullptr;
    const Clock* clock = nullptr;
    LeadershipListener* listener = nullptr;   // may be null
    // Called after entries were applied, from the apply thread, with the new applied index. May be null.
    std::function<void(LogIndex)> on_applied;
    // Called when the configuration in force changes (addresses of peers), on the host's executor. May be null.
    std::function<void(const consensus::Configuration&)> on_configuration;
    // The store failed, or state hashes differ: the node must stop. Called once.
    std::function<void(absl::Status)> on_fatal;
  };
  // Loads the log; Start() begins to take part.
  static absl::StatusOr<std::unique_ptr<RaftHost>> Create(Parts parts);
  ~RaftHost();  // Stop()
  void Start();
  // Takes no part yet (rule R3): neither votes nor campaigns, leads or acknowledges; what comes is dropped. Status() and
  // MarkOf() tell what is known. Then Release, or Abandon.
  void StartHeld();
  void Release();
  // This node must take no part any more; on_fatal is called with `why`.
  void Abandon(absl::Status why);
  // What `node` has shown this one to be durable with it. Thread-safe, cheap.
  [[nodiscard]] WitnessMark MarkOf(NodeId node) const;
  // Stops taking part; waiting callers get kUnavailable (reads) or kDeadlineExceeded, outcome unknown (proposals).
  void Stop();

  using ResultCallback = absl::AnyInvocable<void(absl::StatusOr<rpc::CommandResult>)>;
  // Proposes a command (rpc::Command, its time_us set here from the leader's clock) and calls back once it is
  // applied here and held by min(2, members) (rule R6). Errors:
  //   kUnavailable         this node does not lead: nothing happened
  //   kResourceExhausted   too much waits to be committed: nothing happened, retry later
  //   kDeadlineExceeded    leadership was lost before the entry was known to be committed: outcome unknown
  // The callback runs on an internal thread: return at once. Thread-safe, never blocks.
  // `only_in_term`: if not none, rejected (kUnavailable, nothing happened) unless this is the term (rule R13).
  void Propose(rpc::Command command, Term only_in_term, ResultCallback done);
  // Changes members of the configuration (and applies `command` in the same entry). `change` gets the
  // current configuration and returns the next, or an error that is passed on. Answered at commit and apply
  // (rule R6: a Join does not wait to be held by two).
  void ProposeMembers(std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)> change,
                      rpc::Command command, ResultCallback done);
  // Joint consensus to these voters; `done` when the final configuration is committed.
  void ProposeVoters(std::set<NodeId> voters, absl::AnyInvocable<void(absl::Status)> done);

  // Leader only: an index such that a state applied that far holds every change that was answered before this
  // call. Calls that arrive while a round is under way share the next one. kUnavailable: not leading.
  void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done);
  // Calls back once `index` is applied here (at once if it is), or with kDeadlineExceeded; late while the log's disk
  // hangs: who must not wait longer than `timeout` watches it too.
  void WaitApplied(LogIndex index, absl::Duration timeout, absl::AnyInvocable<void(absl::Status)> done);

  // Of a storage-only node: takes over who the nodes are and which buckets there are (metadata::AdoptDirectory).
  // kUnavailable: this node is stopping. Thread-safe, never blocks.
  void AdoptDirectory(metadata::DirectoryRows directory, absl::AnyInvocable<void(absl::Status)> done);

  // Own evidence that the leader is gone (rule R5).
  void SuspectLeader(NodeId leader);
  // Hands leadership over (clean stop); `done` when another leads, or it was given up.
  void TransferLeadership(absl::AnyInvocable<void(absl::Status)> done);

  [[nodiscard]] RaftStatus Status() const;  // thread-safe, cheap (a copy made after each step)

 private:
  RaftHost() = default;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_HOST_H_
