// Applies committed entries to the state machine, on a thread of its own, in log order.
#ifndef DFS_SERVER_REPLICATED_LOG_APPLIER_H_
#define DFS_SERVER_REPLICATED_LOG_APPLIER_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "server/consensus/message.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/log_store.h"

namespace dfs::replicated_log {

class Applier {
 public:
  struct Applied {
    LogIndex index;
    Term term;
    rpc::CommandResult result;
  };
  struct Parts {
    metadata::MetadataMachine* machine = nullptr;
    LogStore* log_store = nullptr;  // for IsApplyAhead
    const Clock* clock = nullptr;
    // After each batch, on the apply thread.
    std::function<void(std::vector<Applied>)> on_applied;
  };
  explicit Applier(Parts parts);
  ~Applier();  // Stop()

  // Index of the last entry that was pushed. The three calls below: from one thread.
  [[nodiscard]] LogIndex pushed_index() const { return pushed_; }
  // How many more entries may be pushed now.
  [[nodiscard]] std::size_t Room() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Contiguous from pushed_index() + 1; durable here and committed.
  void Push(std::vector<consensus::Entry> entries) ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets what was pushed and not begun, and waits for the batch under way. Then nobody touches the machine until
  // Restart, which says where it is now.
  void Pause() ABSL_LOCKS_EXCLUDED(mutex_);
  void Restart(LogIndex applied) ABSL_LOCKS_EXCLUDED(mutex_);

  void Stop();

 private:
  void Schedule() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<consensus::Entry> TakeBatchLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  LogIndex pushed_;
  mutable Mutex mutex_;
  CondVar idle_;
  std::deque<consensus::Entry> queue_ ABSL_GUARDED_BY(mutex_);
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_applying_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadExecutor executor_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_APPLIER_H_
