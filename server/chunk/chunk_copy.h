// Makes this node's own copy of a chunk from another node's.
#ifndef DFS_SERVER_CHUNK_CHUNK_COPY_H_
#define DFS_SERVER_CHUNK_CHUNK_COPY_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"

namespace dfs::chunk {

// A source that sends nothing for so long is given up for the next one.
inline constexpr absl::Duration kCopyProgressTimeout = absl::Seconds(5);

// Asks the own store first ("have it, verified?"), then reads from the sources in turn until one gives bytes that
// match `info`. Blocks until the copy is durable.
// kFailedPrecondition: held here with another content. kUnavailable: no source could give it (nothing changed).
// kResourceExhausted, kDataLoss: this node's disk.
absl::StatusOr<ChunkInfo> CopyChunk(ChunkStore* store, ChunkPeers* peers, const ChunkInfo& info,
                                    const std::vector<NodeId>& sources);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_CHUNK_COPY_H_
