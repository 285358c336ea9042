// Opens the log and metadata database of a node, or sets a damaged one aside (rules R3, R22).
#ifndef DFS_SERVER_NODE_OPEN_LOG_H_
#define DFS_SERVER_NODE_OPEN_LOG_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/node/join.h"
#include "server/replicated_log/log_store.h"

namespace dfs::node {

// Carries out what was ordered before, opens the database and reads the whole log once, while it may still be refused. A
// damaged one is set aside, and an empty one opened, if one of `others` knows a leader (metadata_damage.h). Once it is open,
// damage in a row is noted for the next start and ends the process.
//   kDataLoss   damaged, and not set aside; the text says what to do
//   kCancelled  interrupted
absl::StatusOr<std::unique_ptr<replicated_log::LogStore>> OpenLog(
    const std::string& data_dir, const Others& others, const Interrupted& interrupted);

// True: the error is damage, and noted: the next OpenLog sets the directory aside, if the cluster serves without it.
bool NoteIfDamage(const std::string& data_dir, const absl::Status& status);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_OPEN_LOG_H_
