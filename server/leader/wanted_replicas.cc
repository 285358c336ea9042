#include "server/leader/wanted_replicas.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "common/wire_ids.h"

namespace dfs::leader {
namespace {

// Views hold resources: each is used for so many versions.
constexpr std::size_t kVersionsPerView = 500;

const rpc::Replica* FindReplica(const rpc::ChunkRow& chunk, NodeId node) {
  for (const auto& replica : chunk.replicas()) {
    if (replica.node_id() == node.value()) return &replica;
  }
  return nullptr;
}

}  // namespace

bool WantedReplicas::IsWanted(const ChunkId& chunk) {
  const auto version = machine_->View()->FindVersion(chunk.txn);
  return version && chunk.index < static_cast<std::uint32_t>(version->chunks_size()) &&
         FindReplica(version->chunks(static_cast<int>(chunk.index)), self_) != nullptr;
}

void WantedReplicas::ForEach(const std::function<bool(const chunk::ChunkInfo&)>& visit) {
  TxnId after;
  for (bool is_end = false; !is_end;) {
    const auto view = machine_->View();
    std::vector<chunk::ChunkInfo> page;
    std::size_t seen = 0;
    view->ListVersions(after, [&](const rpc::VersionRow& version) {
      const TxnId txn = FromWire(version.txn());
      after = txn;
      for (int k = 0; version.trashed_index() == 0 && k < version.chunks_size(); ++k) {
        const rpc::ChunkRow& chunk = version.chunks(k);
        const rpc::Replica* const replica = FindReplica(chunk, self_);
        if (replica == nullptr || replica->state() != api::OK) continue;
        page.push_back({{txn, static_cast<std::uint32_t>(k)}, chunk.size(),
                        HashFromWire(chunk.hash())});
      }
      return ++seen < kVersionsPerView;
    });
    is_end = seen < kVersionsPerView;
    for (const auto& chunk : page) {
      if (!visit(chunk)) return;
    }
  }
}

}  // namespace dfs::leader
