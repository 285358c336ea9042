// What a node does about a log and metadata database that is damaged (rules R3, R22).
//
// It held votes and entries that others count on, and nobody can say which: it must never vote or acknowledge under its id
// again, and is not repaired. If the cluster serves without it, the whole directory is set aside and the node joins anew.
#ifndef DFS_SERVER_NODE_METADATA_DAMAGE_H_
#define DFS_SERVER_NODE_METADATA_DAMAGE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/disk.h"
#include "server/node/join.h"

namespace dfs::node {

// Notes durably that a running node met damage there: the database may well open again. Safe to call while it is open.
absl::Status NoteMetadataDamage(Disk& disk, const std::string& data_dir, const std::string& what);

// OK, or what was noted, as damage (common/damage.h).
absl::Status NotedMetadataDamage(Disk& disk, const std::string& data_dir);

// Asks the peer addresses until one knows a leader; then orders the directory to be set aside (CarryOutSetAside does it), OK.
// `damage`, with advice, if none does within `timeout`, or there are none: nothing was changed. kCancelled.
absl::Status OrderSetAsideIfClusterServes(Disk& disk, const std::string& data_dir,
                                          const Others& others,
                                          const absl::Status& damage, absl::Duration timeout,
                                          const Interrupted& interrupted);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_METADATA_DAMAGE_H_
