// Reads the values in a blob file of RocksDB without the database around it.
#ifndef DFS_COMMON_ROCKSDB_BLOB_FILE_H_
#define DFS_COMMON_ROCKSDB_BLOB_FILE_H_

#include <functional>
#include <string>
#include <string_view>

#include <rocksdb/env.h>

#include "absl/status/status.h"

namespace dfs {

// Calls `visit` with each key and value that is whole, in the order of writing, until the first record whose lengths are
// damaged; values that do not match their checksum are passed over. Values are as they were written (no compression). What
// the database has deleted may be among them. The views live until visit returns. Blocks on disk.
// kDataLoss: the file cannot be read, or is no blob file.
[[nodiscard]] absl::Status ForEachBlob(
    rocksdb::Env* env, const std::string& path,
    const std::function<void(std::string_view key, std::string_view value)>& visit);

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_BLOB_FILE_H_
