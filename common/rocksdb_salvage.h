// Reads what can be read of a damaged RocksDB, which is left as it is.
#ifndef DFS_COMMON_ROCKSDB_SALVAGE_H_
#define DFS_COMMON_ROCKSDB_SALVAGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocksdb/iterator.h>

#include "absl/status/status.h"
#include "common/rocksdb_recovery.h"

namespace dfs {

// Stands on the first key behind a damaged part that begins after the key `last` ("": at the beginning); null: nothing behind
// it can be read. `make` gives a new iterator each time: one that met damage keeps failing. All keys are `key_bytes` long.
[[nodiscard]] std::unique_ptr<rocksdb::Iterator> IteratorBehindDamage(
    const std::function<std::unique_ptr<rocksdb::Iterator>()>& make, const std::string& last,
    std::size_t key_bytes);

// Sources, the best first:
//   1. its write-ahead logs, around damaged records (RocksDB itself gives up 32 KiB for one of them). They hold the newest of
//      every row that is in them at all: logs go away in order. In memory, so as large as the logs are.
//   2. the database, opened as it stands, around damaged blocks. Deletions count. Not one whose MANIFEST has lost its end.
//   3. where 2. is not whole: its tables, with a new MANIFEST (RocksDB's own repair, on links in the folder <name>.salvage),
//      around damaged blocks. What was deleted may come back.
//
// Not thread-safe. Blocks on disk.
class RocksdbSalvage {
 public:
  // Copies of the plan's pointers are kept.
  explicit RocksdbSalvage(const RocksdbPlan& plan);
  ~RocksdbSalvage();  // removes the folder
  RocksdbSalvage(const RocksdbSalvage&) = delete;
  RocksdbSalvage& operator=(const RocksdbSalvage&) = delete;

  using Visit = std::function<void(std::string_view key, std::string_view value)>;
  // Each row of the family that can be read. A key may come again: its first value is the best.
  void ForEach(const std::string& family, std::size_t key_bytes, const Visit& visit);
  // The best value that can be read.
  [[nodiscard]] std::optional<std::string> Get(const std::string& family, const std::string& key);

  // The blob files of the database.
  [[nodiscard]] std::vector<std::string> BlobFiles() const;

 private:
  // False: there may be more behind.
  bool Walk(RocksdbFamilies& source, const std::string& family, std::size_t key_bytes,
            const Visit& visit);
  void ReadLogs();
  // Makes source 3, once.
  void RepairTables();
  void WalkLostTables(const std::string& family, std::size_t key_bytes, const Visit& visit);
  void RemoveScratch();
  [[nodiscard]] std::vector<std::string> FilesOf(const std::string& folder,
                                                 std::string_view ending) const;

  const RocksdbPlan plan_;
  const std::string scratch_;
  RocksdbFamilies opened_;    // source 2; no db: it does not open
  RocksdbFamilies repaired_;  // source 3
  bool is_repaired_ = false;  // it was tried
  // Source 1: family number -> key -> value; nullopt: deleted.
  std::map<std::uint32_t, std::map<std::string, std::optional<std::string>>> logged_;
};

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_SALVAGE_H_
