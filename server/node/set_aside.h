// A data directory that must not be used any more (rule R3) is set aside, not deleted: everything
// in it moves into a folder of it, and the node begins anew as if its disk had been wiped.
#ifndef DFS_SERVER_NODE_SET_ASIDE_H_
#define DFS_SERVER_NODE_SET_ASIDE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/disk.h"

namespace dfs::node {

// Writes down, durably, that the directory must be set aside before it is opened again. `name`
// makes the folder's name unique. May be called while the stores are open.
absl::Status OrderSetAside(Disk& disk, const std::string& data_dir, const std::string& name,
                           const std::string& why);

// Carries out an order that was written, to its end if an earlier start was interrupted in it. No
// store is open. OK without an order, and without the directory. An error: the directory must not
// be opened.
absl::Status CarryOutSetAside(Disk& disk, const std::string& data_dir);

// Whether something was ever set aside there: then the directory is not empty, and forms no cluster
// (rule R4).
bool HasSetAside(Disk& disk, const std::string& data_dir);

// The folders in which something was set aside, the newest first.
std::vector<std::string> SetAsideFolders(Disk& disk, const std::string& data_dir);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_SET_ASIDE_H_
