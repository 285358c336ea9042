// Options of the metadata database. What rule R22 asks for is set where it is opened (common/rocksdb_recovery.h).
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_OPTIONS_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_OPTIONS_H_

#include <cstddef>

#include <rocksdb/env.h>
#include <rocksdb/options.h>

namespace dfs::replicated_log {

// Of each family.
inline constexpr std::size_t kWriteBufferBytes = std::size_t{8} << 20;

[[nodiscard]] rocksdb::DBOptions MetadataDbOptions(rocksdb::Env* env);
[[nodiscard]] rocksdb::ColumnFamilyOptions MetadataFamilyOptions();

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_OPTIONS_H_
