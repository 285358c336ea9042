// What members are for (dfs-server --role).
#ifndef DFS_SERVER_METADATA_NODE_ROLE_H_
#define DFS_SERVER_METADATA_NODE_ROLE_H_

#include <optional>
#include <string_view>

#include "common/wire_ids.h"
#include "dfs/internal/v1/metadata.pb.h"

namespace dfs::metadata {

// Whether it is counted among the members that copies are spread over (MetadataView::member_count).
inline bool HoldsReplicas(const rpc::NodeRow& node) { return node.role() != rpc::GATEWAY_ONLY; }

// Whether it may vote, and count among those that hold the log (rule R7).
inline bool KeepsTheLog(const rpc::NodeRow& node) { return node.role() == rpc::ORDINARY; }

// "node", "gateway", "storage".
inline std::string_view NameOfRole(rpc::NodeRole role) {
  if (role == rpc::GATEWAY_ONLY) return "gateway";
  return role == rpc::STORAGE_ONLY ? "storage" : "node";
}

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_NODE_ROLE_H_
