// Which versions a pending ClearPrefix hides. Pure.
#ifndef DFS_SERVER_METADATA_CLEAR_RANGE_H_
#define DFS_SERVER_METADATA_CLEAR_RANGE_H_

#include <vector>

#include "common/wire_ids.h"

namespace dfs::metadata {

// The oldest of `clears` (oldest first) that hides this current version; null: it is visible. A version that is
// hidden counts as trashed by that clear's entry, though its row has not moved yet.
const rpc::ClearRow* FirstHiding(const std::vector<rpc::ClearRow>& clears,
                                 const rpc::VersionRow& version);
// Whether the counters still hold the version: it is visible, or hidden and not yet counted out.
bool IsCounted(const rpc::ClearRow* hiding, const rpc::VersionRow& version);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_CLEAR_RANGE_H_
