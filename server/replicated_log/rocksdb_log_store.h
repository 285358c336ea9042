// The log, the hard state and the state machine's rows of a node in one RocksDB, <data_dir>/meta; and beside
// it the durable-through mark, <data_dir>/durable_through. README.md has the formats.
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_LOG_STORE_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_LOG_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/write_batch.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rocksdb_durable_mark.h"
#include "common/sync.h"
#include "dfs/internal/v1/raft.pb.h"
#include "server/replicated_log/durable_position.h"
#include "server/replicated_log/log_store.h"
#include "server/replicated_log/rocksdb_database.h"
#include "server/replicated_log/rocksdb_snapshot.h"
#include "server/replicated_log/rocksdb_state_store.h"

namespace dfs::replicated_log {

// The state store's views must be gone before it is destroyed. Calls as LogStore says.
class RocksdbLogStore final : public LogStore {
 public:
  struct Options {
    std::string data_dir;
    // Null: the machine's files; then the directory's mode is checked too. Tests bring their own.
    rocksdb::Env* env = nullptr;
    // Told when rows of the state cannot be written or read. By default the process ends.
    std::function<void(absl::Status)> on_failure;
  };
  // Opens or makes the store, and raises the boot epoch. Blocks on disk.
  //   kFailedPrecondition  the directory is open to others, or in use by another process
  //   kDataLoss            damaged, or less is there than was durable: see rule R22
  //   kUnavailable         the directory cannot be made
  static absl::StatusOr<std::unique_ptr<RocksdbLogStore>> Open(Options options);
  ~RocksdbLogStore() override;

  // Whether a recovered copy took the place of a damaged database at this start.
  [[nodiscard]] bool was_recovered() const { return database_->was_recovered(); }

  [[nodiscard]] const Identity& identity() const override { return identity_; }
  [[nodiscard]] absl::Status SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) override;
  [[nodiscard]] absl::StatusOr<consensus::InitialState> Load() override;
  [[nodiscard]] absl::Status Append(const std::optional<consensus::HardState>& hard_state,
                                    const std::vector<consensus::Entry>& entries) override;
  [[nodiscard]] WitnessMarks LoadMarks() override { return marks_; }
  void KeepMarks(const WitnessMarks& marks) override;
  [[nodiscard]] absl::Status FlushMarks() override;
  [[nodiscard]] absl::Status Cut(LogIndex index, Term term,
                                 const consensus::Configuration& configuration) override;
  [[nodiscard]] absl::Status SyncState() override;
  [[nodiscard]] metadata::KeyValueStore* state() override { return state_.get(); }
  [[nodiscard]] bool IsApplyAhead() override;

  [[nodiscard]] absl::StatusOr<std::unique_ptr<SnapshotFiles>> WriteSnapshot(
      const metadata::RowReader& rows) override ABSL_LOCKS_EXCLUDED(scratch_mutex_);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<SnapshotSink>> NewSnapshotSink() override
      ABSL_LOCKS_EXCLUDED(scratch_mutex_);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<PreparedState>> PrepareState(
      std::unique_ptr<SnapshotSink> sink, const SnapshotContent& content,
      const StateCheck& check) override;
  [[nodiscard]] absl::Status InstallState(std::unique_ptr<PreparedState> prepared,
                                          const SnapshotDescription& description,
                                          bool keep_tail) override;

 private:
  explicit RocksdbLogStore(Options options);
  absl::Status OpenAll();
  absl::Status LoadIdentity();
  absl::Status LoadRecords();
  absl::StatusOr<std::vector<consensus::Entry>> LoadEntries();
  absl::Status WriteIdentity(const Identity& identity);
  // Of the log as it is in memory.
  [[nodiscard]] DurablePosition Position() const;
  void PutBase(rocksdb::WriteBatch& batch, LogIndex index, Term term,
               const consensus::Configuration& configuration) const;
  absl::Status CommitBatch(rocksdb::WriteBatch& batch, const DurablePosition& after);

  const Options options_;
  rocksdb::Env* env_ = nullptr;
  std::unique_ptr<RocksdbDurableMark> mark_;
  std::unique_ptr<RocksdbDatabase> database_;
  std::unique_ptr<RocksdbStateStore> state_;  // before database_ in death
  Identity identity_;

  // What is durable.
  consensus::HardState hard_state_;
  LogIndex base_index_;
  Term base_term_;
  consensus::Configuration base_configuration_;
  LogIndex last_index_;
  Term last_term_;
  WitnessMarks marks_;

  std::string marks_to_write_;  // encoded; empty: none

  Mutex scratch_mutex_;
  std::uint64_t next_scratch_ ABSL_GUARDED_BY(scratch_mutex_) = 0;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_LOG_STORE_H_
