#include "server/replicated_log/raft_driver.h"

#include <glog/logging.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"

namespace dfs::replicated_log {
namespace {

using consensus::Configuration;
using consensus::RejectReason;
using consensus::Role;

// The log is cut when it is this much ahead of its base (it is in memory too) …
constexpr std::uint64_t kCutEntries = 10'000;
constexpr std::size_t kCutBytes = std::size_t{16} << 20;
// … but what a peer that lives still lacks is kept, up to here.
constexpr std::uint64_t kKeptEntriesMax = 100'000;
constexpr std::size_t kKeptBytesMax = std::size_t{64} << 20;
// So many applied entries stay for peers that lag a little when this node starts to lead.
constexpr std::uint64_t kKeptForOthers = 5'000;
constexpr absl::Duration kPeerLives = absl::Seconds(10);

absl::Status StatusOf(RejectReason reason) {
  switch (reason) {
    case RejectReason::kNotLeader:
      return absl::UnavailableError("this node does not lead: nothing happened");
    case RejectReason::kOverloaded:
      return absl::ResourceExhaustedError("too many changes wait to be committed: nothing happened");
    case RejectReason::kTransferring:
      return absl::UnavailableError("leadership is being handed over: nothing happened");
    case RejectReason::kChangePending:
      return absl::UnavailableError("another change of members is under way: nothing happened");
    case RejectReason::kInvalid:
      break;
  }
  return absl::FailedPreconditionError("the members may not change like this: nothing happened");
}

absl::Status NotInTerm() {
  return absl::UnavailableError("this node no longer leads that term: nothing happened");
}

}  // namespace

RaftDriver::RaftDriver(Parts parts, consensus::InitialState initial)
    : parts_(std::move(parts)),
      clock_(*parts_.host.clock),
      core_(parts_.host.options, initial, clock_.Now()),
      durable_hard_state_(initial.hard_state),
      durable_term_(core_.TermAt(core_.last_log_index())),
      durable_index_(core_.last_log_index()),
      last_leader_contact_(clock_.Now()),
      witness_(parts_.host.log_store) {
  Publish();
  MutexLock lock(&status_mutex_);
  status_configuration_ = std::make_shared<const Configuration>(core_.configuration());
}

void RaftDriver::Start(bool is_held) {
  is_held_ = is_held;
  UpdateConfiguration();
  Publish();
  if (!is_held) Tick();
}

void RaftDriver::Release() {
  if (is_held_.exchange(false)) Tick();
}

consensus::Output RaftDriver::Step(consensus::Input input) {
  return core_.Step(clock_.Now(), std::move(input));
}

void RaftDriver::Gather(consensus::Output output) { gathered_.Merge(std::move(output)); }

void RaftDriver::Tick() {
  if (!is_held_) Gather(Step(consensus::Tick{}));
}

void RaftDriver::Receive(consensus::Message message) {
  const bool is_append = std::holds_alternative<consensus::AppendRequest>(message.body);
  const NodeId from = message.from;
  witness_.Record(message, core_);
  if (is_held_) return;
  Gather(Step(consensus::Receive{std::move(message)}));
  if (is_append && from == core_.leader()) last_leader_contact_ = clock_.Now();
}

void RaftDriver::Propose(QueuedProposal proposal) {
  if (is_held_) {
    proposal.done(StatusOf(RejectReason::kNotLeader));
    return;
  }
  if (!proposal.only_in_term.is_none() &&
      (core_.role() != Role::kLeader || core_.term() != proposal.only_in_term)) {
    proposal.done(NotInTerm());
    return;
  }
  auto output = Step(consensus::Propose{next_token_++, std::move(proposal.command)});
  for (const auto& p : output.proposed) {
    parts_.callers->AddProposal(p.index, p.term, /*waits_for_held=*/true,
                                std::move(proposal.done));
  }
  for (const auto& r : output.rejected) {
    if (!r.is_read) proposal.done(StatusOf(r.reason));
  }
  Gather(std::move(output));
}

void RaftDriver::ProposeMembers(
    const std::function<absl::StatusOr<Configuration>(Configuration)>& change,
    std::shared_ptr<const std::string> command, ProposalTracker::Callback done) {
  if (core_.role() != Role::kLeader) {
    done(StatusOf(RejectReason::kNotLeader));
    return;
  }
  auto next = change(core_.configuration());
  if (!next.ok()) {
    done(next.status());
    return;
  }
  auto output =
      Step(consensus::ProposeMembers{next_token_++, *std::move(next), std::move(command)});
  for (const auto& p : output.proposed) {
    parts_.callers->AddProposal(p.index, p.term, /*waits_for_held=*/false, std::move(done));
  }
  for (const auto& r : output.rejected) {
    if (!r.is_read) done(StatusOf(r.reason));
  }
  Gather(std::move(output));
}

void RaftDriver::ProposeVoters(std::set<NodeId> voters,
                               absl::AnyInvocable<void(absl::Status)> done) {
  if (voter_change_ || is_held_) {
    done(StatusOf(RejectReason::kChangePending));
    return;
  }
  auto output = Step(consensus::ProposeVoters{next_token_++, voters});
  for (const auto& p : output.proposed) {
    voter_change_ = VoterChange{voters, p.term, std::move(done)};
  }
  for (const auto& r : output.rejected) {
    if (!r.is_read) done(StatusOf(r.reason));
  }
  Gather(std::move(output));
}

void RaftDriver::ReadIndex(std::vector<CallerTable::ReadCallback> reads) {
  if (is_held_) {
    for (auto& done : reads) done(StatusOf(RejectReason::kNotLeader));
    return;
  }
  const std::uint64_t context = next_token_++;
  parts_.callers->AddReads(context, std::move(reads));
  Gather(Step(consensus::ReadIndex{context}));
}

void RaftDriver::TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) {
  if (core_.role() != Role::kLeader || transfer_done_) {
    done(absl::FailedPreconditionError("this node does not lead, or hands over already"));
    return;
  }
  transfer_done_ = std::move(done);
  Gather(Step(consensus::TransferLeadership{}));
}

void RaftDriver::Suspect(NodeId node) {
  if (node.is_none() || node != core_.leader() || node == parts_.host.options.self) return;
  Gather(Step(consensus::LeaderSuspected{node, core_.term()}));
}

void RaftDriver::PeerRestarted(NodeId node) {
  if (!is_held_) Gather(Step(consensus::PeerRestarted{node}));
}

void RaftDriver::SnapshotSent(NodeId to, LogIndex index) {
  sending_snapshots_.erase(to);
  Gather(Step(consensus::SnapshotSent{to, index}));
}

std::optional<RaftDriver::PinnedState> RaftDriver::PinState(NodeId for_node) {
  // Between two batches the rows are exactly the state at the applied index.
  parts_.applier->Pause();
  PinnedState pinned;
  pinned.description.index = parts_.host.machine->applied_index();
  parts_.applier->Restart(pinned.description.index);
  if (pinned.description.index.is_none()) return std::nullopt;
  pinned.rows = parts_.host.log_store->state()->Snapshot();
  pinned.description.term = core_.TermAt(pinned.description.index);
  pinned.description.configuration = core_.ConfigurationAt(pinned.description.index);
  // By the configuration in force: the one at the applied index may be from before its join.
  const consensus::Configuration& now = core_.configuration();
  const auto member = now.members.find(for_node);
  pinned.is_of_directory = member != now.members.end() && member->second.gets_no_commands;
  pinned.leader_term = core_.term();
  sending_snapshots_[for_node] = pinned.description.index;
  return pinned;
}

absl::Status RaftDriver::AdoptDirectory(const metadata::DirectoryRows& directory) {
  if (has_failed_) return absl::UnavailableError("this node is stopping");
  parts_.applier->Pause();
  const absl::Status status = metadata::AdoptDirectory(directory, parts_.host.log_store->state());
  parts_.applier->Restart(parts_.host.machine->applied_index());
  return status;
}

absl::StatusOr<LogIndex> RaftDriver::Install(std::unique_ptr<PreparedState> prepared,
                                             const SnapshotDescription& description) {
  // What was stepped before must be on disk before the log is cut away below it.
  if (!PersistAndSend()) return absl::DataLossError("this node has failed");
  if (description.index <= core_.commit_index()) return core_.commit_index();
  const bool keep_tail = description.index <= core_.last_log_index() &&
                         core_.TermAt(description.index) == description.term;
  parts_.applier->Pause();
  const auto status =
      parts_.host.log_store->InstallState(std::move(prepared), description, keep_tail);
  if (!status.ok()) {
    Fail(status);
    return status;
  }
  parts_.host.machine->Reload();
  CHECK_EQ(parts_.host.machine->applied_index(), description.index);
  parts_.applier->Restart(description.index);
  if (!keep_tail) {
    durable_term_ = description.term;
    durable_index_ = description.index;
    ShowDurable();
  }
  Gather(Step(consensus::SnapshotInstalled{description.index, description.term,
                                           description.configuration}));
  parts_.callers->RecordInstalled(description.index);
  LOG(INFO) << "state taken over from a snapshot at log index " << description.index;
  return description.index;
}

void RaftDriver::Fail(const absl::Status& status) {
  if (std::exchange(has_failed_, true)) return;
  LOG(ERROR) << "this node takes no further part: " << status;
  Close();
  parts_.callers->GiveUpAll();
  parts_.on_fatal(status);
}

void RaftDriver::Close() {
  EndLeadership();
  if (auto done = std::exchange(transfer_done_, nullptr)) {
    done(absl::UnavailableError("this node is stopping"));
  }
}

void RaftDriver::EndLeadership() {
  if (leading_term_ && is_announced_ && parts_.host.listener != nullptr) {
    parts_.host.listener->OnNotLeading();
  }
  is_announced_ = false;
  leading_term_.reset();
  if (voter_change_) {
    auto done = std::move(voter_change_->done);
    voter_change_.reset();
    done(absl::DeadlineExceededError("leadership was lost: outcome unknown"));
  }
}

void RaftDriver::Finish() {
  const auto set_busy = [this](MonotonicTime since) {
    MutexLock lock(&status_mutex_);
    busy_since_ = since;
  };
  set_busy(clock_.Now());
  if (!has_failed_) CarryOut();
  set_busy(absl::InfiniteFuture());
}

void RaftDriver::CarryOut() {
  MaybeCutLog();
  if (has_failed_ || !PersistAndSend()) return;
  UpdateLeadership();
  ScheduleApply();
  AnswerReads();
  UpdateConfiguration();
  UpdateVoterChange();
  UpdateTransfer();
  for (const NodeId node : std::exchange(gathered_.snapshots_wanted, {})) {
    parts_.want_snapshot(node);
  }
  // The core gets no ticks while the node is held: its deadline would be past for all that time.
  deadline_ = std::min(is_held_ ? absl::InfiniteFuture() : gathered_.next_deadline, witness_.deadline());
  gathered_.proposed.clear();
  Publish();
}

// Duties 1 to 3. Stepping what is durable may give more to write.
// Appends say how far the leader's own log is durable (rule R3).
void RaftDriver::Send(std::vector<consensus::Message> messages) {
  if (messages.empty()) return;
  for (auto& message : messages) {
    if (auto* append = std::get_if<consensus::AppendRequest>(&message.body)) {
      append->durable_term = durable_term_;
      append->durable_index = durable_index_;
    }
  }
  parts_.host.transport->Send(std::move(messages));
}

bool RaftDriver::PersistAndSend() {
  witness_.Keep(clock_.Now());
  bool has_written = false;
  while (true) {
    Send(std::exchange(gathered_.messages, {}));
    const auto hard_state = std::exchange(gathered_.hard_state, std::nullopt);
    const auto entries = std::exchange(gathered_.entries, {});
    const bool is_write = hard_state.has_value() || !entries.empty();
    if (DFS_MUTANT(508, "what waits for the disk leaves before the disk has it")) {
      parts_.host.transport->Send(std::exchange(gathered_.messages_after_persist, {}));
    }
    if (is_write) {
      if (const auto status = parts_.host.log_store->Append(hard_state, entries);
          !status.ok() && !DFS_MUTANT(23, "a node whose write failed goes on")) {
        Fail(status);
        return false;
      }
      has_written = true;
      if (hard_state) durable_hard_state_ = *hard_state;
      if (!entries.empty()) {
        durable_term_ = entries.back().term;
        durable_index_ = entries.back().index;
      }
      ShowDurable();  // before others hear of it: they may be asked what this node has shown (rule R3)
    }
    Send(std::exchange(gathered_.messages_after_persist, {}));
    if (!is_write) break;
    consensus::Persisted persisted;
    persisted.hard_state = durable_hard_state_;
    if (!entries.empty()) {
      persisted.last_index = entries.back().index;
      persisted.last_term = entries.back().term;
    }
    Gather(Step(persisted));
  }
  if (const auto status = witness_.Written(clock_.Now(), has_written); !status.ok()) {
    Fail(status);
    return false;
  }
  return true;
}

void RaftDriver::ScheduleApply() {
  parts_.callers->RecordHeld(core_.held_index());
  // Every entry of the core's log is durable here now. (The rows of one that is not could outlive it.)
  const LogIndex pushed = parts_.applier->pushed_index();
  const LogIndex commit = core_.commit_index();
  bool is_capped = false;
  if (commit > pushed) {
    const LogIndex to =
        std::min(commit, LogIndex(pushed.value() + parts_.applier->Room()));
    is_capped = to < commit;
    if (to > pushed) parts_.applier->Push(core_.Entries(pushed, to));
  }
  const bool is_waiting_to_serve = leading_term_.has_value() && !is_announced_;
  wants_applied_news_ = is_capped || is_waiting_to_serve;
  // The last batch may have ended just before this was wanted.
  if (is_waiting_to_serve) UpdateLeadership();
}

void RaftDriver::AnswerReads() {
  for (const auto& ready : std::exchange(gathered_.reads, {})) {
    parts_.callers->RecordRead(ready.context, ready.index);
  }
  for (const auto& rejected : std::exchange(gathered_.rejected, {})) {
    if (rejected.is_read) {
      parts_.callers->RecordRead(rejected.token, StatusOf(rejected.reason));
    }
  }
}

void RaftDriver::UpdateLeadership() {
  const bool is_leading = core_.role() == Role::kLeader;
  if (leading_term_ && (!is_leading || core_.term() != *leading_term_)) {
    EndLeadership();
    parts_.callers->LoseLeadership(clock_.Now() + parts_.host.options.election_timeout_max);
  }
  if (!is_leading) return;
  leading_term_ = core_.term();
  if (is_announced_ || !core_.has_committed_in_term() ||
      parts_.callers->applied() < core_.first_index_of_term()) {
    return;
  }
  is_announced_ = true;
  if (parts_.host.listener != nullptr) parts_.host.listener->OnLeading(core_.term());
}

void RaftDriver::UpdateConfiguration() {
  const Configuration& now = core_.configuration();
  if (told_configuration_ && *told_configuration_ == now) return;
  told_configuration_ = std::make_shared<const Configuration>(now);
  parts_.host.transport->SetMembers(now);
  if (parts_.host.on_configuration) parts_.host.on_configuration(now);
}

void RaftDriver::UpdateVoterChange() {
  if (!voter_change_) return;
  const Configuration& now = core_.configuration();
  const bool is_done = !now.is_joint() && now.voters == voter_change_->voters &&
                       core_.ConfigurationAt(core_.commit_index()) == now;
  const bool is_lost = core_.role() != Role::kLeader || core_.term() != voter_change_->term;
  if (!is_done && !is_lost) return;
  auto done = std::move(voter_change_->done);
  voter_change_.reset();
  done(is_done ? absl::OkStatus()
               : absl::DeadlineExceededError("leadership was lost: outcome unknown"));
}

void RaftDriver::UpdateTransfer() {
  if (!transfer_done_) return;
  const bool is_leading = core_.role() == Role::kLeader;
  if (is_leading && core_.is_transferring()) return;
  if (!is_leading && core_.leader().is_none()) return;  // the election is under way
  auto done = std::exchange(transfer_done_, nullptr);
  done(is_leading ? absl::UnavailableError("nobody could take leadership over")
                  : absl::OkStatus());
}

LogIndex RaftDriver::CutTarget(LogIndex applied) const {
  const std::uint64_t base = core_.first_log_index().value() - 1;
  const std::uint64_t ahead = applied.value() - base;
  LogIndex target(applied.value() - std::min(kKeptForOthers, ahead / 2));
  if (ahead > kKeptEntriesMax || core_.log_bytes() > kKeptBytesMax) return target;
  const MonotonicTime recent = clock_.Now() - kPeerLives;
  for (const auto& peer : core_.Peers()) {
    if (peer.last_heard >= recent) target = std::min(target, peer.match_index);
  }
  // Whoever gets a snapshot goes on behind it.
  for (const auto& [node, index] : sending_snapshots_) target = std::min(target, index);
  return target;
}

void RaftDriver::MaybeCutLog() {
  const LogIndex applied = parts_.callers->applied();
  const std::uint64_t base = core_.first_log_index().value() - 1;
  if (applied.value() <= base ||
      (applied.value() - base < kCutEntries && core_.log_bytes() < kCutBytes)) {
    return;
  }
  const LogIndex target = CutTarget(applied);
  // Little by little would cost a sync each time.
  if (target.value() < base + std::max<std::uint64_t>(1, (applied.value() - base) / 4)) return;
  auto* store = parts_.host.log_store;
  absl::Status status = store->SyncState();
  if (status.ok()) {
    status = store->Cut(target, core_.TermAt(target), core_.ConfigurationAt(target));
  }
  if (!status.ok()) {
    Fail(status);
    return;
  }
  Gather(Step(consensus::CutLog{target}));
}

void RaftDriver::Publish() {
  RaftStatus now;
  now.self = parts_.host.options.self;
  now.role = core_.role();
  now.leader = core_.leader();
  now.term = core_.term();
  now.commit_index = core_.commit_index();
  now.last_log_index = core_.last_log_index();
  now.last_log_term = core_.TermAt(now.last_log_index);
  now.durable = {durable_hard_state_.term, durable_term_, durable_index_};
  now.can_serve = is_announced_;
  now.peers = core_.Peers();
  MutexLock lock(&status_mutex_);
  status_ = std::move(now);
  // Once it leads no more, silence counts from then.
  if (core_.role() == Role::kLeader) last_leader_contact_ = clock_.Now();
  status_leader_contact_ = last_leader_contact_;
  if (told_configuration_) status_configuration_ = told_configuration_;
}

void RaftDriver::ShowDurable() {
  MutexLock lock(&status_mutex_);
  status_.durable = {durable_hard_state_.term, durable_term_, durable_index_};
}

RaftStatus RaftDriver::Status() const {
  RaftStatus out;
  MonotonicTime contact;
  MonotonicTime busy_since;
  std::shared_ptr<const Configuration> configuration;
  {
    MutexLock lock(&status_mutex_);
    out = status_;
    contact = status_leader_contact_;
    busy_since = busy_since_;
    configuration = status_configuration_;
  }
  out.applied_index = parts_.callers->applied();
  if (configuration) out.configuration = *configuration;
  out.is_hanging = clock_.Now() - busy_since > parts_.host.options.election_timeout_max;
  if (out.is_hanging && out.role == Role::kLeader) {
    out.role = Role::kFollower;
    out.leader = NodeId();
    out.can_serve = false;
    contact = busy_since;
  }
  if (out.role != Role::kLeader) out.leader_silence = clock_.Now() - contact;
  return out;
}

}  // namespace dfs::replicated_log
