// The bytes of files of gossip buckets in this node's chunk store.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_CHUNKS_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_CHUNKS_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/gossip_store/gossip_record.h"

namespace dfs::gossip_store {

// What the record says its chunks are.
[[nodiscard]] chunk::ChunkInfo ChunkOf(const Record& record, std::size_t index);
[[nodiscard]] std::vector<chunk::ChunkInfo> ChunksOf(const Record& record);

// Makes all of them durable here, from the sources in turn; what is here stays. Blocks. Errors of chunk::CopyChunk.
[[nodiscard]] absl::Status FetchChunks(chunk::ChunkStore* store, chunk::ChunkPeers* peers,
                                       const Record& record, const std::vector<NodeId>& sources);

// Deletes chunk 0 to `count` - 1 of the transaction. What cannot be deleted is logged, and swept at the next start. Blocks.
void DropChunks(chunk::ChunkStore* store, const TxnId& txn, std::size_t count);

// Deletes chunks of gossip buckets that `is_needed` does not know and whose transaction wrote nothing since `untouched`, at
// most so many; returns how many there were. What begins to be needed meanwhile stays, if whoever needs it says so to `is_needed`
// before it looks at the store (the store voids the question: rule R19). Blocks.
std::size_t SweepChunks(chunk::ChunkStore* store, const std::function<bool(const TxnId&)>& is_needed,
                        absl::Time untouched, std::size_t count_max);

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_CHUNKS_H_
