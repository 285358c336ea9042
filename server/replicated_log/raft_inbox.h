// What the core's thread has to take in, gathered from all threads; bounded.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_INBOX_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_INBOX_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "server/consensus/message.h"
#include "server/replicated_log/caller_table.h"
#include "server/replicated_log/proposal_tracker.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {

struct QueuedProposal {
  std::shared_ptr<const std::string> command;
  Term only_in_term;  // none: any
  ProposalTracker::Callback done;
};

struct RaftInbox {
  std::vector<Task> controls;  // run on the core's thread, first
  std::vector<consensus::Message> messages;
  std::vector<QueuedProposal> proposals;
  std::vector<CallerTable::ReadCallback> reads;
};

// Thread-safe. Whoever is told `was_idle` must make a round run.
class RaftInboxQueue {
 public:
  // Messages beyond these are dropped: Raft sends them again.
  static constexpr std::size_t kMessagesMax = 8'192;
  static constexpr std::size_t kMessageBytesMax = std::size_t{64} << 20;
  static constexpr std::size_t kProposalsMax = 65'536;
  static constexpr std::size_t kProposalBytesMax = std::size_t{64} << 20;
  static constexpr std::size_t kReadsMax = 65'536;

  // Each returns whether it was taken; what is not taken stays with the caller. `was_idle` is set if the
  // queue was not scheduled and is now.
  bool AddControl(Task& task, bool* was_idle) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (is_closed_) return false;
    inbox_.controls.push_back(std::move(task));
    return ScheduledLocked(was_idle);
  }
  bool AddMessage(consensus::Message& message, bool* was_idle) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::size_t bytes = WireBytes(message);
    MutexLock lock(&mutex_);
    if (is_closed_ || inbox_.messages.size() >= kMessagesMax ||
        message_bytes_ + bytes > kMessageBytesMax) {
      return false;
    }
    message_bytes_ += bytes;
    inbox_.messages.push_back(std::move(message));
    return ScheduledLocked(was_idle);
  }
  bool AddProposal(QueuedProposal& proposal, bool* was_idle) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::size_t bytes = proposal.command->size();
    MutexLock lock(&mutex_);
    if (is_closed_ || inbox_.proposals.size() >= kProposalsMax ||
        proposal_bytes_ + bytes > kProposalBytesMax) {
      return false;
    }
    proposal_bytes_ += bytes;
    inbox_.proposals.push_back(std::move(proposal));
    return ScheduledLocked(was_idle);
  }
  bool AddRead(CallerTable::ReadCallback& read, bool* was_idle) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (is_closed_ || inbox_.reads.size() >= kReadsMax) return false;
    inbox_.reads.push_back(std::move(read));
    return ScheduledLocked(was_idle);
  }
  [[nodiscard]] RaftInbox Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    is_scheduled_ = false;
    message_bytes_ = 0;
    proposal_bytes_ = 0;
    return std::exchange(inbox_, RaftInbox());
  }
  // Nothing is taken any more. Returns what was left.
  [[nodiscard]] RaftInbox Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    is_closed_ = true;
    return std::exchange(inbox_, RaftInbox());
  }

 private:
  bool ScheduledLocked(bool* was_idle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    *was_idle = !std::exchange(is_scheduled_, true);
    return true;
  }

  Mutex mutex_;
  RaftInbox inbox_ ABSL_GUARDED_BY(mutex_);
  std::size_t message_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t proposal_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_INBOX_H_
