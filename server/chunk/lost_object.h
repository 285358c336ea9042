// A large object whose index record was lost: what its file says of it.
#ifndef DFS_SERVER_CHUNK_LOST_OBJECT_H_
#define DFS_SERVER_CHUNK_LOST_OBJECT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/chunk/index_format.h"
#include "server/chunk/object_folder.h"
#include "server/chunk/quarantine.h"
#include "server/chunk/rocksdb_chunk_index.h"

namespace dfs::chunk {

struct LostObject {
  ChunkId birth;        // the chunk that was written there
  ObjectRecord record;  // no references yet; table and hash are those of the bytes as they are now, right or not
};

// Reads the whole file. kDataLoss: the header is damaged, or it is longer than a chunk. kNotFound, kUnavailable.
[[nodiscard]] absl::StatusOr<LostObject> ReadLostObject(ObjectFolder& folder, ObjectId id);

// Makes the files count as the chunks that their headers name, where the index holds none; the others are unlinked, or set
// aside if they are damaged. Reads all of them. Returns by how much the bytes of all objects have grown.
[[nodiscard]] absl::StatusOr<std::int64_t> AdoptLostObjects(ObjectFolder& folder,
                                                            Quarantine& quarantine,
                                                            ChunkIndex& index,
                                                            const std::vector<ObjectId>& files,
                                                            std::int64_t now_us);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_LOST_OBJECT_H_
