// What the leader puts into the log so that nothing grows for ever: Purge of what lies in the trash long enough (rule
// R17), the rest of a clear, the expiry of sessions.
#ifndef DFS_SERVER_LEADER_LOG_UPKEEP_H_
#define DFS_SERVER_LEADER_LOG_UPKEEP_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "server/leader/term_state.h"

namespace dfs::leader {

// From the executor only. Held by shared_ptr: callbacks keep it. At most one proposal of each kind is on its way.
class LogUpkeep : public std::enable_shared_from_this<LogUpkeep> {
 public:
  explicit LogUpkeep(std::shared_ptr<TermState> state) : state_(std::move(state)) {}

  // Proposes what is due. Call regularly.
  void Tick();

 private:
  struct Sample {
    std::uint64_t log_time_us = 0;
    LogIndex applied;
  };

  // Log time now, or earlier. Entries carry it; between them this term's own monotonic clock goes on.
  [[nodiscard]] std::uint64_t LogTimeUs(const metadata::MetadataView& view);
  // How long what is removed stays in the trash: less while a disk is nearly full.
  [[nodiscard]] absl::Duration TrashTime() const;
  [[nodiscard]] bool IsPinned(const TxnId& txn);
  void MaybePurge(const metadata::MetadataView& view, std::uint64_t log_time_us);
  void MaybeClear(const metadata::MetadataView& view);
  void MaybeExpireSessions(const metadata::MetadataView& view, std::uint64_t log_time_us);
  void ProposeExpiry(LogIndex unused_since);

  const std::shared_ptr<TermState> state_;
  std::uint64_t base_log_time_us_ = 0;
  MonotonicTime base_time_ = absl::InfinitePast();
  bool is_purging_ = false;
  bool is_clearing_ = false;
  std::deque<Sample> samples_;  // oldest first; one each session_sample_every
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LOG_UPKEEP_H_
