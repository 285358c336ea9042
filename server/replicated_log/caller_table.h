// Everybody who waits for the host: for a proposal, for a read index, for an index to be applied.
//
// Thread-safe. Callbacks run on the thread that brings the news, with no lock held.
#ifndef DFS_SERVER_REPLICATED_LOG_CALLER_TABLE_H_
#define DFS_SERVER_REPLICATED_LOG_CALLER_TABLE_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/sync.h"
#include "server/replicated_log/applied_waiters.h"
#include "server/replicated_log/applier.h"
#include "server/replicated_log/proposal_tracker.h"

namespace dfs::replicated_log {

class CallerTable {
 public:
  using ReadCallback = absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>;

  explicit CallerTable(LogIndex applied) : applied_(applied) {}

  [[nodiscard]] LogIndex applied() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Before the entry can be applied.
  void AddProposal(LogIndex index, Term term, bool waits_for_held, ProposalTracker::Callback done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AddReads(std::uint64_t context, std::vector<ReadCallback> reads) ABSL_LOCKS_EXCLUDED(mutex_);
  // At once if `index` is applied. kResourceExhausted: too many wait.
  void WaitApplied(LogIndex index, MonotonicTime deadline, AppliedWaiters::Callback done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void RecordApplied(std::vector<Applier::Applied> applied) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordHeld(LogIndex held) ABSL_LOCKS_EXCLUDED(mutex_);
  // A snapshot brought the state to `index`.
  void RecordInstalled(LogIndex index) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordRead(std::uint64_t context, absl::StatusOr<LogIndex> index)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void LoseLeadership(MonotonicTime deadline) ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers those whose time is over. True if somebody with a deadline may still wait.
  bool Sweep(MonotonicTime now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nobody will answer any more: proposals get an unknown outcome, the others kUnavailable.
  void GiveUpAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  LogIndex applied_ ABSL_GUARDED_BY(mutex_);
  LogIndex held_ ABSL_GUARDED_BY(mutex_);
  ProposalTracker proposals_ ABSL_GUARDED_BY(mutex_);
  AppliedWaiters waiters_ ABSL_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::vector<ReadCallback>> reads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_CALLER_TABLE_H_
