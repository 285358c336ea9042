#ifndef DFS_SERVER_NODE_VERSION_H_
#define DFS_SERVER_NODE_VERSION_H_

namespace dfs::node {
inline constexpr char kVersion[] = "0.1.0";
}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_VERSION_H_
