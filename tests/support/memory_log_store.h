// A LogStore in memory: everything is durable at once. For tests of hosts.
#ifndef DFS_TESTS_SUPPORT_MEMORY_LOG_STORE_H_
#define DFS_TESTS_SUPPORT_MEMORY_LOG_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/sync.h"
#include "server/replicated_log/log_store.h"

namespace dfs::testing {

// Rows in a map. Thread-safe.
class MemoryRows final : public metadata::KeyValueStore {
 public:
  using Rows = std::map<std::string, std::string>;

  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override;
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  void Write(const metadata::RowBatch& batch) override ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::unique_ptr<metadata::RowReader> Snapshot() const override;

  [[nodiscard]] std::shared_ptr<const Rows> rows() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Replace(std::shared_ptr<const Rows> rows) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Rows> rows_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const Rows>();
};

// Keeps what it holds while it lives: a host may be stopped and another one started over it.
class MemoryLogStore final : public replicated_log::LogStore {
 public:
  explicit MemoryLogStore(StorageUuid uuid);

  [[nodiscard]] const replicated_log::Identity& identity() const override { return identity_; }
  [[nodiscard]] absl::Status SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) override;
  [[nodiscard]] absl::StatusOr<consensus::InitialState> Load() override;
  [[nodiscard]] absl::Status Append(const std::optional<consensus::HardState>& hard_state,
                                    const std::vector<consensus::Entry>& entries) override;
  [[nodiscard]] replicated_log::WitnessMarks LoadMarks() override ABSL_LOCKS_EXCLUDED(mutex_);
  void KeepMarks(const replicated_log::WitnessMarks& marks) override ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] absl::Status Cut(LogIndex index, Term term,
                                 const consensus::Configuration& configuration) override;
  [[nodiscard]] absl::Status SyncState() override { return absl::OkStatus(); }
  [[nodiscard]] metadata::KeyValueStore* state() override { return &rows_; }
  [[nodiscard]] absl::StatusOr<std::unique_ptr<replicated_log::SnapshotFiles>> WriteSnapshot(
      const metadata::RowReader& rows) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<replicated_log::SnapshotSink>> NewSnapshotSink()
      override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<replicated_log::PreparedState>> PrepareState(
      std::unique_ptr<replicated_log::SnapshotSink> sink,
      const replicated_log::SnapshotContent& content, const StateCheck& check) override;
  [[nodiscard]] absl::Status InstallState(
      std::unique_ptr<replicated_log::PreparedState> prepared,
      const replicated_log::SnapshotDescription& description, bool keep_tail) override;

  // ---- for tests; thread-safe ----
  // Calls of Append, each of which would be one sync.
  [[nodiscard]] int appends() const ABSL_LOCKS_EXCLUDED(mutex_);
  // All appends from now on fail with kDataLoss.
  void FailAppends() ABSL_LOCKS_EXCLUDED(mutex_);
  // Called in the middle of each Append, on the caller's thread.
  void SetAppendHook(std::function<void()> hook) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::vector<consensus::Entry> entries() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  replicated_log::Identity identity_;
  MemoryRows rows_;
  mutable Mutex mutex_;
  consensus::InitialState log_ ABSL_GUARDED_BY(mutex_);
  replicated_log::WitnessMarks marks_ ABSL_GUARDED_BY(mutex_);
  int appends_ ABSL_GUARDED_BY(mutex_) = 0;
  bool fails_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> hook_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_MEMORY_LOG_STORE_H_
