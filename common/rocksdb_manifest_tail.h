// Finds the end of what is whole in a MANIFEST whose unsynced tail a power cut turned into zeros.
#ifndef DFS_COMMON_ROCKSDB_MANIFEST_TAIL_H_
#define DFS_COMMON_ROCKSDB_MANIFEST_TAIL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dfs {

// Where the first damaged record begins, provided that zeros up to the end of the file explain the damage. nullopt:
// nothing is damaged, or something else is (a flipped byte in a synced record must not be cut away).
//
// RocksDB syncs its MANIFEST after each change and acts on the change only then, so a tail that was never synced
// describes nothing that happened.
[[nodiscard]] std::optional<std::size_t> FindZeroedTail(std::string_view manifest);

// Where the first record that is not whole begins; the size, if all are.
[[nodiscard]] std::size_t WholeLogBytes(std::string_view log);

// The whole records of a file in RocksDB's log format (a MANIFEST or a write-ahead log), in order; what is damaged is
// passed over, with the rest of its block if need be.
[[nodiscard]] std::vector<std::string> WholeLogRecords(std::string_view log);

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_MANIFEST_TAIL_H_
