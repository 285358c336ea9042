// What lies in the chunk stores of earlier identities of this machine, whose data directories were set aside.
#ifndef DFS_SERVER_CHUNK_SET_ASIDE_CHUNKS_H_
#define DFS_SERVER_CHUNK_SET_ASIDE_CHUNKS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "server/chunk/chunk_store.h"

namespace dfs::chunk {

// Lends their chunks, so that a copy that belongs here again is made from this machine's own disk and not over the network.
// Nothing in them counts for anything: a chunk is taken only if its id, size and hash are those that the log has now, and
// every block is read and checked on the way. Thread-safe.
class SetAsideChunks {
 public:
  // Stores opened; of more the newest.
  static constexpr std::size_t kStoresMax = 2;

  // `folders`: data directories, the newest first. One without a chunk store, or whose store does not open, is left out. Blocks on
  // disk, longer with more files.
  static std::unique_ptr<SetAsideChunks> Open(const std::vector<std::string>& folders);

  // nullptr: not here, or with another content.
  [[nodiscard]] std::unique_ptr<ChunkReader> Find(const ChunkInfo& info);

 private:
  std::vector<std::unique_ptr<ChunkStore>> stores_;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_SET_ASIDE_CHUNKS_H_
