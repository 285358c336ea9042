#include "server/leader/log_upkeep.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>

#include "common/mutant.h"
#include "server/placement/placement_policy.h"

namespace dfs::leader {
namespace {

// Bounds one Purge: versions, and the chunks that it names (each has a purge row for each node).
constexpr int kPurgeVersionsMax = 100;
constexpr int kPurgeChunksMax = 1'000;
constexpr int kPinnedMax = 10'000;  // that one look passes over
constexpr std::uint32_t kClearRows = 240;
constexpr std::size_t kSamplesMax = 1'000;

}  // namespace

std::uint64_t LogUpkeep::LogTimeUs(const metadata::MetadataView& view) {
  const MonotonicTime now = state_->Now();
  const auto since_base = [&] {
    return static_cast<std::uint64_t>(absl::ToInt64Microseconds(now - base_time_));
  };
  // Log time stands still while nothing is proposed, also through a night without a leader, and then jumps.
  if (base_time_ == absl::InfinitePast() || view.log_time_us() > base_log_time_us_ + since_base()) {
    base_time_ = now;
    base_log_time_us_ = view.log_time_us();
  }
  return base_log_time_us_ + since_base();
}

void LogUpkeep::Tick() {
  const auto view = state_->world.view();
  const std::uint64_t log_time_us = LogTimeUs(*view);
  MaybePurge(*view, log_time_us);
  MaybeClear(*view);
  MaybeExpireSessions(*view, log_time_us);
}

absl::Duration LogUpkeep::TrashTime() const {
  const LeaderOptions& options = state_->options;
  const auto nodes = state_->world.liveness();
  const bool is_short = std::any_of(nodes.begin(), nodes.end(), [](const NodeLiveness& node) {
    return node.is_usable && node.total_bytes > 0 &&
           placement::FullnessOf(node.free_bytes, node.total_bytes) != placement::Fullness::kRoomy;
  });
  return is_short ? std::min(options.trash_time, options.trash_time_min) : options.trash_time;
}

bool LogUpkeep::IsPinned(const TxnId& txn) {
  if (DFS_MUTANT(821, "what is being read is purged (rule R17)")) return false;
  MutexLock lock(&state_->mutex);
  return state_->pins.IsPinned(txn, state_->Now());
}

void LogUpkeep::MaybePurge(const metadata::MetadataView& view, std::uint64_t log_time_us) {
  if (is_purging_ || state_->Now() - state_->began < state_->options.purge_quiet) return;
  const auto trash_us = static_cast<std::uint64_t>(absl::ToInt64Microseconds(TrashTime()));
  rpc::Command command;
  rpc::Purge& purge = *command.mutable_purge();
  int chunks = 0;
  int pinned = 0;
  view.ListTrashed([&](const rpc::VersionRow& version) {
    if (version.trashed_time_us() + trash_us > log_time_us) return false;  // oldest first
    if (IsPinned(FromWire(version.txn()))) return ++pinned < kPinnedMax;
    rpc::PurgeVersion& item = *purge.add_versions();
    *item.mutable_txn() = version.txn();
    item.set_trashed_index(version.trashed_index());
    chunks += version.chunks_size();
    return purge.versions_size() < kPurgeVersionsMax && chunks < kPurgeChunksMax;
  });
  if (purge.versions_size() == 0) return;
  std::set<TxnId> txns;
  for (const auto& version : purge.versions()) txns.insert(FromWire(version.txn()));
  is_purging_ = true;
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(), txns](absl::StatusOr<rpc::CommandResult> result) {
        if (result.ok()) {
          LOG(INFO) << "purged " << result->count() << " versions";
          MutexLock lock(&self->state_->mutex);
          for (const TxnId& txn : txns) self->state_->orders.EndTransaction(txn);
        }
        self->state_->world.executor->Post([self, again = result.ok() && result->count() > 0] {
          self->is_purging_ = false;
          if (again && !self->state_->HasEnded()) self->Tick();
        });
      });
}

void LogUpkeep::MaybeClear(const metadata::MetadataView& view) {
  if (is_clearing_ || !view.HasPendingClear()) return;
  is_clearing_ = true;
  rpc::Command command;
  command.mutable_clear_step()->set_rows(kClearRows);
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this()](absl::StatusOr<rpc::CommandResult> result) {
        self->state_->world.executor->Post([self, again = result.ok()] {
          self->is_clearing_ = false;
          if (again && !self->state_->HasEnded()) self->MaybeClear(*self->state_->world.view());
        });
      });
}

// A session row knows the index of its last use, not the time: samples of (time, index) tell which index is old enough.
// They begin with the term, so a new leader expires nothing for its first day.
void LogUpkeep::MaybeExpireSessions(const metadata::MetadataView& view, std::uint64_t log_time_us) {
  const auto every_us =
      static_cast<std::uint64_t>(absl::ToInt64Microseconds(state_->options.session_sample_every));
  if (!samples_.empty() && log_time_us < samples_.back().log_time_us + every_us) return;
  if (samples_.size() < kSamplesMax) samples_.push_back({log_time_us, view.applied_index()});
  const auto unused_us =
      static_cast<std::uint64_t>(absl::ToInt64Microseconds(state_->options.session_unused));
  LogIndex due;
  while (!samples_.empty() && samples_.front().log_time_us + unused_us <= log_time_us) {
    due = samples_.front().applied;
    samples_.pop_front();
  }
  if (due.is_none()) return;
  ProposeExpiry(due);
}

// One entry drops a bounded number: again until it drops none.
void LogUpkeep::ProposeExpiry(LogIndex unused_since) {
  rpc::Command command;
  // Whoever was last used before was born before.
  command.mutable_expire_sessions()->set_frontier(unused_since.value());
  command.mutable_expire_sessions()->set_unused_since(unused_since.value());
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(), unused_since](absl::StatusOr<rpc::CommandResult> result) {
        if (!result.ok()) LOG(INFO) << "sessions not expired: " << result.status();
        if (!result.ok() || result->count() == 0) return;
        self->state_->world.executor->Post([self, unused_since] {
          if (!self->state_->HasEnded()) self->ProposeExpiry(unused_since);
        });
      });
}

}  // namespace dfs::leader
