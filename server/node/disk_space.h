// A node whose disk is so full that its databases cannot write stops, and starts again by itself once there is space.
//
// Chunks leave a reserve (server/chunk), so only bytes that are not this node's can bring it here.
#ifndef DFS_SERVER_NODE_DISK_SPACE_H_
#define DFS_SERVER_NODE_DISK_SPACE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/disk.h"
#include "server/node/join.h"

namespace dfs::node {

// Whether a node can run there: half of what chunks leave, 64 MiB at most. Also if the disk does not tell. Blocks.
[[nodiscard]] bool HasSpaceToRun(Disk& disk, const std::string& data_dir);

// Blocks until HasSpaceToRun; looks once a second and says so in the log. False: `interrupted`.
[[nodiscard]] bool AwaitSpaceToRun(Disk& disk, const std::string& data_dir,
                                   const Interrupted& interrupted);

// Begins this program anew in this process, with the arguments and the environment of its start. Nothing of what is in
// memory survives, and the system closes all files: as if it had been killed and started. Only returns if that fails.
void RestartProgram();

// What a store calls that cannot go on (its state is not what its memory says): if the disk is full RestartProgram, else the
// process ends. The disk outlives the function.
[[nodiscard]] std::function<void(absl::Status)> FailStopOf(Disk& disk, const std::string& data_dir);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_DISK_SPACE_H_
