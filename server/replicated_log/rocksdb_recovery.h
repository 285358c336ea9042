// Options of the metadata database, and what to do when it does not open (rule R22).
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_RECOVERY_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/wal_filter.h>

#include "absl/status/status.h"
#include "server/replicated_log/rocksdb_durable_mark.h"

namespace dfs::replicated_log {

// Ends the replay of write-ahead logs at the first gap of their sequence numbers. A gap can only be where
// unsynced writes were lost while later ones, as little synced, were kept: state rows must not skip a write.
class RocksdbGapFilter final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "dfs.gap"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number,  // NOLINT: RocksDB's signature
                                     const std::string& log_file_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;

 private:
  std::uint64_t next_sequence_ = 0;
};

[[nodiscard]] rocksdb::DBOptions MetadataDbOptions(rocksdb::Env* env, rocksdb::WalFilter* filter);
[[nodiscard]] rocksdb::ColumnFamilyOptions MetadataFamilyOptions();

// An open database with all its families.
struct RocksdbFamilies {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;  // destroyed by Close
  [[nodiscard]] rocksdb::ColumnFamilyHandle* Find(const std::string& name) const;
  void Close();
};
// Opens all families there are, and makes `wanted` ones that are missing.
rocksdb::Status OpenAllFamilies(const rocksdb::DBOptions& options, const std::string& path,
                                const std::vector<std::string>& wanted, bool is_read_only,
                                RocksdbFamilies* out);

// Makes durable what a killed process left unsynced in the write-ahead logs of <data_dir>/meta: opening
// reads it as valid and begins a new log, and a power cut must not take back what lies before that.
[[nodiscard]] absl::Status SyncLogs(rocksdb::Env* env, const std::string& data_dir);
// Ends what a crash left of an earlier swap: <data_dir>/meta is the database afterwards, if there is one.
[[nodiscard]] absl::Status FinishRecovery(rocksdb::Env* env, const std::string& data_dir);
// <data_dir>/meta did not open because of `error`. If the damage is in its newest write-ahead log only, and what a copy
// holds up to the damage reaches `mark`, the copy takes its place and the damaged one is kept as
// meta.damaged-<time>. Else kDataLoss, and meta is as it was.
[[nodiscard]] absl::Status RecoverFromCopy(rocksdb::Env* env, const std::string& data_dir,
                                           const DurablePosition& mark,
                                           const std::string& error);

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_RECOVERY_H_
