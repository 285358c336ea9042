#include "tests/simulation/consensus/sim_member.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

#include "tests/support/raft_text.h"

namespace dfs::consensus {
namespace {

constexpr absl::Duration kSnapshotTimeout = absl::Seconds(1);
// A request to another member for a read index is given up after this time.
constexpr absl::Duration kReadIndexTimeout = absl::Milliseconds(700);
// When all clocks were equal.
const MonotonicTime kEpoch = absl::UnixEpoch() + absl::Hours(1);

}  // namespace

SimMember::SimMember(SimWorld& world, SimNetwork& network, const FaultOdds& odds, SimGroup& group,
                     const Options& options, std::int64_t drift_per_mille, SimDisk disk)
    : world_(world),
      network_(network),
      odds_(odds),
      group_(group),
      options_(options),
      drift_per_mille_(drift_per_mille),
      disk_(std::move(disk)) {}

MonotonicTime SimMember::LocalNow() const {
  return kEpoch + (world_.now() - kEpoch) * (1000 + drift_per_mille_) / 1000;
}

MonotonicTime SimMember::ToWorld(MonotonicTime local) const {
  if (local == absl::InfiniteFuture()) return local;
  // Rounded up: never before the deadline.
  return kEpoch + (local - kEpoch) * 1000 / (1000 + drift_per_mille_) + absl::Microseconds(1);
}

void SimMember::Start() {
  ++boot_;
  machine_ = disk_.machine;
  options_.random_seed = world_.random().Next();
  core_ = std::make_unique<RaftCore>(options_, disk_.Load(), LocalNow());
  if (world_.keeps_trace()) world_.Trace("node " + std::to_string(id().value()) + " starts");
  StepNow(Tick{});
}

void SimMember::Crash() {
  if (!core_) return;
  if (is_writing_ && world_.random().OneIn(odds_.crash_keeps_write_per_mille, 1000)) {
    ApplyToDisk(writes_.front());
  }
  ++boot_;
  core_.reset();
  is_paused_ = false;
  deferred_.clear();
  writes_.clear();
  gathered_.reset();
  is_writing_ = false;
  is_finish_waiting_ = false;
  install_.reset();
  is_installing_ = false;
  is_cut_queued_ = false;
  armed_for_ = absl::InfiniteFuture();
  proposing_.clear();
  reading_.clear();
  snapshot_attempts_.clear();
  for (auto& [index, write] : waiting_writes_) write.done(Outcome::kUnknown);
  for (auto& [request, read] : asked_reads_) read.done(Outcome::kUnknown, 0);
  for (auto& [index, read] : waiting_reads_) read.done(Outcome::kUnknown, 0);
  waiting_writes_.clear();
  asked_reads_.clear();
  waiting_reads_.clear();
  if (world_.keeps_trace()) world_.Trace("node " + std::to_string(id().value()) + " crashes");
}

void SimMember::AfterInThisBoot(absl::Duration delay, std::function<void()> what) {
  world_.After(delay, [this, boot = boot_, what = std::move(what)] {
    if (boot == boot_) what();
  });
}

void SimMember::Run(absl::AnyInvocable<void()> what) {
  if (!core_) return;
  if (is_paused_ || is_installing_) {
    deferred_.push_back(std::move(what));
  } else {
    what();
  }
}

void SimMember::Pause(MonotonicTime until) {
  if (!core_ || is_paused_) return;
  is_paused_ = true;
  if (world_.keeps_trace()) world_.Trace("node " + std::to_string(id().value()) + " pauses");
  AfterInThisBoot(until - world_.now(), [this, boot = boot_] {
    is_paused_ = false;
    if (world_.keeps_trace()) world_.Trace("node " + std::to_string(id().value()) + " resumes");
    // Whether the timer or the mail comes first is chance.
    if (is_finish_waiting_) {
      is_finish_waiting_ = false;
      FinishWrite();
    }
    if (world_.random().OneIn(1, 2)) Run([this] { TimerFired(); });
    std::deque<absl::AnyInvocable<void()>> waiting = std::move(deferred_);
    deferred_.clear();
    for (auto& what : waiting) {
      if (boot != boot_ || world_.has_failed()) return;
      Run(std::move(what));
    }
    if (boot == boot_) Run([this] { TimerFired(); });
  });
}

void SimMember::Step(Input input) {
  Run([this, input = std::move(input)]() mutable { StepNow(std::move(input)); });
}

void SimMember::StepNow(Input input) {
  if (world_.has_failed()) return;
  if (const auto* receive = std::get_if<Receive>(&input); receive && world_.keeps_trace()) {
    world_.Trace("receives " + TextOf(receive->message));
  }
  world_.Mix(std::uint64_t{id().value()} * 31 + input.index());
  Output output = core_->Step(LocalNow(), std::move(input));
  group_.CheckAfterStep(*this);
  CarryOutOrGather(std::move(output));
}

void SimMember::CarryOutOrGather(Output output) {
  if (gathered_) {
    gathered_->Merge(std::move(output));
    return;
  }
  if (odds_.gather_for == absl::ZeroDuration()) {
    CarryOut(std::move(output));
    return;
  }
  gathered_ = std::move(output);
  AfterInThisBoot(world_.Uniform(absl::ZeroDuration(), odds_.gather_for), [this] {
    Run([this] {
      Output all = std::move(*gathered_);
      gathered_.reset();
      CarryOut(std::move(all));
    });
  });
}

void SimMember::RecordOutput(const Output& output) {
  world_.Mix(output.messages.size() * 1009 + output.messages_after_persist.size() * 17 +
             output.entries.size());
  world_.Mix(core_->term().value() * 7 + core_->commit_index().value());
  world_.Mix(static_cast<std::uint64_t>(core_->role()) * 5 + core_->last_log_index().value());
  if (!world_.keeps_trace()) return;
  if (output.hard_state || !output.entries.empty() || !output.proposed.empty()) {
    std::ostringstream text;
    text << "node " << id() << " role " << static_cast<int>(core_->role()) << " writes";
    if (output.hard_state) {
      text << " term " << output.hard_state->term << " vote " << output.hard_state->voted_for;
    }
    if (!output.entries.empty()) {
      text << " entries " << output.entries.front().index << "/" << output.entries.front().term
           << ".." << output.entries.back().index << "/" << output.entries.back().term;
    }
    world_.Trace(text.str());
  }
}

void SimMember::CarryOut(Output output) {
  if (world_.has_failed()) return;
  RecordOutput(output);
  SendAll(output.messages);
  for (const Proposed& p : output.proposed) {
    const auto proposing = proposing_.find(p.token);
    if (proposing == proposing_.end()) continue;  // of the operator
    waiting_writes_[p.index] = WaitingWrite{p.term, std::move(proposing->second), false};
    proposing_.erase(proposing);
  }
  for (const Rejected& r : output.rejected) {
    if (!r.is_read) {
      const auto proposing = proposing_.find(r.token);
      if (proposing == proposing_.end()) continue;
      proposing->second(Outcome::kNothingDone);
      proposing_.erase(proposing);
      continue;
    }
    const auto reading = reading_.find(r.token);
    if (reading == reading_.end()) continue;
    const auto [from, request] = reading->second;
    reading_.erase(reading);
    SendTo(from,
           [request = request](SimMember& m) { m.ReceiveReadIndexAnswer(request, std::nullopt); });
  }
  for (const ReadReady& r : output.reads) {
    const auto reading = reading_.find(r.context);
    if (reading == reading_.end()) {
      world_.Fail("a read was answered twice, or one that nobody asked");
      return;
    }
    const auto [from, request] = reading->second;
    reading_.erase(reading);
    SendTo(from, [request = request, index = r.index](SimMember& m) {
      m.ReceiveReadIndexAnswer(request, index);
    });
  }
  for (const NodeId to : output.snapshots_wanted) SendSnapshot(to);
  const MonotonicTime deadline = output.next_deadline;
  Enqueue(std::move(output));
  ApplyCommitted();
  AnswerWaiting();
  MaybeCut();
  ArmTimer(deadline);
  StartNextWrite();
}

void SimMember::SendAll(std::vector<Message>& messages) {
  for (Message& m : messages) {
    CheckPromise(m);
    const NodeId to = m.to;
    SendTo(to, [m = std::move(m)](SimMember& member) { member.Step(Receive{m}); });
  }
  messages.clear();
}

void SimMember::CheckPromise(const Message& m) {
  const HardState& stored = disk_.hard_state;
  bool is_kept = true;
  if (const auto* reply = std::get_if<AppendReply>(&m.body); reply && reply->is_success) {
    // Of an older term: what it says was true when that term's writes ended, and may be
    // truncated by now.
    is_kept = stored.term >= m.term &&
              (m.term != core_->term() || reply->index.value() < core_->first_log_index().value() ||
               disk_.Holds(reply->index, core_->TermAt(reply->index)));
  } else if (const auto* vote = std::get_if<VoteReply>(&m.body); vote && vote->is_granted) {
    is_kept = stored.term > m.term || stored == HardState{m.term, m.to};
  } else if (std::holds_alternative<VoteRequest>(m.body)) {
    is_kept = stored.term > m.term || stored == HardState{m.term, id()};
  }
  if (!is_kept) world_.Fail("a promise leaves before it is durable: " + TextOf(m));
}

void SimMember::SendTo(NodeId to, std::function<void(SimMember&)> what) {
  if (to == id()) {
    AfterInThisBoot(absl::ZeroDuration(),
                    [this, what = std::move(what)] { Run([this, what] { what(*this); }); });
    return;
  }
  network_.Send(id(), to, [this, to, what = std::move(what)] {
    if (SimMember* member = group_.Find(to)) member->Run([member, what] { what(*member); });
  });
}

// ---- disk ----

void SimMember::Enqueue(Output output) {
  const bool has_write = output.hard_state || !output.entries.empty();
  if (!has_write && output.messages_after_persist.empty()) return;
  if (!has_write && writes_.empty()) {
    SendAll(output.messages_after_persist);
    return;
  }
  const bool is_last_under_way = is_writing_ && writes_.size() == 1;
  if (odds_.merges_writes && !writes_.empty() && !is_last_under_way &&
      writes_.back().kind == WriteItem::Kind::kBatch) {
    writes_.back().batch.Merge(std::move(output));
  } else {
    writes_.push_back(WriteItem{WriteItem::Kind::kBatch, std::move(output), {}});
  }
  StartNextWrite();
}

void SimMember::StartNextWrite() {
  if (is_writing_) return;
  if (writes_.empty() && install_ && !is_paused_ && !gathered_) {
    // Nothing else is under way, and nothing is stepped until it is done.
    writes_.push_back(WriteItem{WriteItem::Kind::kInstall, {}, install_->snapshot});
    is_installing_ = true;
  }
  if (writes_.empty()) return;
  is_writing_ = true;
  absl::Duration takes = world_.Uniform(odds_.sync_min, odds_.sync_max);
  if (world_.random().OneIn(odds_.stall_per_mille, 1000)) {
    ++world_.counts["disk stalls"];
    takes = world_.Uniform(absl::ZeroDuration(), odds_.stall_max);
  }
  if (world_.random().OneIn(odds_.crash_in_write_per_mille, 1000)) {
    AfterInThisBoot(takes * 0.9, [this] { group_.CrashInWrite(*this); });
  }
  AfterInThisBoot(takes, [this] {
    // The kernel writes whether or not the process runs; the process hears of it when it does.
    if (is_paused_) {
      is_finish_waiting_ = true;
    } else {
      FinishWrite();
    }
  });
}

void SimMember::FinishWrite() {
  WriteItem item = std::move(writes_.front());
  writes_.pop_front();
  is_writing_ = false;
  ApplyToDisk(item);
  switch (item.kind) {
    case WriteItem::Kind::kBatch: {
      SendAll(item.batch.messages_after_persist);
      Persisted persisted;
      persisted.hard_state = disk_.hard_state;
      if (!item.batch.entries.empty()) {
        persisted.last_index = item.batch.entries.back().index;
        persisted.last_term = item.batch.entries.back().term;
      }
      StepNow(persisted);
      break;
    }
    case WriteItem::Kind::kCut:
      is_cut_queued_ = false;
      StepNow(CutLog{item.snapshot.index});
      break;
    case WriteItem::Kind::kMachine:
      is_cut_queued_ = false;
      break;
    case WriteItem::Kind::kInstall: {
      const Install done = std::move(*install_);
      install_.reset();
      is_installing_ = false;
      if (done.snapshot.index > core_->commit_index()) {
        machine_ = done.snapshot.machine;
        StepNow(SnapshotInstalled{done.snapshot.index, done.snapshot.term,
                                  done.snapshot.configuration});
      }
      const LogIndex index = done.snapshot.index;
      SendTo(done.from, [self = id(), attempt = done.attempt, index](SimMember& m) {
        const auto waiting = m.snapshot_attempts_.find(self);
        if (waiting == m.snapshot_attempts_.end() || waiting->second != attempt) return;
        m.snapshot_attempts_.erase(waiting);
        m.StepNow(SnapshotSent{self, index});
      });
      std::deque<absl::AnyInvocable<void()>> waiting = std::move(deferred_);
      deferred_.clear();
      for (auto& what : waiting) Run(std::move(what));
      break;
    }
  }
  StartNextWrite();
}

void SimMember::ApplyToDisk(const WriteItem& item) {
  switch (item.kind) {
    case WriteItem::Kind::kBatch:
      if (const std::string wrong = disk_.Write(item.batch); !wrong.empty()) world_.Fail(wrong);
      break;
    case WriteItem::Kind::kMachine:
      disk_.machine = item.snapshot.machine;
      break;
    case WriteItem::Kind::kCut:
      disk_.Cut(item.snapshot);
      break;
    case WriteItem::Kind::kInstall:
      if (item.snapshot.index > core_->commit_index()) disk_.Install(item.snapshot);
      break;
  }
}

// ---- machine ----

void SimMember::ApplyCommitted() {
  const LogIndex commit = core_->commit_index();
  while (machine_.applied < commit) {
    const LogIndex next = machine_.applied.Next();
    const std::vector<Entry> entries = core_->Entries(machine_.applied, next);
    ApplyEntry(entries.front());
  }
}

void SimMember::ApplyEntry(const Entry& entry) {
  machine_.Apply(entry);
  group_.CheckApplied(*this);
  const auto write = waiting_writes_.find(entry.index);
  if (write == waiting_writes_.end()) return;
  if (write->second.term == entry.term) {
    write->second.is_applied = true;
    return;
  }
  // Another leader's entry took its slot.
  write->second.done(Outcome::kNothingDone);
  waiting_writes_.erase(write);
}

void SimMember::AnswerWaiting() {
  if (!is_leader()) {
    for (auto& [index, write] : waiting_writes_) write.done(Outcome::kUnknown);
    waiting_writes_.clear();
  }
  const LogIndex held = core_->held_index();
  while (!waiting_writes_.empty() && waiting_writes_.begin()->first <= held) {
    const auto write = waiting_writes_.begin();
    if (!write->second.is_applied) break;
    group_.CheckAcknowledged(*this, write->first, write->second.term);
    write->second.done(Outcome::kDone);
    waiting_writes_.erase(write);
  }
  while (!waiting_reads_.empty() && waiting_reads_.begin()->first <= machine_.applied) {
    const auto read = waiting_reads_.begin();
    const auto value = machine_.values.find(read->second.key);
    read->second.done(Outcome::kDone, value == machine_.values.end() ? 0 : value->second);
    waiting_reads_.erase(read);
  }
}

void SimMember::MaybeCut() {
  if (is_cut_queued_) return;
  if (machine_.applied.value() < disk_.base.index.value() + odds_.cut_every) return;
  is_cut_queued_ = true;
  SimSnapshot snapshot{machine_.applied, core_->TermAt(machine_.applied),
                       core_->ConfigurationAt(machine_.applied), machine_};
  const bool is_machine_only = world_.random().OneIn(1, 4);
  ++world_.counts[is_machine_only ? "machine syncs" : "log cuts"];
  writes_.push_back(WriteItem{is_machine_only ? WriteItem::Kind::kMachine : WriteItem::Kind::kCut,
                              {},
                              std::move(snapshot)});
  StartNextWrite();
}

// ---- timer ----

void SimMember::ArmTimer(MonotonicTime local_deadline) {
  deadline_ = local_deadline;
  const MonotonicTime when = ToWorld(local_deadline);
  if (when >= armed_for_) return;  // the one that is armed looks at deadline_ when it fires
  armed_for_ = when;
  world_.At(when, [this, boot = boot_, when] {
    if (boot != boot_ || armed_for_ != when) return;
    armed_for_ = absl::InfiniteFuture();
    Run([this] { TimerFired(); });
  });
}

void SimMember::TimerFired() {
  if (world_.has_failed()) return;
  if (LocalNow() < deadline_) {
    ArmTimer(deadline_);
  } else {
    StepNow(Tick{});
  }
}

// ---- snapshots ----

void SimMember::SendSnapshot(NodeId to) {
  ++world_.counts["snapshots sent"];
  if (snapshot_attempts_.contains(to)) {
    world_.Fail("a second snapshot is wanted while one is under way");
    return;
  }
  const std::uint64_t attempt = ++last_token_;
  snapshot_attempts_[to] = attempt;
  SendTo(to, [install = Install{disk_.base, id(), attempt}](SimMember& m) {
    m.ReceiveSnapshot(install);
  });
  AfterInThisBoot(kSnapshotTimeout, [this, to, attempt] {
    Run([this, to, attempt] {
      const auto waiting = snapshot_attempts_.find(to);
      if (waiting == snapshot_attempts_.end() || waiting->second != attempt) return;
      snapshot_attempts_.erase(waiting);
      StepNow(SnapshotSent{to, LogIndex()});
    });
  });
}

void SimMember::ReceiveSnapshot(Install install) {
  if (install_) return;
  install_ = std::move(install);
  ++world_.counts["snapshots received"];
  StartNextWrite();
}

// ---- clients ----

void SimMember::Write(std::uint64_t key, std::uint64_t value, WriteDone done) {
  Run([this, key, value, done = std::move(done)]() mutable {
    const std::uint64_t token = ++last_token_;
    proposing_[token] = std::move(done);
    StepNow(Propose{token, EncodeWrite(key, value)});
  });
}

void SimMember::Read(std::uint64_t key, ReadDone done) {
  Run([this, key, done = std::move(done)]() mutable {
    const NodeId leader = core_->leader();
    if (leader.is_none()) {
      done(Outcome::kNothingDone, 0);
      return;
    }
    const std::uint64_t request = ++last_token_;
    asked_reads_[request] = WaitingRead{LogIndex(), key, std::move(done)};
    AfterInThisBoot(kReadIndexTimeout, [this, request] {
      Run([this, request] { ReceiveReadIndexAnswer(request, std::nullopt); });
    });
    if (leader == id()) {
      ReceiveReadIndexRequest(id(), request);
      return;
    }
    SendTo(leader,
           [self = id(), request](SimMember& m) { m.ReceiveReadIndexRequest(self, request); });
  });
}

void SimMember::ReceiveReadIndexRequest(NodeId from, std::uint64_t request) {
  const std::uint64_t context = ++last_token_;
  reading_[context] = {from, request};
  StepNow(ReadIndex{context});
}

void SimMember::ReceiveReadIndexAnswer(std::uint64_t request, std::optional<LogIndex> index) {
  const auto asked = asked_reads_.find(request);
  if (asked == asked_reads_.end()) return;
  WaitingRead read = std::move(asked->second);
  asked_reads_.erase(asked);
  if (!index) {
    read.done(Outcome::kNothingDone, 0);
    return;
  }
  waiting_reads_.emplace(*index, std::move(read));
  AnswerWaiting();
}

}  // namespace dfs::consensus
