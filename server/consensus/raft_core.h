// Raft without I/O: consensus as a function of (state, now, input).
//
// Follows Ongaro's dissertation (2014): leader election with pre-vote (9.6), check-quorum (6.2) and
// stickiness (4.2.3) together; log replication; joint consensus (4.3); ReadIndex (6.4);
// leadership transfer (3.10); learners. No leases. The order of duties of the driver is in
// input_output.h.
//
// Does no I/O, reads no clock, has no thread and no lock; not thread-safe. Equal inputs give equal
// outputs on every machine (its randomness is seeded by Options).
//
// raft_core.cc holds the term rule, role changes and the dispatch; one file per message
// kind holds the rest (election, vote_handler, append_handler, …).
#ifndef DFS_SERVER_CONSENSUS_RAFT_CORE_H_
#define DFS_SERVER_CONSENSUS_RAFT_CORE_H_

#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "server/consensus/configuration.h"
#include "server/consensus/input_output.h"
#include "server/consensus/message.h"

namespace dfs::consensus {

class RaftLog;

// What a member finds in its stores when it starts.
struct InitialState {
  HardState hard_state;
  // The state machine covers the log up to here (0, 0 for an empty one), with this configuration in
  // force there.
  LogIndex base_index;
  Term base_term;
  Configuration base_configuration;
  std::vector<Entry> entries;  // contiguous from base_index + 1; all durable
  // Known to be applied, at least base_index. Committed for certain.
  LogIndex applied_index;
};

struct PeerStatus {
  NodeId node;
  LogIndex match_index;       // durable there, as far as known
  MonotonicTime last_heard;   // InfinitePast if not in this term
  bool is_sending_snapshot = false;
};

class RaftCore {
 public:
  // `now` starts the election timer. A member with an empty configuration waits for a leader for ever.
  RaftCore(const Options& options, InitialState initial, MonotonicTime now);
  ~RaftCore();
  RaftCore(const RaftCore&) = delete;
  RaftCore& operator=(const RaftCore&) = delete;

  [[nodiscard]] Output Step(MonotonicTime now, Input input);

  [[nodiscard]] Role role() const;
  [[nodiscard]] Term term() const;
  [[nodiscard]] NodeId leader() const;  // none if not known; self if leading
  // Never decreases while this object lives.
  [[nodiscard]] LogIndex commit_index() const;
  // Leader: greatest index <= commit_index that min(2, active members) hold durably (rule R6). Changes
  // are answered, and reads are ready, only up to here. Others: commit_index.
  [[nodiscard]] LogIndex held_index() const;
  // Leader whose own first entry of this term is committed; false for all others.
  [[nodiscard]] bool has_committed_in_term() const;
  [[nodiscard]] LogIndex first_index_of_term() const;  // of that first entry; meaningful for a leader
  // In force now: the last one in the log, else the base.
  [[nodiscard]] const Configuration& configuration() const;
  // The one in force at `index` (base_index <= index <= last).
  [[nodiscard]] const Configuration& ConfigurationAt(LogIndex index) const;
  [[nodiscard]] LogIndex first_log_index() const;  // of the entries still held: base + 1
  [[nodiscard]] LogIndex last_log_index() const;
  [[nodiscard]] Term TermAt(LogIndex index) const;   // base_index <= index <= last
  // Entries (from, …, to] that are held; both within the log.
  [[nodiscard]] std::vector<Entry> Entries(LogIndex after, LogIndex to) const;
  [[nodiscard]] std::size_t log_bytes() const;
  [[nodiscard]] std::vector<PeerStatus> Peers() const;  // leader only; else empty
  [[nodiscard]] bool is_transferring() const;

 private:
  friend class RaftInvariants;  // reads everything, changes nothing
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_RAFT_CORE_H_
