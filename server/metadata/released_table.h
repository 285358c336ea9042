// Good copies that the log has taken out of a chunk's set because it has others: moved away, or
// made anew while their node was OUT or on its way out. Where such a copy lies it is garbage by
// order of the log, as purged ones are (rule R20).
//
// A row says no more than that. Whether the copy may go is decided as for any other that is in no
// set (rule R18): a row that is missing costs a question to an operator, one too many nothing.
// Therefore it goes on the node's mere word.
//
// Invariant: the version exists (current or trashed), the node is a member, and is not in the
// chunk's set.
#ifndef DFS_SERVER_METADATA_RELEASED_TABLE_H_
#define DFS_SERVER_METADATA_RELEASED_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "server/metadata/key_value_store.h"
#include "server/metadata/machine_cache.h"

namespace dfs::metadata {

[[nodiscard]] bool IsReleased(const RowReader& rows, NodeId node, const ChunkId& chunk);

// The node's copy has left the set. 1 row.
void AddReleased(ApplyContext* context, NodeId node, const ChunkId& chunk);
// It counts again, or is gone. 1 row, if there is one; false: there is none, and nothing was
// changed.
bool DropReleased(ApplyContext* context, NodeId node, const ChunkId& chunk);

// The nodes that have rows: one look for each node.
[[nodiscard]] std::vector<NodeId> NodesWithReleased(const ApplyContext& context);

// Takes the chunk out of the bitmap under `key`, and the row away with its last chunk. 1 row;
// false: it is not there, and nothing was changed.
bool DropFromBitmapRow(ApplyContext* context, const std::string& key, std::uint32_t chunk);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_RELEASED_TABLE_H_
