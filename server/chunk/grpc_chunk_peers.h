// ChunkPeers over gRPC: bytes on the bulk channels, small calls on the control channels.
#ifndef DFS_SERVER_CHUNK_GRPC_CHUNK_PEERS_H_
#define DFS_SERVER_CHUNK_GRPC_CHUNK_PEERS_H_

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/executor.h"
#include "common/peer_channels.h"
#include "common/progress_guard.h"
#include "common/sync.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/grpc_peer_batcher.h"
#include "server/chunk/replica_methods.h"

namespace dfs::chunk {

// Thread-safe. `channels` outlives it; it outlives its readers and writers. Its destruction cancels what is batched
// and waits for the callbacks.
class GrpcChunkPeers final : public ChunkPeers {
 public:
  explicit GrpcChunkPeers(PeerChannels* channels);
  ~GrpcChunkPeers() override;

  std::unique_ptr<RemoteChunkWriter> Write(NodeId node, const ChunkId& chunk,
                                           absl::Duration progress_timeout) override;
  void WriteSmall(NodeId node, const ChunkInfo& info, Slices data, absl::Duration timeout,
                  AckCallback done) override;
  void RelinkAll(NodeId node, std::vector<Relink> items, absl::Duration timeout,
                 AckCallback done) override;
  absl::StatusOr<std::unique_ptr<RemoteChunkReader>> Read(NodeId node, const ChunkId& chunk,
                                                          std::uint64_t offset,
                                                          std::uint64_t length,
                                                          absl::Duration progress_timeout,
                                                          std::uint64_t bytes_per_s_max) override;
  void Confirm(NodeId node, LogIndex read_index, rpc::ConfirmItem item, absl::Duration timeout,
               VerdictCallback done) override;
  // One answer, no sign of life before it: `progress_timeout` is for the whole copy.
  absl::StatusOr<api::ScrubStatus> Scrub(NodeId node, bool start,
                                         absl::Duration timeout) override;
  absl::StatusOr<api::CollectStatus> Collect(NodeId node, const rpc::CollectNodeRequest& request,
                                             absl::Duration timeout) override;
  absl::StatusOr<rpc::ChunkAck> Copy(NodeId node, const rpc::CopyChunkRequest& request,
                                     absl::Duration progress_timeout) override;
  absl::Status List(NodeId node, const std::function<bool(const rpc::SmallChunk&)>& visit,
                    absl::Duration timeout) override;

 private:
  // Null if the node's address is not known.
  std::shared_ptr<const ReplicaMethods> MethodsOf(NodeId node, ChannelUse use)
      ABSL_LOCKS_EXCLUDED(mutex_);

  PeerChannels* const channels_;
  ProgressGuard guard_;
  Mutex mutex_;
  std::map<std::pair<NodeId, ChannelUse>, std::shared_ptr<const ReplicaMethods>> methods_
      ABSL_GUARDED_BY(mutex_);
  ThreadExecutor callbacks_;  // of what is refused before it is sent
  // Last: their destruction needs what stands above.
  PeerBatcher<SmallWriteCall> small_writes_;
  PeerBatcher<ConfirmCall> confirms_;
  PeerBatcher<RelinkCall> relinks_;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_GRPC_CHUNK_PEERS_H_
