#include "server/leader/wanted_replicas.h"

#include <glog/logging.h>

namespace dfs::leader {

bool WantedReplicas::IsWanted(const ChunkId& chunk) {
  const auto are_named = catalog_->AreNamed(self_, {chunk});
  return !are_named.ok() || are_named->front();
}

void WantedReplicas::ForEach(const std::function<bool(const chunk::ChunkInfo&)>& visit) {
  TxnId after;
  while (true) {
    const auto page = catalog_->ListGood(self_, after);
    if (!page.ok()) {
      LOG(INFO) << "what this node should hold is not known: " << page.status();
      return;
    }
    for (const auto& chunk : page->chunks) {
      if (!visit(chunk)) return;
    }
    if (page->is_end) return;
    after = page->last;
  }
}

}  // namespace dfs::leader
