#include "server/gossip_store/gossip_chunks.h"

#include <algorithm>

#include <glog/logging.h>

#include "common/gossip_txn.h"
#include "common/status_macros.h"
#include "server/chunk/chunk_copy.h"
#include "server/gossip_store/gossip_message_codec.h"

namespace dfs::gossip_store {
namespace {

static_assert(kChunkBytes == chunk::kChunkBytesMax);

// No leader is asked: the records of this node alone say what is needed here. The question comes before the look at them,
// so that whoever begins to need the chunk voids it or is seen (rule R19).
absl::Status Drop(chunk::ChunkStore* store, const ChunkId& chunk,
                  const std::function<bool(const TxnId&)>& is_needed) {
  for (const bool is_last : {false, true}) {
    const auto nonce = store->OpenQuestion(chunk);
    if (!nonce || is_needed(chunk.txn)) return absl::OkStatus();
    const absl::Status status = is_last ? store->Remove(chunk, *nonce) : store->Trash(chunk, *nonce);
    // It may be in the trash already, from a drop that was cut short.
    if (!status.ok() && is_last) return status;
  }
  return absl::OkStatus();
}

}  // namespace

chunk::ChunkInfo ChunkOf(const Record& record, std::size_t index) {
  const std::uint64_t begin = index * kChunkBytes;
  return {{record.txn, static_cast<std::uint32_t>(index)},
          std::min(kChunkBytes, record.size - begin),
          record.chunks[index]};
}

std::vector<chunk::ChunkInfo> ChunksOf(const Record& record) {
  std::vector<chunk::ChunkInfo> out;
  for (std::size_t i = 0; i < record.chunks.size(); ++i) out.push_back(ChunkOf(record, i));
  return out;
}

absl::Status FetchChunks(chunk::ChunkStore* store, chunk::ChunkPeers* peers, const Record& record,
                         const std::vector<NodeId>& sources) {
  for (const chunk::ChunkInfo& info : ChunksOf(record)) {
    // Every round asks again for what a full disk did not take: no peer is to begin to read it for that.
    if (!store->Find(info.id) && store->GetSpace().free_bytes < info.size) {
      return absl::ResourceExhaustedError("too little space is free on this node's disk");
    }
    DFS_RETURN_IF_ERROR(chunk::CopyChunk(store, peers, info, sources).status());
  }
  return absl::OkStatus();
}

void DropChunks(chunk::ChunkStore* store, const TxnId& txn, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const ChunkId chunk{txn, static_cast<std::uint32_t>(i)};
    const absl::Status dropped = Drop(store, chunk, [](const TxnId&) { return false; });
    LOG_IF(WARNING, !dropped.ok()) << "chunk " << chunk << " of a gossip bucket stays: " << dropped;
  }
}

std::size_t SweepChunks(chunk::ChunkStore* store, const std::function<bool(const TxnId&)>& is_needed,
                        absl::Time untouched, std::size_t count_max) {
  std::vector<ChunkId> orphans;
  // The last one that is no gossip bucket's.
  const ChunkId before{{Term(kGossipTermBit - 1), ~std::uint64_t{0}}, ~std::uint32_t{0}};
  store->ForEach(before, [&](const chunk::HeldChunk& held) {
    if (held.touched <= untouched && !is_needed(held.info.id.txn)) orphans.push_back(held.info.id);
    return orphans.size() < count_max;
  });
  for (const ChunkId& chunk : orphans) {
    const absl::Status dropped = Drop(store, chunk, is_needed);
    LOG_IF(WARNING, !dropped.ok()) << "chunk " << chunk << " of a gossip bucket stays: " << dropped;
  }
  return orphans.size();
}

}  // namespace dfs::gossip_store
