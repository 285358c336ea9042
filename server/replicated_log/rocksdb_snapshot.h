// Snapshots as SST files: made from one view, received file by file, read again to be sure (rule R9).
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_SNAPSHOT_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_SNAPSHOT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/env.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checksum.h"
#include "server/metadata/key_value_store.h"
#include "server/replicated_log/snapshot.h"

namespace dfs::replicated_log {

// Rows, one after another in key order -> what SnapshotContent says of them.
class SnapshotHasher {
 public:
  void Add(std::string_view key, std::string_view value);
  [[nodiscard]] SnapshotContent content() const { return {rows_, hash_.Digest()}; }

 private:
  std::uint64_t rows_ = 0;
  Xxh3Stream hash_;
};
[[nodiscard]] SnapshotContent ContentOf(const metadata::RowReader& rows);

// A folder that holds nothing but files, removed with this object.
class RocksdbScratchFolder {
 public:
  // Made anew; what an earlier process left there is removed.
  static absl::StatusOr<std::unique_ptr<RocksdbScratchFolder>> Make(rocksdb::Env* env,
                                                                    std::string path);
  ~RocksdbScratchFolder();
  RocksdbScratchFolder(const RocksdbScratchFolder&) = delete;
  RocksdbScratchFolder& operator=(const RocksdbScratchFolder&) = delete;
  [[nodiscard]] rocksdb::Env* env() const { return env_; }
  // Of the n-th file.
  [[nodiscard]] std::string FilePath(std::size_t file) const;

 private:
  RocksdbScratchFolder(rocksdb::Env* env, std::string path) : env_(env), path_(std::move(path)) {}
  rocksdb::Env* const env_;
  const std::string path_;
};
// Removes the folder and its files, if it is there.
void RemoveScratch(rocksdb::Env* env, const std::string& path);

[[nodiscard]] absl::StatusOr<std::unique_ptr<SnapshotFiles>> WriteSnapshotFiles(
    std::unique_ptr<RocksdbScratchFolder> folder, const metadata::RowReader& rows);

class RocksdbSnapshotSink final : public SnapshotSink {
 public:
  explicit RocksdbSnapshotSink(std::unique_ptr<RocksdbScratchFolder> folder)
      : folder_(std::move(folder)) {}
  [[nodiscard]] absl::Status Append(std::uint32_t file, std::string_view data,
                                    bool is_last_of_file) override;
  // Of the complete files. kInvalidArgument if the last one is not.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Paths() const;

 private:
  const std::unique_ptr<RocksdbScratchFolder> folder_;
  std::uint32_t complete_ = 0;
  std::unique_ptr<rocksdb::WritableFile> file_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_SNAPSHOT_H_
