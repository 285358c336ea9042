// The data directory of a node: ours alone.
#ifndef DFS_SERVER_REPLICATED_LOG_POSIX_DATA_DIRECTORY_H_
#define DFS_SERVER_REPLICATED_LOG_POSIX_DATA_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"

namespace dfs::replicated_log {

// Makes the directory with mode 0700 if it is not there (its parent must be), and syncs the parent.
//   kFailedPrecondition  it is open to group or others, belongs to another user, or is no directory
//   kUnavailable         it cannot be made or looked at
[[nodiscard]] absl::Status PrepareDataDirectory(const std::string& path);

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_POSIX_DATA_DIRECTORY_H_
