// What this member has seen the others show to be durable (rule R3): taken from their messages,
// told from memory, kept on disk with the log's batches.
#ifndef DFS_SERVER_REPLICATED_LOG_WITNESS_H_
#define DFS_SERVER_REPLICATED_LOG_WITNESS_H_

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/sync.h"
#include "server/consensus/message.h"
#include "server/consensus/raft_core.h"
#include "server/replicated_log/log_store.h"
#include "server/replicated_log/witness_marks.h"

namespace dfs::replicated_log {

// On the core's thread, but for MarkOf.
class Witness {
 public:
  // The copy on disk is at most this old, and a little for the round that writes it.
  static constexpr absl::Duration kAgeMax = absl::Milliseconds(900);
  // So often at most it is handed to the store, to be written with the next batch.
  static constexpr absl::Duration kKeepEvery = absl::Milliseconds(400);

  explicit Witness(LogStore* store) : store_(store), marks_(store->LoadMarks()) {}

  // `core` is as it was before it took the message in.
  void Record(const consensus::Message& message, const consensus::RaftCore& core)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Before a round's batch is written: lets it carry the marks if that is due.
  void Keep(MonotonicTime now) ABSL_LOCKS_EXCLUDED(mutex_);
  // After it, or when the round had none: then marks that have waited too long are written by
  // themselves. kDataLoss: the disk failed.
  [[nodiscard]] absl::Status Written(MonotonicTime now, bool was_batch_written);
  // When Written has something to do at the latest.
  [[nodiscard]] MonotonicTime deadline() const;

  // Thread-safe.
  [[nodiscard]] WitnessMark MarkOf(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void HandOver(MonotonicTime now) ABSL_LOCKS_EXCLUDED(mutex_);

  LogStore* const store_;
  bool is_changed_ = false;  // since the last hand-over to the store
  MonotonicTime handed_at_ = absl::InfinitePast();
  MonotonicTime dirty_since_ = absl::InfiniteFuture();  // the oldest change that is not on disk
  mutable Mutex mutex_;
  WitnessMarks marks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_WITNESS_H_
