// Opens a RocksDB by rule R22: what was synced is there, or it is refused. One that a crash left damaged where
// nothing was synced goes on from a recovered copy.
#ifndef DFS_COMMON_ROCKSDB_RECOVERY_H_
#define DFS_COMMON_ROCKSDB_RECOVERY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/wal_filter.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rocksdb_durable_mark.h"

namespace dfs {

// Ends the replay of write-ahead logs at the first gap of their sequence numbers. A gap can only be where
// unsynced writes were lost while later ones, as little synced, were kept: no write may be skipped.
class RocksdbGapFilter final : public rocksdb::WalFilter {
 public:
  // `name`: of the database, for the log.
  explicit RocksdbGapFilter(std::string name) : name_(std::move(name)) {}
  const char* Name() const override { return "dfs.gap"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number,  // NOLINT: RocksDB's signature
                                     const std::string& log_file_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;
  [[nodiscard]] bool has_found_gap() const { return has_found_gap_; }

 private:
  const std::string name_;
  std::uint64_t next_sequence_ = 0;
  bool has_found_gap_ = false;
};

// A batch that was written: the sequence number of its last change.
[[nodiscard]] std::uint64_t LastSequenceOf(const rocksdb::WriteBatch& batch);

// An open database with all its families.
struct RocksdbFamilies {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;  // destroyed by Close
  [[nodiscard]] rocksdb::ColumnFamilyHandle* Find(const std::string& name) const;
  void Close();
};

// Which database, and what is special about it.
//
// <folder>/<name> is the database, <folder>/<name>.copy a recovery under way, <folder>/<name>.damaged-<us> what a
// recovery took the place of: the newest is kept, older ones are removed.
struct RocksdbPlan {
  rocksdb::Env* env = nullptr;
  std::string folder;  // must exist
  std::string name;
  // What rule R22 asks for is set over these.
  rocksdb::DBOptions options;
  std::function<rocksdb::ColumnFamilyOptions(const std::string& family)> family_options;
  std::vector<std::string> families;  // made if they are missing
  // OK if the database holds all that is known to have been synced: the durable-through mark. Else kDataLoss, which
  // says what is missing.
  std::function<absl::Status(const RocksdbFamilies&)> check_reach;
  // Knows how far the MANIFEST reached, and is told how far it reaches, as long as the database is open, which it outlives.
  // Null: that is not looked at.
  RocksdbDurableMark* mark = nullptr;
  // Something was durable here: a database that is not there at all is refused too.
  bool must_exist = false;
  // Where a damaged database would be refused: makes a whole one in the folder `copy` (which is not there) from what can be
  // read of <folder>/<name>, all of it durable on return, and closes it. It takes the place of the damaged one. Null: refused.
  std::function<absl::Status(const std::string& copy)> rebuild;
};

// A file of this name in the database's folder orders it to be rebuilt when it is opened next, whole as it may look. It goes
// with the damaged database.
inline constexpr char kRebuildOrder[] = "REBUILD";

struct OpenedRocksdb {
  RocksdbFamilies families;
  std::unique_ptr<RocksdbGapFilter> filter;  // outlives the database
  // A recovered copy took the place of a damaged database.
  bool was_recovered = false;
  // What nobody had synced is gone, more than a torn last record: by recovery or by a gap.
  bool was_cut = false;
  // Synced content may be gone: `rebuild` made it. `check_reach` was not asked.
  bool was_rebuilt = false;
};

// Opens or makes the database. Blocks on disk; a recovery copies all but its tables, which are linked.
//   kFailedPrecondition  another process has it open
//   kDataLoss            it is damaged, or ends before what was durable (IsDamage of common/damage.h), or the disk failed.
//                        Nothing was changed (but for a copy that was set aside); the text says what to do.
[[nodiscard]] absl::StatusOr<OpenedRocksdb> OpenRocksdb(const RocksdbPlan& plan);

// <folder>/<name>: where it is.
[[nodiscard]] std::string PathOf(const RocksdbPlan& plan);
// Opens what can be opened of it for reading, whatever is damaged or missing: write-ahead logs without their damaged records.
// Nothing is changed.
[[nodiscard]] rocksdb::Status OpenDamagedForReading(const RocksdbPlan& plan,
                                                    const std::string& path, RocksdbFamilies* out);
// With all files in it; there are no folders in it. OK if it is not there.
[[nodiscard]] absl::Status RemoveFolder(rocksdb::Env* env, const std::string& path);

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_RECOVERY_H_
