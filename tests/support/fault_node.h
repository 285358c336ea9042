// What a file or a folder of FaultFileSystem holds, and what a crash leaves of it.
#ifndef DFS_TESTS_SUPPORT_FAULT_NODE_H_
#define DFS_TESTS_SUPPORT_FAULT_NODE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dfs::testing {

// What becomes of bytes and names that were not synced.
enum class DiskLoss {
  kNone,  // the process died, the machine went on
  kDrop,  // all lost
  kTear,  // a random prefix stays
  kZero,  // lengths stay; from the last sync or a random sector on the bytes are 0
};

struct FaultNode;
using FaultNodePtr = std::shared_ptr<FaultNode>;

// Not thread-safe: the file system's mutex guards all nodes.
struct FaultNode {
  bool is_folder = false;

  // File: bytes as processes see them. Durable are the first `synced_bytes` of them, unless something below
  // that was changed: then `durable` holds what a crash brings back.
  std::string bytes;
  std::size_t synced_bytes = 0;
  std::optional<std::string> durable;
  bool lost_sync = false;  // a Sync failed: later ones make nothing durable

  // Folder: names as processes see them, names after a crash, and the changes between them in order.
  using Change = std::vector<std::pair<std::string, FaultNodePtr>>;  // null: removed
  std::map<std::string, FaultNodePtr> children;
  std::map<std::string, FaultNodePtr> durable_children;
  std::vector<Change> unsynced;

  void Do(Change change) {
    for (const auto& [name, node] : change) Set(children, name, node);
    unsynced.push_back(std::move(change));
  }
  static void Set(std::map<std::string, FaultNodePtr>& map, const std::string& name,
                  const FaultNodePtr& node) {
    if (node) {
      map[name] = node;
    } else {
      map.erase(name);
    }
  }
  [[nodiscard]] std::string DurableBytes() const {
    return durable ? *durable : bytes.substr(0, synced_bytes);
  }
  void BeforeOverwrite(std::size_t offset) {
    if (offset < synced_bytes && !durable) durable = bytes.substr(0, synced_bytes);
  }
};

// Applies the loss to everything below `root`; what is left is durable.
void CrashNode(const FaultNodePtr& root, DiskLoss loss, std::uint64_t seed);

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_FAULT_NODE_H_
