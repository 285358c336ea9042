// The peer port's service for bytes: decode, one call, encode.
#ifndef DFS_SERVER_CHUNK_REPLICA_SERVICE_H_
#define DFS_SERVER_CHUNK_REPLICA_SERVICE_H_

#include <functional>

#include "absl/time/time.h"
#include "common/admission.h"
#include "common/progress_guard.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.pb.h"
#include "proto/data_message.h"
#include "proto/raw_method.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/set_aside_chunks.h"
#include "server/chunk/confirmer.h"
#include "server/chunk/scrubber.h"

namespace dfs::chunk {

// Thread-safe. The parts outlive it; it outlives the server it is registered with.
class ReplicaService final : public RawService {
 public:
  struct Parts {
    ChunkStore* store = nullptr;
    ChunkPeers* peers = nullptr;      // for CopyChunk
    SetAsideChunks* set_aside = nullptr;  // likewise; may be null
    Confirmer* confirmer = nullptr;
    Scrubber* scrubber = nullptr;     // null: Scrub is refused
    // The node's collector of garbage; null: Collect is refused. Thread-safe, never blocks.
    std::function<api::CollectStatus(const rpc::CollectNodeRequest&)> collect;
    // This node's identity as of now: what its acknowledgements carry. Thread-safe, never blocks.
    std::function<rpc::Ack()> own_ack;
    // A stream on which nothing moves for so long is cancelled.
    absl::Duration stall_timeout = absl::Minutes(2);
    // The same while a chunk is received: its coordinator may keep the put of a client that went away for up to 5 min, and
    // has waited for that client before. One that is gone without a word is found by the server's pings, in 20 s.
    absl::Duration write_stall_timeout = absl::Minutes(6);
  };

  static constexpr int kWritesMax = 64;
  static constexpr int kSmallWritesMax = 64;
  static constexpr int kReadsMax = 64;
  static constexpr int kCopiesMax = 8;
  static constexpr int kConfirmsMax = 64;  // calls; each may wait for a second

  explicit ReplicaService(Parts parts);

 private:
  grpc::Status WriteChunk(grpc::ServerContext* context,
                          grpc::ServerReader<WithData<rpc::WriteChunkRequest>>* reader,
                          rpc::ChunkAck* response);
  grpc::Status WriteSmall(grpc::ServerContext* context,
                          const WithData<rpc::WriteSmallRequest>* request,
                          rpc::WriteSmallResponse* response);
  grpc::Status Relink(grpc::ServerContext* context, const rpc::RelinkRequest* request,
                      rpc::RelinkResponse* response);
  grpc::Status ReadChunk(grpc::ServerContext* context, const rpc::ReadChunkRequest* request,
                         grpc::ServerWriter<WithData<rpc::ReadChunkResponse>>* writer);
  grpc::Status Confirm(grpc::ServerContext* context, const rpc::ConfirmRequest* request,
                       rpc::ConfirmResponse* response);
  grpc::Status CopyChunk(grpc::ServerContext* context, const rpc::CopyChunkRequest* request,
                         rpc::ChunkAck* response);
  grpc::Status ListChunks(grpc::ServerContext* context, const rpc::ListChunksRequest* request,
                          grpc::ServerWriter<rpc::ListChunksResponse>* writer);
  grpc::Status Scrub(grpc::ServerContext* context, const rpc::ScrubNodeRequest* request,
                     api::ScrubStatus* response);
  grpc::Status Collect(grpc::ServerContext* context, const rpc::CollectNodeRequest* request,
                       api::CollectStatus* response);

  absl::Status ReceiveChunk(grpc::ServerContext* context,
                            grpc::ServerReader<WithData<rpc::WriteChunkRequest>>* reader,
                            rpc::ChunkAck* response);
  absl::Status SendChunk(grpc::ServerContext* context, const rpc::ReadChunkRequest& request,
                         grpc::ServerWriter<WithData<rpc::ReadChunkResponse>>* writer);
  // Waits, unless the call was cancelled: for at most kPacedReadBytes at kPacedBytesPerSecondMin.
  static void Pause(const grpc::ServerContext* context, absl::Duration pause);
  absl::Status StoreSmall(const WithData<rpc::WriteSmallRequest>& request,
                          rpc::WriteSmallResponse* response);
  // With the reason and whether anything happened.
  [[nodiscard]] grpc::Status Answer(const absl::Status& status) const;
  [[nodiscard]] rpc::ChunkAck AckOf(const ChunkInfo& info) const;

  const Parts parts_;
  Admission writes_{kWritesMax};
  Admission small_writes_{kSmallWritesMax};
  Admission reads_{kReadsMax};
  Admission copies_{kCopiesMax};
  Admission confirms_{kConfirmsMax};
  ProgressGuard guard_;
};

// As the protocol has it, without the node.
[[nodiscard]] api::ScrubStatus ToWire(const ScrubStatus& status);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_REPLICA_SERVICE_H_
