#include "server/leader/replica_catalog.h"

#include <cstdint>

#include "common/mutant.h"
#include "common/wire_ids.h"
#include "glog/logging.h"

namespace dfs::leader {
namespace {

// Versions that one page looks at, as views hold resources, and chunks after which it ends.
constexpr std::size_t kVersionsPerPage = 500;
constexpr std::size_t kChunksPerPage = 10'000;

const rpc::Replica* FindReplica(const rpc::ChunkRow& chunk, NodeId node) {
  for (const auto& replica : chunk.replicas()) {
    if (replica.node_id() == node.value()) return &replica;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::vector<bool>> LocalReplicaCatalog::AreNamed(NodeId node, const std::vector<ChunkId>& chunks) {
  CHECK_LE(chunks.size(), kChunksMax);
  const auto view = machine_->View();
  std::vector<bool> are_named;
  are_named.reserve(chunks.size());
  for (const ChunkId& chunk : chunks) {
    const auto version = view->FindVersion(chunk.txn);
    are_named.push_back(version && chunk.index < static_cast<std::uint32_t>(version->chunks_size()) &&
                        FindReplica(version->chunks(static_cast<int>(chunk.index)), node) != nullptr);
  }
  return are_named;
}

absl::StatusOr<ReplicaCatalog::Page> LocalReplicaCatalog::ListGood(NodeId node, const TxnId& after) {
  Page page;
  page.is_end = true;
  std::size_t seen = 0;
  machine_->View()->ListVersions(after, [&](const rpc::VersionRow& version) {
    page.last = FromWire(version.txn());
    for (int k = 0; version.trashed_index() == 0 && k < version.chunks_size(); ++k) {
      const rpc::ChunkRow& chunk = version.chunks(k);
      const rpc::Replica* const replica = FindReplica(chunk, node);
      if (replica == nullptr || replica->state() != api::OK) continue;
      page.chunks.push_back({{page.last, static_cast<std::uint32_t>(k)}, chunk.size(), HashFromWire(chunk.hash())});
    }
    page.is_end = ++seen < kVersionsPerPage && page.chunks.size() < kChunksPerPage;
    return page.is_end;
  });
  return page;
}

absl::Status LocalReplicaCatalog::ListLetGo(NodeId node, const std::function<bool(const ChunkId&)>& visit) {
  const auto view = machine_->View();
  bool goes_on = true;
  const auto pass = [&](const ChunkId& chunk) { return goes_on = visit(chunk); };
  view->ListPurged(node, pass);
  if (goes_on && !DFS_MUTANT(1003, "a node does not tell that what it let go is gone")) {
    view->ListReleased(node, pass);
  }
  return absl::OkStatus();
}

}  // namespace dfs::leader
