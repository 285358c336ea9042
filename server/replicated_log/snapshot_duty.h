// Sends snapshots to peers that lie behind the log, and takes in those that arrive (rule R9). The slow parts
// (writing files, taking them into a new generation, reading them again) run on a thread of its own.
#ifndef DFS_SERVER_REPLICATED_LOG_SNAPSHOT_DUTY_H_
#define DFS_SERVER_REPLICATED_LOG_SNAPSHOT_DUTY_H_

#include <functional>
#include <memory>

#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "server/replicated_log/log_store.h"
#include "server/replicated_log/raft_driver.h"
#include "server/replicated_log/raft_transport.h"

namespace dfs::replicated_log {

class SnapshotDuty {
 public:
  // Runs a task on the core's thread, before the next round ends; destroys it without running it once the host
  // stops. Thread-safe.
  using RunOnCore = std::function<void(absl::AnyInvocable<void(RaftDriver&)>)>;

  SnapshotDuty(LogStore* log_store, RaftTransport* transport, RunOnCore run_on_core);
  ~SnapshotDuty();  // Stop()

  // On the core's thread.
  void Send(RaftDriver& driver, NodeId to);
  // Thread-safe; see SnapshotReceiver.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<SnapshotSink>> Begin(
      LogIndex commit_index, const SnapshotDescription& description);
  void Finish(std::unique_ptr<SnapshotSink> sink, SnapshotDescription description,
              SnapshotReceiver::Done done);

  // After RunOnCore has stopped running tasks.
  void Stop();

 private:
  void Install(std::unique_ptr<SnapshotSink> sink, const SnapshotDescription& description,
               SnapshotReceiver::Done done);

  LogStore* const log_store_;
  RaftTransport* const transport_;
  const RunOnCore run_on_core_;
  ThreadPool pool_;  // one thread: one preparation at a time
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_SNAPSHOT_DUTY_H_
