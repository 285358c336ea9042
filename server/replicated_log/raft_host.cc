#include "server/replicated_log/raft_host.h"

#include <glog/logging.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "common/status_macros.h"
#include "common/sync.h"
#include "server/replicated_log/proposal_tracker.h"

namespace dfs::replicated_log {
namespace {

using consensus::Input;
using consensus::Output;
using consensus::Role;

// Inputs that wait for the host's thread. Messages beyond are dropped (Raft sends again), proposals and reads refused.
constexpr std::size_t kInboxMax = 16'384;
// Entries applied in one batch of the state machine.
constexpr std::size_t kApplyEntriesMax = 256;
// The log is cut when it is longer than this; what a live peer still needs is kept, up to the second bound.
constexpr std::uint64_t kLogEntriesKept = 10'000;
constexpr std::size_t kLogBytesKept = std::size_t{16} << 20;
constexpr std::uint64_t kLogEntriesMax = 100'000;
constexpr std::size_t kLogBytesMax = std::size_t{128} << 20;
constexpr std::uint64_t kEntriesBehindApplied = 1'000;  // stay, for peers that lag a little
constexpr absl::Duration kPeerLives = absl::Seconds(10);
constexpr absl::Duration kWaitersSweep = absl::Milliseconds(50);
// Rule R8: log time runs ahead of the leader's monotonic clock by no more than this.
constexpr absl::Duration kLogTimeSlack = absl::Seconds(1);

absl::Status NotLeading() {
  return absl::UnavailableError("this node does not lead; nothing happened");
}

bool HasDuties(const Output& output) {
  return !output.messages.empty() || !output.entries.empty() || output.hard_state ||
         !output.messages_after_persist.empty() || !output.snapshots_wanted.empty();
}

absl::Status ReasonOf(consensus::RejectReason reason) {
  switch (reason) {
    case consensus::RejectReason::kNotLeader:
      return NotLeading();
    case consensus::RejectReason::kOverloaded:
      return absl::ResourceExhaustedError("the log is overloaded; nothing happened, try again");
    case consensus::RejectReason::kTransferring:
      return absl::UnavailableError("leadership is being handed over; nothing happened");
    case consensus::RejectReason::kChangePending:
      return absl::UnavailableError("another change of members is under way; nothing happened");
    case consensus::RejectReason::kInvalid:
      return absl::InvalidArgumentError("the configuration cannot go there in one step");
  }
  return absl::InternalError("unknown reason");
}

}  // namespace

class RaftHost::Impl {
 public:
  explicit Impl(Parts parts)
      : parts_(std::move(parts)), apply_("raft-apply", *parts_.clock), raft_("raft", *parts_.clock) {}
  ~Impl() { Stop(); }

  absl::Status Load();
  void Start();
  void Stop();

  void Propose(rpc::Command command, Term only_in_term, ResultCallback done);
  void ProposeMembers(
      std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)> change,
      rpc::Command command, ResultCallback done);
  void ProposeVoters(std::set<NodeId> voters, absl::AnyInvocable<void(absl::Status)> done);
  void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done);
  void WaitApplied(LogIndex index, absl::Duration timeout,
                   absl::AnyInvocable<void(absl::Status)> done);
  void SuspectLeader(NodeId leader);
  void TransferLeadership(absl::AnyInvocable<void(absl::Status)> done);
  [[nodiscard]] RaftStatus Status() const {
    MutexLock lock(&mutex_);
    return status_;
  }

 private:
  using Work = absl::AnyInvocable<void()>;
  using ReadCallback = absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>;
  struct AppliedBatch {
    LogIndex first;
    std::vector<Term> terms;
    std::vector<rpc::CommandResult> results;
  };
  struct Waiter {
    MonotonicTime deadline;
    absl::AnyInvocable<void(absl::Status)> done;
  };

  // Queues for the host's thread. False: the inbox is full or the host stopped; `work` was dropped.
  bool Post(Work work) ABSL_LOCKS_EXCLUDED(mutex_);
  // ---- on the host's thread ----
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Step(Input input);
  void TakeOutcomes(Output& output);
  void BeginReads();
  void CarryOut();
  bool Persist(const Output& output);
  void HandleRoleChange();
  void AnswerWaiting();
  void ScheduleApply();
  void OnApplied(AppliedBatch batch);
  void MaybeCutLog();
  void PublishStatus() ABSL_LOCKS_EXCLUDED(mutex_);
  void ArmTimer();
  void Fail(const absl::Status& status);
  std::uint64_t LogTimeUs();
  // ---- on the apply thread ----
  void Apply(std::vector<consensus::Entry> entries);
  void WakeWaiters(LogIndex applied) ABSL_LOCKS_EXCLUDED(waiters_mutex_);

  const Parts parts_;
  std::unique_ptr<consensus::RaftCore> core_;

  // The host's thread only.
  Output pending_;
  consensus::HardState durable_hard_state_;
  ProposalTracker proposals_;
  std::uint64_t next_token_ = 1;
  struct OpenProposal {
    ResultCallback done;
    bool waits_for_holders = true;
  };
  std::map<std::uint64_t, OpenProposal> open_;  // by token, within one Step
  std::vector<ReadCallback> new_reads_;         // not yet in a round
  std::map<std::uint64_t, std::vector<ReadCallback>> reads_;  // by context
  std::uint64_t next_read_ = 1;
  LogIndex applied_;
  LogIndex apply_scheduled_;
  bool is_applying_ = false;
  Role last_role_ = Role::kFollower;
  Term last_term_;
  bool told_leading_ = false;
  consensus::Configuration last_configuration_;
  MonotonicTime armed_ = absl::InfiniteFuture();
  MonotonicTime leader_heard_ = absl::InfinitePast();
  bool is_failed_ = false;
  std::uint64_t log_time_us_ = 0;
  MonotonicTime log_time_set_ = absl::InfinitePast();
  absl::AnyInvocable<void(absl::Status)> transfer_done_;

  mutable Mutex mutex_;
  std::vector<Work> inbox_ ABSL_GUARDED_BY(mutex_);
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  RaftStatus status_ ABSL_GUARDED_BY(mutex_);

  Mutex waiters_mutex_;
  std::multimap<LogIndex, Waiter> waiters_ ABSL_GUARDED_BY(waiters_mutex_);
  LogIndex waiters_applied_ ABSL_GUARDED_BY(waiters_mutex_);
  bool is_sweeping_ ABSL_GUARDED_BY(waiters_mutex_) = false;
  void SweepWaiters() ABSL_LOCKS_EXCLUDED(waiters_mutex_);

  // Last: their threads use everything above.
  ThreadExecutor apply_;
  ThreadExecutor raft_;
};

absl::Status RaftHost::Impl::Load() {
  DFS_ASSIGN_OR_RETURN(consensus::InitialState initial, parts_.log_store->Load());
  initial.applied_index = std::max(initial.base_index, parts_.machine->applied_index());
  applied_ = apply_scheduled_ = parts_.machine->applied_index();
  durable_hard_state_ = initial.hard_state;
  core_ = std::make_unique<consensus::RaftCore>(parts_.options, std::move(initial),
                                                parts_.clock->Now());
  {
    MutexLock lock(&waiters_mutex_);
    waiters_applied_ = applied_;
  }
  PublishStatus();
  return absl::OkStatus();
}

void RaftHost::Impl::Start() {
  parts_.transport->SetReceiver(
      [this](consensus::Message message) {
        Post([this, message = std::move(message)]() mutable {
          if (message.from == core_->leader()) leader_heard_ = parts_.clock->Now();
          Step(consensus::Receive{std::move(message)});
        });
      },
      [this](NodeId node) { SuspectLeader(node); });
  Post([this] { Step(consensus::Tick{}); });
}

void RaftHost::Impl::Stop() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(is_stopped_, true)) return;
  }
  raft_.Stop();
  apply_.Stop();
  // No thread of this host runs any more: what waits is answered from here.
  for (auto& answer : proposals_.TakeAll(
           absl::DeadlineExceededError("this node stops; the outcome is not known to it"))) {
    answer.done(std::move(answer.result));
  }
  for (auto& [context, callbacks] : reads_) {
    for (auto& done : callbacks) done(NotLeading());
  }
  for (auto& done : new_reads_) done(NotLeading());
  if (transfer_done_) std::exchange(transfer_done_, nullptr)(absl::UnavailableError("stopped"));
  std::multimap<LogIndex, Waiter> waiters;
  std::vector<Work> inbox;
  {
    MutexLock lock(&waiters_mutex_);
    waiters.swap(waiters_);
  }
  {
    MutexLock lock(&mutex_);
    inbox.swap(inbox_);
  }
  for (auto& [index, waiter] : waiters) waiter.done(absl::UnavailableError("this node stops"));
}

bool RaftHost::Impl::Post(Work work) {
  bool is_first = false;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_ || inbox_.size() >= kInboxMax) return false;
    is_first = inbox_.empty();
    inbox_.push_back(std::move(work));
  }
  if (is_first) raft_.Post([this] { Run(); });
  return true;
}

// Everything that waits is stepped, and then carried out once: one sync for all of it (group commit).
void RaftHost::Impl::Run() {
  std::vector<Work> inbox;
  {
    MutexLock lock(&mutex_);
    inbox.swap(inbox_);
  }
  if (is_failed_) return;
  for (Work& work : inbox) work();
  if (parts_.clock->Now() >= armed_) Step(consensus::Tick{});
  BeginReads();
  CarryOut();
}

void RaftHost::Impl::Step(Input input) {
  Output output = core_->Step(parts_.clock->Now(), std::move(input));
  TakeOutcomes(output);
  armed_ = output.next_deadline;
  pending_.Merge(std::move(output));
}

void RaftHost::Impl::TakeOutcomes(Output& output) {
  for (const auto& proposed : output.proposed) {
    const auto found = open_.find(proposed.token);
    if (found == open_.end()) continue;
    proposals_.Add(proposed.index, proposed.term, found->second.waits_for_holders,
                   std::move(found->second.done));
    open_.erase(found);
  }
  for (const auto& rejected : output.rejected) {
    if (rejected.is_read) {
      const auto found = reads_.find(rejected.token);
      if (found == reads_.end()) continue;
      auto callbacks = std::move(found->second);
      reads_.erase(found);
      for (auto& done : callbacks) done(ReasonOf(rejected.reason));
      continue;
    }
    const auto found = open_.find(rejected.token);
    if (found == open_.end()) continue;
    auto done = std::move(found->second.done);
    open_.erase(found);
    done(ReasonOf(rejected.reason));
  }
  for (const auto& read : output.reads) {
    const auto found = reads_.find(read.context);
    if (found == reads_.end()) continue;
    auto callbacks = std::move(found->second);
    reads_.erase(found);
    for (auto& done : callbacks) done(read.index);
  }
  output.proposed.clear();
  output.rejected.clear();
  output.reads.clear();
}

// Reads that arrived since the last round share the next one (rule R10).
void RaftHost::Impl::BeginReads() {
  if (new_reads_.empty()) return;
  const std::uint64_t context = next_read_++;
  reads_[context] = std::move(new_reads_);
  new_reads_.clear();
  Step(consensus::ReadIndex{context});
}

void RaftHost::Impl::CarryOut() {
  // What is made durable is stepped, which may give more to send: at most a few rounds.
  while (!is_failed_ && HasDuties(pending_)) {
    Output output = std::exchange(pending_, Output{});
    for (const NodeId node : output.snapshots_wanted) {
      if (!parts_.send_snapshot) continue;
      parts_.send_snapshot(node, [this, node](LogIndex index) {
        Post([this, node, index] { Step(consensus::SnapshotSent{node, index}); });
      });
    }
    if (!output.messages.empty()) parts_.transport->Send(std::move(output.messages));
    if ((output.hard_state || !output.entries.empty()) && !Persist(output)) return;
    if (!output.messages_after_persist.empty()) {
      parts_.transport->Send(std::move(output.messages_after_persist));
    }
  }
  if (is_failed_) return;
  HandleRoleChange();
  ScheduleApply();
  AnswerWaiting();
  if (core_->configuration() != last_configuration_) {
    last_configuration_ = core_->configuration();
    if (parts_.on_configuration) parts_.on_configuration(last_configuration_);
  }
  PublishStatus();
  ArmTimer();
}

bool RaftHost::Impl::Persist(const Output& output) {
  const absl::Status stored = parts_.log_store->Append(output.hard_state, output.entries);
  if (!stored.ok()) {
    Fail(stored);
    return false;
  }
  if (output.hard_state) durable_hard_state_ = *output.hard_state;
  consensus::Persisted persisted;
  persisted.hard_state = durable_hard_state_;
  if (!output.entries.empty()) {
    persisted.last_index = output.entries.back().index;
    persisted.last_term = output.entries.back().term;
  }
  Step(persisted);
  return true;
}

void RaftHost::Impl::HandleRoleChange() {
  const Role role = core_->role();
  const Term term = core_->term();
  const bool was_leading = last_role_ == Role::kLeader;
  const bool is_leading = role == Role::kLeader;
  if (was_leading && (!is_leading || term != last_term_)) {
    for (auto& answer : proposals_.TakeAll(absl::DeadlineExceededError(
             "leadership was lost before the change was known to be committed; outcome unknown"))) {
      answer.done(std::move(answer.result));
    }
    auto reads = std::exchange(reads_, {});
    for (auto& [context, callbacks] : reads) {
      for (auto& done : callbacks) done(NotLeading());
    }
    if (std::exchange(told_leading_, false) && parts_.listener != nullptr) {
      parts_.listener->OnNotLeading();
    }
  }
  if (role != last_role_ || term != last_term_) {
    LOG(INFO) << "raft: term " << term << ", "
              << (is_leading                     ? "leader"
                  : role == Role::kFollower      ? "follower"
                  : role == Role::kPreCandidate ? "pre-candidate"
                                                 : "candidate")
              << ", leader is node " << core_->leader();
    if (is_leading) log_time_set_ = absl::InfinitePast();
  }
  last_role_ = role;
  last_term_ = term;
  if (is_leading && !told_leading_ && core_->has_committed_in_term() &&
      applied_ >= core_->first_index_of_term()) {
    told_leading_ = true;
    if (parts_.listener != nullptr) parts_.listener->OnLeading(term);
  }
  if (transfer_done_ && !is_leading) {
    std::exchange(transfer_done_, nullptr)(absl::OkStatus());
  } else if (transfer_done_ && !core_->is_transferring()) {
    std::exchange(transfer_done_, nullptr)(absl::UnavailableError("nobody took leadership over"));
  }
}

void RaftHost::Impl::AnswerWaiting() {
  for (auto& answer : proposals_.TakeAnswered(core_->held_index())) {
    answer.done(std::move(answer.result));
  }
}

void RaftHost::Impl::ScheduleApply() {
  if (is_applying_ || apply_scheduled_ >= core_->commit_index()) return;
  const LogIndex to(std::min(core_->commit_index().value(),
                             apply_scheduled_.value() + kApplyEntriesMax));
  auto entries = core_->Entries(apply_scheduled_, to);
  apply_scheduled_ = to;
  is_applying_ = true;
  apply_.Post([this, entries = std::move(entries)]() mutable { Apply(std::move(entries)); });
}

void RaftHost::Impl::Apply(std::vector<consensus::Entry> entries) {
  std::vector<metadata::MetadataMachine::Item> items;
  items.reserve(entries.size());
  AppliedBatch batch;
  batch.first = entries.front().index;
  for (const auto& entry : entries) {
    items.push_back({entry.index, entry.term,
                     entry.command ? std::string_view(*entry.command) : std::string_view()});
    batch.terms.push_back(entry.term);
  }
  batch.results = parts_.machine->ApplyAll(items);
  const LogIndex last = entries.back().index;
  WakeWaiters(last);
  if (parts_.on_applied) parts_.on_applied(last);
  // Not through the bounded inbox: this must not be lost.
  raft_.Post([this, batch = std::move(batch)]() mutable {
    OnApplied(std::move(batch));
    Run();
  });
}

void RaftHost::Impl::OnApplied(AppliedBatch batch) {
  if (is_failed_) return;
  is_applying_ = false;
  LogIndex index = batch.first;
  for (std::size_t i = 0; i < batch.results.size(); ++i, index = index.Next()) {
    proposals_.RecordApplied(index, batch.terms[i], batch.results[i]);
    applied_ = index;
  }
  MaybeCutLog();
}

void RaftHost::Impl::MaybeCutLog() {
  if (!parts_.send_snapshot) return;  // a peer that lags could not catch up
  const std::uint64_t first = core_->first_log_index().value();
  const std::uint64_t length = core_->last_log_index().value() + 1 - first;
  const std::size_t bytes = core_->log_bytes();
  if (length <= kLogEntriesKept && bytes <= kLogBytesKept) return;
  if (applied_.value() < first + kEntriesBehindApplied) return;
  std::uint64_t cut = applied_.value() - kEntriesBehindApplied;
  if (length < kLogEntriesMax && bytes < kLogBytesMax) {
    for (const auto& peer : core_->Peers()) {
      if (peer.last_heard > parts_.clock->Now() - kPeerLives) {
        cut = std::min(cut, peer.match_index.value());
      }
    }
  }
  // Little to gain: wait until it is worth a sync.
  if (cut < first + kEntriesBehindApplied) return;
  const LogIndex index(cut);
  const Term term = core_->TermAt(index);
  const consensus::Configuration configuration = core_->ConfigurationAt(index);
  if (const absl::Status synced = parts_.log_store->SyncState(); !synced.ok()) return Fail(synced);
  if (const absl::Status done = parts_.log_store->Cut(index, term, configuration); !done.ok()) {
    return Fail(done);
  }
  Step(consensus::CutLog{index});
}

void RaftHost::Impl::PublishStatus() {
  RaftStatus status;
  status.self = parts_.options.self;
  status.role = core_->role();
  status.leader = core_->leader();
  status.term = core_->term();
  status.commit_index = core_->commit_index();
  status.applied_index = applied_;
  status.last_log_index = core_->last_log_index();
  status.can_serve = told_leading_;
  status.leader_silence = status.role == Role::kLeader ? absl::ZeroDuration()
                                                       : parts_.clock->Now() - leader_heard_;
  status.configuration = last_configuration_;
  status.peers = core_->Peers();
  MutexLock lock(&mutex_);
  status_ = std::move(status);
}

void RaftHost::Impl::ArmTimer() {
  if (armed_ == absl::InfiniteFuture()) return;
  raft_.PostAt(armed_, [this, when = armed_] {
    if (when == armed_) Run();  // else a later step armed another
  });
}

void RaftHost::Impl::Fail(const absl::Status& status) {
  if (std::exchange(is_failed_, true)) return;
  LOG(ERROR) << "raft stops: " << status;
  for (auto& answer : proposals_.TakeAll(absl::DeadlineExceededError(
           "this node's disk failed; the outcome is not known to it"))) {
    answer.done(std::move(answer.result));
  }
  if (std::exchange(told_leading_, false) && parts_.listener != nullptr) {
    parts_.listener->OnNotLeading();
  }
  if (parts_.on_fatal) parts_.on_fatal(status);
}

std::uint64_t RaftHost::Impl::LogTimeUs() {
  const MonotonicTime now = parts_.clock->Now();
  auto wall = static_cast<std::uint64_t>(absl::ToUnixMicros(parts_.clock->WallNow()));
  if (log_time_set_ == absl::InfinitePast()) {
    log_time_us_ = std::max(parts_.machine->View()->log_time_us(), wall);
  } else {
    const auto most = log_time_us_ + static_cast<std::uint64_t>(absl::ToInt64Microseconds(
                                         now - log_time_set_ + kLogTimeSlack));
    wall = std::min(wall, most);
    if (wall <= log_time_us_) return log_time_us_;
    log_time_us_ = wall;
  }
  log_time_set_ = now;
  return log_time_us_;
}

void RaftHost::Impl::Propose(rpc::Command command, Term only_in_term, ResultCallback done) {
  auto shared = std::make_shared<ResultCallback>(std::move(done));
  const bool is_posted =
      Post([this, command = std::move(command), only_in_term, shared]() mutable {
        if (core_->role() != Role::kLeader ||
            (!only_in_term.is_none() && core_->term() != only_in_term)) {
          return (*shared)(NotLeading());
        }
        command.set_time_us(LogTimeUs());
        const std::uint64_t token = next_token_++;
        open_[token] = {std::move(*shared), true};
        Step(consensus::Propose{
            token, std::make_shared<const std::string>(command.SerializeAsString())});
      });
  if (!is_posted) (*shared)(absl::UnavailableError("this node is overloaded or stops; nothing happened"));
}

void RaftHost::Impl::ProposeMembers(
    std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)> change,
    rpc::Command command, ResultCallback done) {
  auto shared = std::make_shared<ResultCallback>(std::move(done));
  const bool is_posted = Post(
      [this, change = std::move(change), command = std::move(command), shared]() mutable {
        if (core_->role() != Role::kLeader) return (*shared)(NotLeading());
        auto next = change(core_->configuration());
        if (!next.ok()) return (*shared)(next.status());
        command.set_time_us(LogTimeUs());
        const std::uint64_t token = next_token_++;
        open_[token] = {std::move(*shared), false};
        Step(consensus::ProposeMembers{
            token, *std::move(next),
            std::make_shared<const std::string>(command.SerializeAsString())});
      });
  if (!is_posted) (*shared)(absl::UnavailableError("this node is overloaded or stops; nothing happened"));
}

void RaftHost::Impl::ProposeVoters(std::set<NodeId> voters,
                                   absl::AnyInvocable<void(absl::Status)> done) {
  auto shared = std::make_shared<absl::AnyInvocable<void(absl::Status)>>(std::move(done));
  const bool is_posted = Post([this, voters = std::move(voters), shared]() mutable {
    const std::uint64_t token = next_token_++;
    open_[token] = {[shared](absl::StatusOr<rpc::CommandResult> result) {
                      (*shared)(result.ok() ? absl::OkStatus() : result.status());
                    },
                    false};
    Step(consensus::ProposeVoters{token, std::move(voters)});
  });
  if (!is_posted) (*shared)(absl::UnavailableError("this node is overloaded or stops; nothing happened"));
}

void RaftHost::Impl::ReadIndex(ReadCallback done) {
  auto shared = std::make_shared<ReadCallback>(std::move(done));
  const bool is_posted = Post([this, shared] { new_reads_.push_back(std::move(*shared)); });
  if (!is_posted) (*shared)(absl::UnavailableError("this node is overloaded or stops"));
}

void RaftHost::Impl::WaitApplied(LogIndex index, absl::Duration timeout,
                                 absl::AnyInvocable<void(absl::Status)> done) {
  bool is_applied = false;
  bool start_sweep = false;
  {
    MutexLock lock(&waiters_mutex_);
    is_applied = waiters_applied_ >= index;
    if (!is_applied) {
      waiters_.emplace(index, Waiter{parts_.clock->Now() + timeout, std::move(done)});
      start_sweep = !std::exchange(is_sweeping_, true);
    }
  }
  if (is_applied) done(absl::OkStatus());
  if (start_sweep) {
    apply_.PostAt(parts_.clock->Now() + kWaitersSweep, [this] { SweepWaiters(); });
  }
}

void RaftHost::Impl::WakeWaiters(LogIndex applied) {
  std::vector<Waiter> ready;
  {
    MutexLock lock(&waiters_mutex_);
    waiters_applied_ = applied;
    while (!waiters_.empty() && waiters_.begin()->first <= applied) {
      ready.push_back(std::move(waiters_.begin()->second));
      waiters_.erase(waiters_.begin());
    }
  }
  for (auto& waiter : ready) waiter.done(absl::OkStatus());
}

void RaftHost::Impl::SweepWaiters() {
  std::vector<Waiter> late;
  bool again = false;
  {
    MutexLock lock(&waiters_mutex_);
    const MonotonicTime now = parts_.clock->Now();
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      late.push_back(std::move(it->second));
      it = waiters_.erase(it);
    }
    again = is_sweeping_ = !waiters_.empty();
  }
  for (auto& waiter : late) {
    waiter.done(absl::DeadlineExceededError("this node's state lags behind the log"));
  }
  if (again) apply_.PostAt(parts_.clock->Now() + kWaitersSweep, [this] { SweepWaiters(); });
}

void RaftHost::Impl::SuspectLeader(NodeId leader) {
  Post([this, leader] {
    if (core_->leader() == leader && leader != parts_.options.self) {
      Step(consensus::LeaderSuspected{leader, core_->term()});
    }
  });
}

void RaftHost::Impl::TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) {
  auto shared = std::make_shared<absl::AnyInvocable<void(absl::Status)>>(std::move(done));
  const bool is_posted = Post([this, shared] {
    if (core_->role() != Role::kLeader) return (*shared)(NotLeading());
    if (transfer_done_) return (*shared)(absl::UnavailableError("a transfer is under way"));
    transfer_done_ = std::move(*shared);
    Step(consensus::TransferLeadership{});
  });
  if (!is_posted) (*shared)(absl::UnavailableError("this node is overloaded or stops"));
}

// ---- the public face ----

RaftHost::~RaftHost() = default;

absl::StatusOr<std::unique_ptr<RaftHost>> RaftHost::Create(Parts parts) {
  auto host = std::unique_ptr<RaftHost>(new RaftHost);
  host->impl_ = std::make_unique<Impl>(std::move(parts));
  DFS_RETURN_IF_ERROR(host->impl_->Load());
  return host;
}

void RaftHost::Start() { impl_->Start(); }
void RaftHost::Stop() { impl_->Stop(); }
void RaftHost::Propose(rpc::Command command, Term only_in_term, ResultCallback done) {
  impl_->Propose(std::move(command), only_in_term, std::move(done));
}
void RaftHost::ProposeMembers(
    std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)> change,
    rpc::Command command, ResultCallback done) {
  impl_->ProposeMembers(std::move(change), std::move(command), std::move(done));
}
void RaftHost::ProposeVoters(std::set<NodeId> voters,
                             absl::AnyInvocable<void(absl::Status)> done) {
  impl_->ProposeVoters(std::move(voters), std::move(done));
}
void RaftHost::ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) {
  impl_->ReadIndex(std::move(done));
}
void RaftHost::WaitApplied(LogIndex index, absl::Duration timeout,
                           absl::AnyInvocable<void(absl::Status)> done) {
  impl_->WaitApplied(index, timeout, std::move(done));
}
void RaftHost::SuspectLeader(NodeId leader) { impl_->SuspectLeader(leader); }
void RaftHost::TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) {
  impl_->TransferLeadership(std::move(done));
}
RaftStatus RaftHost::Status() const { return impl_->Status(); }

}  // namespace dfs::replicated_log
