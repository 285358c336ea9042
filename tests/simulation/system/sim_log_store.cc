#include <glog/logging.h>

#include <utility>

#include "tests/simulation/system/sim_disk.h"
#include "tests/support/memory_key_value_store.h"
#include "tests/support/memory_log_store.h"

namespace dfs::simulation {

using replicated_log::PreparedState;
using replicated_log::SnapshotContent;
using replicated_log::SnapshotDescription;
using replicated_log::SnapshotFiles;
using replicated_log::SnapshotSink;

// The rows as the machine sees them; what it writes goes to the disk too, not synced.
class SimLogStore::Rows final : public metadata::KeyValueStore {
 public:
  explicit Rows(SimDisk* disk) : disk_(disk), live_(disk->state.rows()) {}

  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override {
    return live_.Get(key);
  }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    live_.Scan(first, end, visit);
  }
  void Write(const metadata::RowBatch& batch) override {
    live_.Write(batch);
    disk_->state.Write(batch.changes);
  }
  [[nodiscard]] std::unique_ptr<metadata::RowReader> Snapshot() const override {
    return live_.Snapshot();
  }
  void Replace(SimRows::Rows rows) {
    disk_->state.Replace(rows);
    live_.Replace(std::move(rows));
  }

 private:
  SimDisk* const disk_;
  metadata::MemoryKeyValueStore live_;
};

SimLogStore::SimLogStore(SimDisk* disk) : disk_(disk), rows_(std::make_unique<Rows>(disk)) {
  disk_->identity.boot_epoch = BootEpoch(disk_->identity.boot_epoch.value() + 1);
}
SimLogStore::~SimLogStore() = default;

absl::Status SimLogStore::SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) {
  if (auto status = Sync(); !status.ok()) return status;
  disk_->identity.cluster_id = cluster;
  disk_->identity.node_id = node;
  disk_->identity.gets_no_commands = gets_no_commands;
  return absl::OkStatus();
}

absl::StatusOr<consensus::InitialState> SimLogStore::Load() {
  consensus::InitialState out = disk_->log;
  out.applied_index = out.base_index;
  return out;
}

absl::Status SimLogStore::Sync() {
  if (!poison_.ok()) return poison_;
  poison_ = disk_->SpendSync();
  if (!poison_.ok()) return poison_;
  disk_->state.Sync();
  if (kept_marks_) disk_->marks = *std::exchange(kept_marks_, std::nullopt);
  return poison_;
}

absl::Status SimLogStore::Append(const std::optional<consensus::HardState>& hard_state,
                                 const std::vector<consensus::Entry>& entries) {
  if (!poison_.ok()) return poison_;
  const auto store = [&] {
    consensus::InitialState& log = disk_->log;
    if (hard_state) {
      CHECK_GE(hard_state->term, log.hard_state.term);
      if (hard_state->term == log.hard_state.term && !log.hard_state.voted_for.is_none()) {
        CHECK_EQ(hard_state->voted_for, log.hard_state.voted_for) << "two votes in one term";
      }
      log.hard_state = *hard_state;
    }
    if (entries.empty()) return;
    CHECK_GT(entries.front().index, log.base_index);
    const std::size_t keep = entries.front().index.value() - log.base_index.value() - 1;
    CHECK_LE(keep, log.entries.size());
    log.entries.resize(keep);
    log.entries.insert(log.entries.end(), entries.begin(), entries.end());
  };
  // A crash in the middle of the sync finds the batch on the disk, or not.
  const bool is_early = disk_->scheduler()->random().OneIn(1, 2);
  if (is_early) store();
  if (auto status = Sync(); !status.ok()) return status;
  if (!is_early) store();
  return absl::OkStatus();
}

absl::Status SimLogStore::Cut(LogIndex index, Term term,
                              const consensus::Configuration& configuration) {
  if (auto status = Sync(); !status.ok()) return status;
  consensus::InitialState& log = disk_->log;
  if (index <= log.base_index) return absl::OkStatus();
  const auto count = static_cast<std::ptrdiff_t>(index.value() - log.base_index.value());
  log.entries.erase(log.entries.begin(), log.entries.begin() + count);
  log.base_index = index;
  log.base_term = term;
  log.base_configuration = configuration;
  return absl::OkStatus();
}

absl::Status SimLogStore::FlushMarks() { return Sync(); }
absl::Status SimLogStore::SyncState() { return Sync(); }
metadata::KeyValueStore* SimLogStore::state() { return rows_.get(); }

// Files, sinks and prepared states of the other twin do for this one, too.
absl::StatusOr<std::unique_ptr<SnapshotFiles>> SimLogStore::WriteSnapshot(
    const metadata::RowReader& rows) {
  return testing::MemoryLogStore(disk_->identity.storage_uuid).WriteSnapshot(rows);
}
absl::StatusOr<std::unique_ptr<SnapshotSink>> SimLogStore::NewSnapshotSink() {
  return testing::MemoryLogStore(disk_->identity.storage_uuid).NewSnapshotSink();
}
absl::StatusOr<std::unique_ptr<PreparedState>> SimLogStore::PrepareState(
    std::unique_ptr<SnapshotSink> sink, const SnapshotContent& content, const StateCheck& check) {
  return testing::MemoryLogStore(disk_->identity.storage_uuid)
      .PrepareState(std::move(sink), content, check);
}

absl::Status SimLogStore::InstallState(std::unique_ptr<PreparedState> prepared,
                                       const SnapshotDescription& description, bool keep_tail) {
  if (auto status = Sync(); !status.ok()) return status;
  testing::MemoryLogStore other(disk_->identity.storage_uuid);
  if (auto status = other.InstallState(std::move(prepared), description, false); !status.ok()) {
    return status;
  }
  SimRows::Rows rows;
  other.state()->Scan("", "", [&](std::string_view key, std::string_view value) {
    rows.emplace(key, value);
    return true;
  });
  consensus::InitialState& log = disk_->log;
  CHECK_GT(description.index, log.base_index);
  const std::uint64_t ahead = description.index.value() - log.base_index.value();
  if (keep_tail && ahead <= log.entries.size()) {
    log.entries.erase(log.entries.begin(), log.entries.begin() + static_cast<std::ptrdiff_t>(ahead));
  } else {
    log.entries.clear();
  }
  log.base_index = description.index;
  log.base_term = description.term;
  log.base_configuration = description.configuration;
  rows_->Replace(std::move(rows));
  return absl::OkStatus();
}

}  // namespace dfs::simulation
