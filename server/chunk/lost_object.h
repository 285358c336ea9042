// A large object whose index record was lost: what its file says of it.
#ifndef DFS_SERVER_CHUNK_LOST_OBJECT_H_
#define DFS_SERVER_CHUNK_LOST_OBJECT_H_

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/chunk/index_format.h"
#include "server/chunk/object_folder.h"

namespace dfs::chunk {

struct LostObject {
  ChunkId birth;        // the chunk that was written there
  ObjectRecord record;  // no references yet; table and hash are those of the bytes as they are now, right or not
};

// Reads the whole file. kDataLoss: the header is damaged, or it is longer than a chunk. kNotFound, kUnavailable.
[[nodiscard]] absl::StatusOr<LostObject> ReadLostObject(ObjectFolder& folder, ObjectId id);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_LOST_OBJECT_H_
