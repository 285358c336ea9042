#include "tests/support/fault_node.h"

#include <algorithm>
#include <set>

#include "common/random.h"

namespace dfs::testing {
namespace {

constexpr std::size_t kSectorBytes = 512;

void CrashFolder(FaultNode& node, DiskLoss loss, Random& random) {
  if (loss != DiskLoss::kNone) {
    const std::size_t kept =
        loss == DiskLoss::kDrop ? 0 : random.Below(node.unsynced.size() + 1);
    node.children = node.durable_children;
    for (std::size_t i = 0; i < kept; ++i) {
      for (const auto& [name, child] : node.unsynced[i]) {
        FaultNode::Set(node.children, name, child);
      }
    }
  }
  node.durable_children = node.children;
  node.unsynced.clear();
}

std::string BytesAfterCrash(const FaultNode& node, DiskLoss loss, Random& random) {
  std::string durable = node.DurableBytes();
  if (loss == DiskLoss::kDrop || node.lost_sync) return durable;
  if (node.durable) {
    // Overwritten or cut in place: the old bytes, with a random prefix of the new ones over them.
    const std::size_t kept = random.Below(node.bytes.size() + 1);
    if (durable.size() < kept) durable.resize(kept);
    durable.replace(0, kept, node.bytes, 0, kept);
    return durable;
  }
  std::string bytes = node.bytes;
  const std::size_t kept = durable.size() + random.Below(bytes.size() - durable.size() + 1);
  if (loss == DiskLoss::kTear) {
    bytes.resize(kept);
  } else {
    const std::size_t sector_end = (kept + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
    const std::size_t zeros = kept == durable.size() ? kept : std::min(sector_end, bytes.size());
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(zeros), bytes.end(), '\0');
  }
  return bytes;
}

void CrashFile(FaultNode& node, DiskLoss loss, Random& random) {
  if (loss != DiskLoss::kNone) node.bytes = BytesAfterCrash(node, loss, random);
  node.durable.reset();
  node.synced_bytes = node.bytes.size();
  node.lost_sync = false;
}

}  // namespace

void CrashNode(const FaultNodePtr& root, DiskLoss loss, std::uint64_t seed) {
  Random random(seed);
  std::set<FaultNode*> done;  // hard links reach a file twice
  std::vector<FaultNodePtr> waiting = {root};
  while (!waiting.empty()) {
    const FaultNodePtr node = std::move(waiting.back());
    waiting.pop_back();
    if (!done.insert(node.get()).second) continue;
    if (!node->is_folder) {
      CrashFile(*node, loss, random);
      continue;
    }
    CrashFolder(*node, loss, random);
    for (const auto& [name, child] : node->children) waiting.push_back(child);
  }
}

}  // namespace dfs::testing
