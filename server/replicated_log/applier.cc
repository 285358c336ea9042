#include "server/replicated_log/applier.h"

#include <glog/logging.h>

#include <algorithm>
#include <string_view>

namespace dfs::replicated_log {
namespace {

constexpr std::size_t kQueuedEntriesMax = 16'384;
// One write batch of the state machine.
constexpr std::size_t kBatchEntriesMax = 256;
constexpr std::size_t kBatchBytesMax = std::size_t{1} << 20;
// While the disk catches up with the rows (rule: entries never wait behind apply).
constexpr absl::Duration kPause = absl::Milliseconds(5);

}  // namespace

Applier::Applier(Parts parts)
    : parts_(std::move(parts)),
      pushed_(parts_.machine->applied_index()),
      executor_("apply", *parts_.clock) {}

Applier::~Applier() { Stop(); }

void Applier::Stop() {
  executor_.Stop();
  MutexLock lock(&mutex_);
  queue_.clear();
}

std::size_t Applier::Room() const {
  MutexLock lock(&mutex_);
  return queue_.size() >= kQueuedEntriesMax ? 0 : kQueuedEntriesMax - queue_.size();
}

void Applier::Push(std::vector<consensus::Entry> entries) {
  if (entries.empty()) return;
  CHECK_EQ(entries.front().index, pushed_.Next());
  pushed_ = entries.back().index;
  MutexLock lock(&mutex_);
  for (auto& entry : entries) queue_.push_back(std::move(entry));
  Schedule();
}

void Applier::Schedule() {
  if (is_scheduled_) return;
  is_scheduled_ = true;
  executor_.Post([this] { Run(); });
}

void Applier::Pause() {
  MutexLock lock(&mutex_);
  queue_.clear();
  while (is_applying_) idle_.Wait(&mutex_);
}

void Applier::Restart(LogIndex applied) { pushed_ = applied; }

std::vector<consensus::Entry> Applier::TakeBatchLocked() {
  std::vector<consensus::Entry> batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < kBatchEntriesMax && bytes < kBatchBytesMax) {
    bytes += queue_.front().bytes();
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  is_applying_ = !batch.empty();
  is_scheduled_ = false;
  return batch;
}

void Applier::Run() {
  if (parts_.log_store->IsApplyAhead()) {
    executor_.PostAt(parts_.clock->Now() + kPause, [this] { Run(); });
    return;
  }
  std::vector<consensus::Entry> batch;
  {
    MutexLock lock(&mutex_);
    batch = TakeBatchLocked();
  }
  if (batch.empty()) return;
  std::vector<metadata::MetadataMachine::Item> items;
  items.reserve(batch.size());
  for (const auto& entry : batch) {
    items.push_back({entry.index, entry.term,
                     entry.command ? std::string_view(*entry.command) : std::string_view()});
  }
  auto results = parts_.machine->ApplyAll(items);
  std::vector<Applied> applied;
  applied.reserve(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    applied.push_back({batch[i].index, batch[i].term, std::move(results[i])});
  }
  parts_.on_applied(std::move(applied));
  MutexLock lock(&mutex_);
  is_applying_ = false;
  idle_.SignalAll();
  if (!queue_.empty()) Schedule();
}

}  // namespace dfs::replicated_log
