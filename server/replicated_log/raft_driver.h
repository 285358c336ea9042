// Steps the Raft core and carries out what it answers, in the order that its contract demands
// (consensus/input_output.h): send, persist, send what waited for that, apply, answer, arm the timer.
//
// Lives on the host's executor: every call is made there, unless said otherwise. Several Steps may come before
// one Finish, which then carries them out with one synced write (group commit).
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_DRIVER_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_DRIVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/sync.h"
#include "server/consensus/input_output.h"
#include "server/consensus/raft_core.h"
#include "server/replicated_log/applier.h"
#include "server/replicated_log/caller_table.h"
#include "server/replicated_log/log_store.h"
#include "server/replicated_log/raft_host.h"
#include "server/replicated_log/raft_inbox.h"
#include "server/replicated_log/raft_transport.h"
#include "server/replicated_log/witness.h"

namespace dfs::replicated_log {

class RaftDriver {
 public:
  struct Parts {
    RaftHost::Parts host;
    CallerTable* callers = nullptr;
    Applier* applier = nullptr;
    // A peer needs a snapshot.
    std::function<void(NodeId)> want_snapshot;
    // Called once, with why this node must stop.
    std::function<void(absl::Status)> on_fatal;
  };
  RaftDriver(Parts parts, consensus::InitialState initial);

  // Tells the configuration in force and, unless it is held, steps the first Tick.
  // While held (rule R3) the core is not stepped: it neither votes nor campaigns, leads or acknowledges.
  void Start(bool is_held);
  void Release();

  void Receive(consensus::Message message);
  void Propose(QueuedProposal proposal);
  void ProposeMembers(
      const std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)>& change,
      std::shared_ptr<const std::string> command, ProposalTracker::Callback done);
  void ProposeVoters(std::set<NodeId> voters, absl::AnyInvocable<void(absl::Status)> done);
  void ReadIndex(std::vector<CallerTable::ReadCallback> reads);
  void TransferLeadership(absl::AnyInvocable<void(absl::Status)> done);
  // Own evidence against a node; means something if it leads.
  void Suspect(NodeId node);
  // Rule R4: the progress of a peer begins anew at each new boot epoch.
  void PeerRestarted(NodeId node);
  void Tick();
  void SnapshotSent(NodeId to, LogIndex index);

  // What a snapshot of the state as it is now is of; `rows` is that state, of which the node gets the directory alone
  // (metadata::DirectoryOf) if `is_of_directory`. nullopt if nothing is applied.
  struct PinnedState {
    SnapshotDescription description;  // without content
    Term leader_term;
    std::unique_ptr<metadata::RowReader> rows;
    bool is_of_directory = false;
  };
  [[nodiscard]] std::optional<PinnedState> PinState(NodeId for_node);
  // Puts a received state in force. OK with what is in force then; kDataLoss: the disk failed, the node stops.
  [[nodiscard]] absl::StatusOr<LogIndex> Install(std::unique_ptr<PreparedState> prepared,
                                                 const SnapshotDescription& description);

  // Of a storage-only node: metadata::AdoptDirectory, while nobody else writes rows.
  [[nodiscard]] absl::Status AdoptDirectory(const metadata::DirectoryRows& directory);

  // Carries out everything that was stepped.
  void Finish();
  // When to Tick next.
  [[nodiscard]] MonotonicTime deadline() const { return deadline_; }
  // The node stops: nothing is stepped any more.
  void Fail(const absl::Status& status);
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  // The host ends: so does leadership, and nobody goes on waiting for it.
  void Close();

  // Thread-safe. A leader whose round hangs (its disk does) for an election timeout is shown as one that leads no more:
  // it is silent, so another does or soon will.
  [[nodiscard]] RaftStatus Status() const ABSL_LOCKS_EXCLUDED(status_mutex_);
  // What the node has shown to be durable with it (rule R3). Thread-safe.
  [[nodiscard]] WitnessMark MarkOf(NodeId node) const { return witness_.MarkOf(node); }
  [[nodiscard]] bool is_held() const { return is_held_.load(); }
  // Whether a round should run once more entries are applied. Thread-safe.
  [[nodiscard]] bool WantsAppliedNews() const { return wants_applied_news_.load(); }

 private:
  struct VoterChange {
    std::set<NodeId> voters;
    Term term;
    absl::AnyInvocable<void(absl::Status)> done;
  };

  consensus::Output Step(consensus::Input input);
  void Gather(consensus::Output output);
  bool PersistAndSend();
  void Send(std::vector<consensus::Message> messages);
  void ScheduleApply();
  void AnswerReads();
  void UpdateLeadership();
  void EndLeadership();
  void UpdateVoterChange();
  void UpdateTransfer();
  void UpdateConfiguration();
  void MaybeCutLog();
  [[nodiscard]] LogIndex CutTarget(LogIndex applied) const;
  void CarryOut();
  void Publish() ABSL_LOCKS_EXCLUDED(status_mutex_);
  void ShowDurable() ABSL_LOCKS_EXCLUDED(status_mutex_);

  const Parts parts_;
  const Clock& clock_;
  consensus::RaftCore core_;
  consensus::Output gathered_;
  consensus::HardState durable_hard_state_;
  Term durable_term_;       // of the last entry on disk
  LogIndex durable_index_;
  std::uint64_t next_token_ = 1;
  MonotonicTime deadline_ = absl::InfiniteFuture();
  MonotonicTime last_leader_contact_;
  bool has_failed_ = false;
  std::atomic<bool> is_held_{false};
  Witness witness_;

  std::optional<Term> leading_term_;   // this node leads it, as far as the last round saw
  bool is_announced_ = false;          // the listener knows
  std::optional<VoterChange> voter_change_;
  absl::AnyInvocable<void(absl::Status)> transfer_done_;
  std::shared_ptr<const consensus::Configuration> told_configuration_;
  std::map<NodeId, LogIndex> sending_snapshots_;

  std::atomic<bool> wants_applied_news_{false};
  mutable Mutex status_mutex_;
  RaftStatus status_ ABSL_GUARDED_BY(status_mutex_);
  MonotonicTime status_leader_contact_ ABSL_GUARDED_BY(status_mutex_);
  MonotonicTime busy_since_ ABSL_GUARDED_BY(status_mutex_) = absl::InfiniteFuture();  // with Finish
  std::shared_ptr<const consensus::Configuration> status_configuration_
      ABSL_GUARDED_BY(status_mutex_);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_DRIVER_H_
