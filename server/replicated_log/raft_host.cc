#include "server/replicated_log/raft_host.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/replicated_log/applier.h"
#include "server/replicated_log/caller_table.h"
#include "server/replicated_log/raft_driver.h"
#include "server/replicated_log/raft_inbox.h"
#include "server/replicated_log/snapshot_duty.h"
#include "server/replicated_log/state_hash_check.h"

namespace dfs::replicated_log {
namespace {

// How late a waiting caller may learn that its time is over.
constexpr absl::Duration kSweepEvery = absl::Milliseconds(20);

absl::Status Stopping() { return absl::UnavailableError("this node is stopping: nothing happened"); }
absl::Status Overloaded() {
  return absl::ResourceExhaustedError("too many requests wait for the log: nothing happened");
}

}  // namespace

// Threads: the core's executor runs rounds; the applier's applies; transports and callers only add to the
// inbox. What crosses threads is in RaftInboxQueue, CallerTable and the driver's status.
class RaftHost::Impl {
 public:
  Impl(Parts parts, consensus::InitialState initial);
  ~Impl() { Stop(); }

  void Start(bool is_held);
  [[nodiscard]] WitnessMark MarkOf(NodeId node) const { return driver_->MarkOf(node); }
  void Stop() ABSL_LOCKS_EXCLUDED(hash_mutex_);

  void Propose(rpc::Command command, Term only_in_term, ResultCallback done);
  void ReadIndex(CallerTable::ReadCallback done);
  void WaitApplied(LogIndex index, absl::Duration timeout, AppliedWaiters::Callback done);
  // False if the host is stopping: `task` was destroyed.
  bool RunOnCore(absl::AnyInvocable<void(RaftDriver&)> task);
  [[nodiscard]] RaftStatus Status() const { return driver_->Status(); }

  [[nodiscard]] std::uint64_t NowUs() const;

 private:
  class Gate;

  void Wake(bool was_idle);
  void Round();
  void ArmTimer();
  void ArmSweep();
  void OnMessage(consensus::Message message);
  void OnApplied(std::vector<Applier::Applied> applied) ABSL_LOCKS_EXCLUDED(hash_mutex_);
  void OnCheckpoint(NodeId from, const metadata::StateHash& theirs)
      ABSL_LOCKS_EXCLUDED(hash_mutex_);

  const Parts parts_;
  CallerTable callers_;
  RaftInboxQueue inbox_;
  std::shared_ptr<Gate> gate_;
  std::atomic<bool> is_stopped_{false};
  std::atomic<bool> is_sweep_armed_{false};
  MonotonicTime armed_for_ = absl::InfiniteFuture();  // the core's thread only

  Mutex hash_mutex_;
  StateHashCheck hash_check_ ABSL_GUARDED_BY(hash_mutex_);
  LogIndex last_checkpoint_ ABSL_GUARDED_BY(hash_mutex_);

  ThreadExecutor executor_;
  Applier applier_;
  std::unique_ptr<RaftDriver> driver_;
  std::unique_ptr<SnapshotDuty> snapshots_;
};

// What transports hold: it lets nothing through once the host stops.
class RaftHost::Impl::Gate final : public SnapshotReceiver {
 public:
  explicit Gate(Impl* host) : host_(host) {}
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    host_ = nullptr;
  }
  template <class F>
  void With(F f) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (host_ != nullptr) f(*host_);
  }

  absl::StatusOr<std::unique_ptr<SnapshotSink>> Begin(
      NodeId /*from*/, const SnapshotDescription& description) override {
    absl::StatusOr<std::unique_ptr<SnapshotSink>> out = Stopping();
    With([&](Impl& host) {
      if (host.driver_->is_held()) return;
      out = host.snapshots_->Begin(host.Status().commit_index, description);
    });
    return out;
  }
  void Finish(std::unique_ptr<SnapshotSink> sink, SnapshotDescription description,
              Done done) override {
    With([&](Impl& host) {
      host.snapshots_->Finish(std::move(sink), std::move(description), std::move(done));
    });
    if (done) done(Stopping());
  }

 private:
  Mutex mutex_;
  Impl* host_ ABSL_GUARDED_BY(mutex_);
};

RaftHost::Impl::Impl(Parts parts, consensus::InitialState initial)
    : parts_(std::move(parts)),
      callers_(parts_.machine->applied_index()),
      gate_(std::make_shared<Gate>(this)),
      executor_("raft", *parts_.clock),
      applier_({parts_.machine, parts_.log_store, parts_.clock,
                [this](std::vector<Applier::Applied> applied) { OnApplied(std::move(applied)); }}) {
  RaftDriver::Parts driver;
  driver.host = parts_;
  driver.callers = &callers_;
  driver.applier = &applier_;
  driver.want_snapshot = [this](NodeId to) { snapshots_->Send(*driver_, to); };
  driver.on_fatal = [this](const absl::Status& status) {
    if (parts_.on_fatal) parts_.on_fatal(status);
  };
  driver_ = std::make_unique<RaftDriver>(std::move(driver), std::move(initial));
  // Sending goes on for a while after a stop: its end must find a closed gate, not this object.
  snapshots_ = std::make_unique<SnapshotDuty>(
      parts_.log_store, parts_.transport,
      [gate = gate_](absl::AnyInvocable<void(RaftDriver&)> task) {
        gate->With([&](Impl& host) { host.RunOnCore(std::move(task)); });
      });
}

void RaftHost::Impl::Start(bool is_held) {
  parts_.transport->SetReceiver(
      [gate = gate_](consensus::Message message) {
        gate->With([&](Impl& host) { host.OnMessage(std::move(message)); });
      },
      [gate = gate_](NodeId node) {
        gate->With([&](Impl& host) {
          host.RunOnCore([node](RaftDriver& driver) { driver.Suspect(node); });
        });
      });
  parts_.transport->SetCheckpointReceiver(
      [gate = gate_](NodeId from, const metadata::StateHash& theirs) {
        gate->With([&](Impl& host) { host.OnCheckpoint(from, theirs); });
      });
  parts_.transport->SetRestartedReceiver([gate = gate_](NodeId node) {
    gate->With([&](Impl& host) {
      host.RunOnCore([node](RaftDriver& driver) { driver.PeerRestarted(node); });
    });
  });
  parts_.transport->SetSnapshotReceiver(gate_);
  RunOnCore([is_held](RaftDriver& driver) { driver.Start(is_held); });
}

void RaftHost::Impl::Stop() {
  if (is_stopped_.exchange(true)) return;
  gate_->Close();
  executor_.Stop();
  RaftInbox left = inbox_.Close();
  left.controls.clear();
  snapshots_->Stop();
  applier_.Stop();
  if (!driver_->has_failed()) driver_->Close();
  for (auto& proposal : left.proposals) proposal.done(Stopping());
  for (auto& read : left.reads) read(Stopping());
  callers_.GiveUpAll();
}

std::uint64_t RaftHost::Impl::NowUs() const {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, absl::ToUnixMicros(parts_.clock->WallNow())));
}

void RaftHost::Impl::Wake(bool was_idle) {
  if (was_idle) executor_.Post([this] { Round(); });
}

bool RaftHost::Impl::RunOnCore(absl::AnyInvocable<void(RaftDriver&)> task) {
  Task control = [this, task = std::move(task)]() mutable { task(*driver_); };
  bool was_idle = false;
  const bool is_taken = inbox_.AddControl(control, &was_idle);
  Wake(was_idle);
  return is_taken;
}

void RaftHost::Impl::OnMessage(consensus::Message message) {
  bool was_idle = false;
  if (inbox_.AddMessage(message, &was_idle)) Wake(was_idle);
}

void RaftHost::Impl::Propose(rpc::Command command, Term only_in_term, ResultCallback done) {
  command.set_time_us(NowUs());
  QueuedProposal proposal;
  proposal.command = std::make_shared<const std::string>(command.SerializeAsString());
  proposal.only_in_term = only_in_term;
  proposal.done = std::move(done);
  bool was_idle = false;
  if (inbox_.AddProposal(proposal, &was_idle)) {
    Wake(was_idle);
    return;
  }
  proposal.done(is_stopped_ ? Stopping() : Overloaded());
}

void RaftHost::Impl::ReadIndex(CallerTable::ReadCallback done) {
  bool was_idle = false;
  if (inbox_.AddRead(done, &was_idle)) {
    Wake(was_idle);
    return;
  }
  done(is_stopped_ ? Stopping() : Overloaded());
}

void RaftHost::Impl::WaitApplied(LogIndex index, absl::Duration timeout,
                                 AppliedWaiters::Callback done) {
  if (is_stopped_) {
    done(Stopping());
    return;
  }
  callers_.WaitApplied(index, parts_.clock->Now() + timeout, std::move(done));
  if (callers_.applied() < index) ArmSweep();
}

void RaftHost::Impl::ArmSweep() {
  if (is_sweep_armed_.exchange(true)) return;
  executor_.PostAt(parts_.clock->Now() + kSweepEvery, [this] {
    is_sweep_armed_ = false;
    if (callers_.Sweep(parts_.clock->Now())) ArmSweep();
  });
}

void RaftHost::Impl::Round() {
  RaftInbox inbox = inbox_.Take();
  if (driver_->has_failed()) {
    for (auto& proposal : inbox.proposals) proposal.done(Stopping());
    for (auto& read : inbox.reads) read(Stopping());
    return;
  }
  for (auto& control : inbox.controls) control();
  for (auto& message : inbox.messages) driver_->Receive(std::move(message));
  for (auto& proposal : inbox.proposals) driver_->Propose(std::move(proposal));
  if (!inbox.reads.empty()) driver_->ReadIndex(std::move(inbox.reads));
  driver_->Finish();
  if (driver_->has_failed()) return;
  ArmTimer();
  if (driver_->Status().role != consensus::Role::kLeader) ArmSweep();
}

void RaftHost::Impl::ArmTimer() {
  const MonotonicTime deadline = driver_->deadline();
  if (deadline >= armed_for_) return;
  armed_for_ = deadline;
  executor_.PostAt(deadline, [this, deadline] {
    if (armed_for_ != deadline) return;  // an earlier one took its place
    armed_for_ = absl::InfiniteFuture();
    if (driver_->has_failed()) return;
    if (driver_->deadline() <= parts_.clock->Now()) {
      driver_->Tick();
      driver_->Finish();
    }
    if (!driver_->has_failed()) ArmTimer();
  });
}

void RaftHost::Impl::OnApplied(std::vector<Applier::Applied> applied) {
  const LogIndex last = applied.back().index;
  callers_.RecordApplied(std::move(applied));
  if (parts_.on_applied) parts_.on_applied(last);
  const metadata::StateHash own = parts_.machine->LastCheckpoint();
  absl::Status status;
  bool is_new = false;
  {
    MutexLock lock(&hash_mutex_);
    is_new = own.index > last_checkpoint_;
    if (is_new) {
      last_checkpoint_ = own.index;
      status = hash_check_.AddOwn(own);
    }
  }
  if (is_new) parts_.transport->SetCheckpoint(own);
  if (!status.ok()) {
    RunOnCore([status](RaftDriver& driver) { driver.Fail(status); });
  } else if (driver_->WantsAppliedNews()) {
    RunOnCore([](RaftDriver& /*driver*/) {});
  }
}

void RaftHost::Impl::OnCheckpoint(NodeId /*from*/, const metadata::StateHash& theirs) {
  absl::Status status;
  {
    MutexLock lock(&hash_mutex_);
    status = hash_check_.AddTheirs(theirs);
  }
  if (!status.ok()) RunOnCore([status](RaftDriver& driver) { driver.Fail(status); });
}

// ---- the door ----

absl::StatusOr<std::unique_ptr<RaftHost>> RaftHost::Create(Parts parts) {
  DFS_ASSIGN_OR_RETURN(consensus::InitialState initial, parts.log_store->Load());
  const LogIndex applied = parts.machine->applied_index();
  const LogIndex last(initial.base_index.value() + initial.entries.size());
  if (applied < initial.base_index || applied > last) {
    return absl::DataLossError(absl::StrCat("the state is at log index ", applied.value(),
                                            " but the log holds ", initial.base_index.value() + 1,
                                            " to ", last.value()));
  }
  initial.applied_index = applied;
  std::unique_ptr<RaftHost> host(new RaftHost());
  host->impl_ = std::make_unique<Impl>(std::move(parts), std::move(initial));
  return host;
}

RaftHost::~RaftHost() = default;
void RaftHost::Start() { impl_->Start(/*is_held=*/false); }
void RaftHost::StartHeld() { impl_->Start(/*is_held=*/true); }
void RaftHost::Release() {
  impl_->RunOnCore([](RaftDriver& driver) { driver.Release(); });
}
void RaftHost::Abandon(absl::Status why) {
  impl_->RunOnCore([why = std::move(why)](RaftDriver& driver) { driver.Fail(why); });
}
WitnessMark RaftHost::MarkOf(NodeId node) const { return impl_->MarkOf(node); }
void RaftHost::Stop() { impl_->Stop(); }

void RaftHost::Propose(rpc::Command command, Term only_in_term, ResultCallback done) {
  impl_->Propose(std::move(command), only_in_term, std::move(done));
}

namespace {

// Runs `task(driver, done)` on the core's thread, or answers that the node stops.
template <class Done>
absl::AnyInvocable<void(RaftDriver&)> Answered(
    Done done, absl::AnyInvocable<void(RaftDriver&, Done)> task) {
  struct Holder {
    Done done;
    explicit Holder(Done d) : done(std::move(d)) {}
    Holder(Holder&&) = default;
    Holder& operator=(Holder&&) = delete;
    ~Holder() {
      if (done) done(Stopping());
    }
  };
  return [holder = std::make_unique<Holder>(std::move(done)),
          task = std::move(task)](RaftDriver& driver) mutable {
    task(driver, std::exchange(holder->done, nullptr));
  };
}

}  // namespace

void RaftHost::ProposeMembers(
    std::function<absl::StatusOr<consensus::Configuration>(consensus::Configuration)> change,
    rpc::Command command, ResultCallback done) {
  command.set_time_us(impl_->NowUs());
  auto encoded = std::make_shared<const std::string>(command.SerializeAsString());
  impl_->RunOnCore(Answered<ResultCallback>(
      std::move(done), [change = std::move(change), encoded](RaftDriver& driver,
                                                             ResultCallback answer) {
        driver.ProposeMembers(change, encoded, std::move(answer));
      }));
}

void RaftHost::ProposeVoters(std::set<NodeId> voters,
                             absl::AnyInvocable<void(absl::Status)> done) {
  impl_->RunOnCore(Answered<absl::AnyInvocable<void(absl::Status)>>(
      std::move(done), [voters = std::move(voters)](RaftDriver& driver, auto answer) {
        driver.ProposeVoters(voters, std::move(answer));
      }));
}

void RaftHost::ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) {
  impl_->ReadIndex(std::move(done));
}

void RaftHost::WaitApplied(LogIndex index, absl::Duration timeout,
                           absl::AnyInvocable<void(absl::Status)> done) {
  impl_->WaitApplied(index, timeout, std::move(done));
}

void RaftHost::AdoptDirectory(metadata::DirectoryRows directory,
                              absl::AnyInvocable<void(absl::Status)> done) {
  impl_->RunOnCore(Answered<absl::AnyInvocable<void(absl::Status)>>(
      std::move(done), [directory = std::move(directory)](RaftDriver& driver, auto answer) {
        answer(driver.AdoptDirectory(directory));
      }));
}

void RaftHost::SuspectLeader(NodeId leader) {
  impl_->RunOnCore([leader](RaftDriver& driver) { driver.Suspect(leader); });
}

void RaftHost::TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) {
  impl_->RunOnCore(Answered<absl::AnyInvocable<void(absl::Status)>>(
      std::move(done), [](RaftDriver& driver, auto answer) {
        driver.TransferLeadership(std::move(answer));
      }));
}

RaftStatus RaftHost::Status() const { return impl_->Status(); }

}  // namespace dfs::replicated_log
