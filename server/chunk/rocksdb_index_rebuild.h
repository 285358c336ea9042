// Makes a new chunk index from what can be read of a damaged one.
#ifndef DFS_SERVER_CHUNK_ROCKSDB_INDEX_REBUILD_H_
#define DFS_SERVER_CHUNK_ROCKSDB_INDEX_REBUILD_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/rocksdb_recovery.h"

namespace dfs::chunk {

// The families of the index, as ChunkIndex::Family numbers them.
inline constexpr std::array<const char*, 5> kIndexFamilies = {"default", "chunks", "objects",
                                                              "bytes", "touched"};
// Writes into the folder `copy`, for RocksdbPlan::rebuild: everything is durable there on return. `plan`: of the damaged index.
//
// What an old or lost row can do is bounded: chunks are immutable and anchored in the log, so a row that comes back is a chunk
// about which a verdict is asked (rules R18, R19), and one that is lost is a chunk that is missing here. Counts of references
// are made anew. Every transaction counts as touched at `now_us`: nothing is asked about one that may be running.
//   kDataLoss: the new one could not be written.
[[nodiscard]] absl::Status RebuildIndex(const RocksdbPlan& plan, const std::string& copy,
                                        std::int64_t now_us);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_ROCKSDB_INDEX_REBUILD_H_
