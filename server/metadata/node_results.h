// What the commands on nodes have in common. Internal to this folder.
#ifndef DFS_SERVER_METADATA_NODE_RESULTS_H_
#define DFS_SERVER_METADATA_NODE_RESULTS_H_

#include <string>

#include "server/metadata/machine_cache.h"
#include "server/metadata/session_table.h"

namespace dfs::metadata {

inline rpc::CommandResult InvalidNode(const ApplyContext& context, const std::string& message) {
  return Refusal(context, rpc::CommandResult::INVALID, message);
}

inline rpc::CommandResult NodeDone(const ApplyContext& context, const rpc::NodeRow& node) {
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  result.set_applied_index(context.index.value());
  *result.mutable_node() = node;
  return result;
}

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_NODE_RESULTS_H_
