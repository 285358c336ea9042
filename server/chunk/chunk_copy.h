// Makes this node's own copy of a chunk from another node's.
#ifndef DFS_SERVER_CHUNK_CHUNK_COPY_H_
#define DFS_SERVER_CHUNK_CHUNK_COPY_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/set_aside_chunks.h"

namespace dfs::chunk {

// A source that sends nothing for so long is given up for the next one.
inline constexpr absl::Duration kCopyProgressTimeout = absl::Seconds(5);

// Where the bytes of a copy came from.
enum class CopyOrigin { kHeld, kAdopted, kCopied };

// Asks the own store first ("have it, verified?"), then looks into `set_aside` (may be null), then reads from the sources in turn until one gives
// bytes that match `info`. `origin` (may be null) is set on success. `bytes_per_s_max`: of a source; 0: as fast as it goes. Blocks until the copy is durable.
// kFailedPrecondition: held here with another content. kUnavailable: no source could give it (nothing changed).
// kResourceExhausted, kDataLoss: this node's disk.
absl::StatusOr<ChunkInfo> CopyChunk(ChunkStore* store, ChunkPeers* peers, const ChunkInfo& info,
                                    const std::vector<NodeId>& sources,
                                    SetAsideChunks* set_aside = nullptr,
                                    CopyOrigin* origin = nullptr,
                                    std::uint64_t bytes_per_s_max = 0);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_CHUNK_COPY_H_
