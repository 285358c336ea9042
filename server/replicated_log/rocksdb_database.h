// The RocksDB instance of the log and the state machine: options, column families, opening after damage
// (rule R22), fail-stop, and the switch of write-ahead logs.
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_DATABASE_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_DATABASE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rocksdb_recovery.h"
#include "common/sync.h"
#include "server/replicated_log/durable_position.h"

namespace dfs::replicated_log {

inline constexpr char kLogFamily[] = "log";
inline constexpr char kIdentityKey[] = "identity";
inline constexpr char kHardStateKey[] = "hard_state";
inline constexpr char kMarksKey[] = "marks";
inline constexpr char kBaseKey[] = "base";
inline constexpr char kGenerationKey[] = "generation";  // decimal number of the current state family

std::string StateFamilyName(std::uint64_t generation);
// 8 bytes, big endian: entries sort by index.
std::string LogKey(LogIndex index);

// One generation of the state machine's rows. The family is dropped when the last holder lets go of a
// generation that was retired, and kept otherwise. Holders must let go before the database closes.
class RocksdbGeneration {
 public:
  RocksdbGeneration(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family, std::uint64_t number)
      : db_(db), family_(family), number_(number) {}
  ~RocksdbGeneration();
  RocksdbGeneration(const RocksdbGeneration&) = delete;
  RocksdbGeneration& operator=(const RocksdbGeneration&) = delete;

  [[nodiscard]] rocksdb::DB* db() const { return db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family() const { return family_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  void Retire() { is_retired_ = true; }

 private:
  rocksdb::DB* const db_;
  rocksdb::ColumnFamilyHandle* const family_;
  const std::uint64_t number_;
  std::atomic<bool> is_retired_{false};
};

// Thread-safe but for Open and destruction.
class RocksdbDatabase {
 public:
  // Opens <data_dir>/meta, made if `data_dir` holds none, and drops state families that are not current.
  // If its newest write-ahead log is damaged, goes on from a recovered copy, provided that it reaches `mark`.
  // `manifest`: knows how far its MANIFEST reached, and outlives the database; may be null.
  //   kFailedPrecondition  another process has it open
  //   kDataLoss            it is damaged, or ends before `mark`: synced data is gone. Nothing was changed
  //                        (but for a copy that was set aside).
  static absl::StatusOr<std::unique_ptr<RocksdbDatabase>> Open(rocksdb::Env* env,
                                                               const std::string& data_dir,
                                                               const DurablePosition& mark,
                                                               RocksdbDurableMark* manifest);
  ~RocksdbDatabase();

  [[nodiscard]] rocksdb::DB* db() { return db_.get(); }
  [[nodiscard]] rocksdb::Env* env() { return env_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* default_family() { return db_->DefaultColumnFamily(); }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* log_family() { return log_family_; }
  // The generation found at open.
  [[nodiscard]] std::shared_ptr<RocksdbGeneration> TakeGeneration();
  // Its rows are the ones that are written from now on.
  void SetCurrent(const std::shared_ptr<RocksdbGeneration>& generation)
      ABSL_LOCKS_EXCLUDED(unsynced_mutex_);
  // Whether a recovered copy took the place of a damaged database at this start.
  [[nodiscard]] bool was_recovered() const { return was_recovered_; }

  // An empty family for generation `number`; what an earlier attempt left there is dropped first.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<RocksdbGeneration>> NewGeneration(
      std::uint64_t number);
  // For files that state families take in (rocksdb_snapshot.h).
  [[nodiscard]] static rocksdb::Options FileOptions(rocksdb::Env* env);

  // Synced: durable on return. A failure poisons: kDataLoss from then on, for all writes.
  [[nodiscard]] absl::Status WriteSynced(rocksdb::WriteBatch* batch);
  // Durable with the next synced write, or never.
  [[nodiscard]] absl::Status WriteUnsynced(rocksdb::WriteBatch* batch)
      ABSL_LOCKS_EXCLUDED(unsynced_mutex_);
  // Makes all unsynced writes durable.
  [[nodiscard]] absl::Status SyncAll() ABSL_LOCKS_EXCLUDED(unsynced_mutex_);
  [[nodiscard]] bool is_poisoned() const { return is_poisoned_.load(); }
  // Remembers the first failure and returns it as kDataLoss.
  absl::Status Poison(const rocksdb::Status& status, const std::string& what);

  // Whether flushes lag behind so that writers would soon be stalled.
  [[nodiscard]] bool IsNearStall(rocksdb::ColumnFamilyHandle* family);

 private:
  RocksdbDatabase() = default;
  void TakeFamilies(RocksdbFamilies families);
  absl::Status SetUpGenerations();
  absl::Status MaybeSwitchLogLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(unsynced_mutex_);

  rocksdb::Env* env_ = nullptr;
  std::unique_ptr<RocksdbGapFilter> gap_filter_;  // outlives db_
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* log_family_ = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> other_families_;  // of other generations, until dropped
  std::shared_ptr<RocksdbGeneration> generation_;
  bool was_recovered_ = false;
  // Of a write after a failure.
  [[nodiscard]] absl::Status FailedBefore() const;

  std::atomic<bool> is_poisoned_{false};
  std::atomic<bool> was_full_{false};  // the failure was that the disk is full
  std::atomic<std::size_t> bytes_since_switch_{0};
  // Held by unsynced writes, and from the sync to the switch of the write-ahead log: so every unsynced byte is
  // in the newest one.
  Mutex unsynced_mutex_;
  std::weak_ptr<RocksdbGeneration> current_ ABSL_GUARDED_BY(unsynced_mutex_);
};

// How far the database reaches. kDataLoss: a record cannot be read.
[[nodiscard]] absl::StatusOr<DurablePosition> ReadPosition(rocksdb::DB* db,
                                                           rocksdb::ColumnFamilyHandle* log_family);

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_DATABASE_H_
