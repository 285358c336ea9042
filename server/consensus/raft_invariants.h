// The safety properties of Raft (dissertation, Figure 3.2) and some of this implementation, checked
// from outside over a set of members and all that they have ever shown.
//
// For tests and simulations: call Check after every step. Reads everything, changes nothing; not
// thread-safe.
#ifndef DFS_SERVER_CONSENSUS_RAFT_INVARIANTS_H_
#define DFS_SERVER_CONSENSUS_RAFT_INVARIANTS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/ids.h"
#include "server/consensus/configuration.h"
#include "server/consensus/message.h"
#include "server/consensus/raft_core.h"

namespace dfs::consensus {

class RaftInvariants {
 public:
  // Checks the member after a step of it, against everything seen before. kInternal names the
  // property that is broken and shows the evidence.
  //
  //   election safety      at most one leader in a term
  //   leader append-only   a leader never changes or drops an entry of its log
  //   log matching         equal (index, term) means equal entry and equal predecessor (but for the command with a
  //                        member that gets none)
  //   leader completeness  each new leader's log holds every entry committed in earlier terms
  //   state machine safety no two members ever commit different entries at one index
  //   commit               never falls while the member runs, never exceeds its log
  //   hard state           term never falls; a vote in a term never changes and never vanishes;
  //                        what is durable lags behind it and never runs ahead
  //   configuration        follows its predecessor by Configuration::CheckStep
  [[nodiscard]] absl::Status Check(const RaftCore& core);

  // The member stopped: what was not durable may be gone when it is checked next; what was
  // may not.
  void RecordCrash(NodeId node);

  [[nodiscard]] std::size_t committed_count() const { return committed_.size(); }

 private:
  struct Seen {
    HardState hard_state;
    HardState durable_hard_state;
    LogIndex commit_index;
    // Terms of the member's log from `first` on, as they were compared with `entries_`.
    LogIndex first;
    std::deque<Term> terms;
    Term leading_in;  // term in which it was seen to lead last
    LogIndex leader_last;
  };
  struct KnownEntry {
    Term previous_term;
    std::shared_ptr<const std::string> command;
    std::shared_ptr<const Configuration> configuration;
  };
  struct Committed {
    Term term;     // of the entry
    Term seen_in;  // of the member that was seen to commit it first
  };
  absl::Status CheckHardState(const RaftCore& core, Seen& seen);
  absl::Status CheckLeader(const RaftCore& core, Seen& seen);
  absl::Status CheckLog(const RaftCore& core, Seen& seen);
  absl::Status CheckEntry(const RaftCore& core, LogIndex index);
  absl::Status CheckCommit(const RaftCore& core, Seen& seen);
  absl::Status CheckConfiguration(const RaftCore& core);

  std::map<NodeId, Seen> members_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<LogIndex, Term>, KnownEntry> entries_;
  std::map<LogIndex, Committed> committed_;
  // In force from that index on; committed, or the first one of all at index 0.
  std::map<LogIndex, std::shared_ptr<const Configuration>> configurations_;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_RAFT_INVARIANTS_H_
