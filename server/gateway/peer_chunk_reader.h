// A chunk of a gossip bucket that is read from peers, as it comes: for a node that has no room for a copy of its own.
#ifndef DFS_SERVER_GATEWAY_PEER_CHUNK_READER_H_
#define DFS_SERVER_GATEWAY_PEER_CHUNK_READER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"

namespace dfs::gateway {

// Each Read is one call to the peer that gave the bytes last, and to the next one if that has not what the record names; blocks are
// checked against the hash of the record. Thread-safe. `peers` outlives it.
class PeerChunkReader final : public chunk::ChunkReader {
 public:
  PeerChunkReader(chunk::ChunkPeers* peers, const chunk::ChunkInfo& info, std::vector<NodeId> sources)
      : peers_(peers), info_(info), sources_(std::move(sources)) {}

  [[nodiscard]] const chunk::ChunkInfo& info() const override { return info_; }
  // Nobody asks: it is the peer's.
  [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return table_; }
  // Blocks on the network. kUnavailable: no peer gives these bytes.
  [[nodiscard]] absl::Status Read(std::uint64_t offset, std::span<char> out) const override;

 private:
  [[nodiscard]] absl::Status ReadFrom(NodeId source, std::uint64_t offset, std::span<char> out) const;

  chunk::ChunkPeers* const peers_;
  const chunk::ChunkInfo info_;
  const std::vector<NodeId> sources_;
  mutable std::atomic<std::size_t> first_{0};  // of sources_: who gave the bytes last
  const std::vector<std::uint32_t> table_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_PEER_CHUNK_READER_H_
