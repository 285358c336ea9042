#include "server/replicated_log/snapshot_duty.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/metadata/directory_rows.h"

namespace dfs::replicated_log {
namespace {

// Tells the core that a sending ended, whatever becomes of whoever holds this.
class SendingEnd {
 public:
  SendingEnd(SnapshotDuty::RunOnCore run_on_core, NodeId to)
      : run_on_core_(std::move(run_on_core)), to_(to) {}
  ~SendingEnd() {
    run_on_core_([to = to_, index = index_](RaftDriver& driver) { driver.SnapshotSent(to, index); });
  }
  SendingEnd(const SendingEnd&) = delete;
  SendingEnd& operator=(const SendingEnd&) = delete;
  void Succeed(LogIndex index) { index_ = index; }

 private:
  const SnapshotDuty::RunOnCore run_on_core_;
  const NodeId to_;
  LogIndex index_;
};

// Set when it goes, run or not.
struct SetAtEnd {
  std::shared_ptr<Event> event;
  SetAtEnd() : event(std::make_shared<Event>()) {}
  SetAtEnd(SetAtEnd&&) = default;
  SetAtEnd& operator=(SetAtEnd&&) = delete;
  ~SetAtEnd() {
    if (event) event->Set();
  }
};

}  // namespace

SnapshotDuty::SnapshotDuty(LogStore* log_store, RaftTransport* transport, RunOnCore run_on_core)
    : log_store_(log_store),
      transport_(transport),
      run_on_core_(std::move(run_on_core)),
      pool_("snapshot", 1) {}

SnapshotDuty::~SnapshotDuty() { Stop(); }

void SnapshotDuty::Stop() { pool_.Stop(); }

void SnapshotDuty::Send(RaftDriver& driver, NodeId to) {
  auto end = std::make_shared<SendingEnd>(run_on_core_, to);
  auto pinned = driver.PinState(to);
  if (!pinned) return;
  LOG(INFO) << "node " << to << " lies behind the log: sending it the state at log index "
            << pinned->description.index;
  pool_.Post([this, to, end, pinned = *std::move(pinned)]() mutable {
    if (pinned.is_of_directory) pinned.rows = metadata::DirectoryOf(std::move(pinned.rows));
    auto files = log_store_->WriteSnapshot(*pinned.rows);
    pinned.rows.reset();
    if (!files.ok()) {
      LOG(ERROR) << "writing a snapshot for node " << to << ": " << files.status();
      return;
    }
    OutgoingSnapshot outgoing;
    outgoing.description = std::move(pinned.description);
    outgoing.description.content = (*files)->content();
    outgoing.leader_term = pinned.leader_term;
    outgoing.files = *std::move(files);
    transport_->SendSnapshot(
        to, std::move(outgoing), [to, end = std::move(end)](absl::StatusOr<LogIndex> index) {
          if (index.ok()) {
            end->Succeed(*index);
          } else {
            LOG(WARNING) << "snapshot for node " << to << ": " << index.status();
          }
        });
  });
}

absl::StatusOr<std::unique_ptr<SnapshotSink>> SnapshotDuty::Begin(
    LogIndex commit_index, const SnapshotDescription& description) {
  if (description.index <= commit_index) {
    return absl::AlreadyExistsError("this node is there already");
  }
  return log_store_->NewSnapshotSink();
}

void SnapshotDuty::Finish(std::unique_ptr<SnapshotSink> sink, SnapshotDescription description,
                          SnapshotReceiver::Done done) {
  pool_.Post([this, sink = std::move(sink), description = std::move(description),
              done = std::move(done)]() mutable {
    Install(std::move(sink), description, std::move(done));
  });
}

void SnapshotDuty::Install(std::unique_ptr<SnapshotSink> sink,
                           const SnapshotDescription& description, SnapshotReceiver::Done done) {
  const auto check = [&description](metadata::KeyValueStore& rows) -> absl::Status {
    const LogIndex applied = metadata::MetadataMachine(&rows).applied_index();
    if (applied == description.index) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("the snapshot is of log index ", applied.value(),
                                            " and not ", description.index.value()));
  };
  auto prepared = log_store_->PrepareState(std::move(sink), description.content, check);
  if (!prepared.ok()) {
    LOG(WARNING) << "snapshot not taken over: " << prepared.status();
    done(prepared.status());
    return;
  }
  // The next one is prepared only after this one is in force or gone.
  SetAtEnd end;
  const auto ended = end.event;
  run_on_core_([prepared = *std::move(prepared), description, done = std::move(done),
                end = std::move(end)](RaftDriver& driver) mutable {
    done(driver.Install(std::move(prepared), description));
  });
  ended->Wait();
}

}  // namespace dfs::replicated_log
