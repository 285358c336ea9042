// The chunk stores of other nodes, as coordinators and the leader's repair use them.
#ifndef DFS_SERVER_CHUNK_CHUNK_PEERS_H_
#define DFS_SERVER_CHUNK_CHUNK_PEERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.pb.h"
#include "proto/data_message.h"
#include "server/chunk/chunk_store.h"

namespace dfs::chunk {

// Sends one chunk to one node. Write and Finish from one thread; Cancel from any.
// Destroyed unfinished: cancelled; the other side keeps nothing.
class RemoteChunkWriter {
 public:
  virtual ~RemoteChunkWriter() = default;
  // Blocks while the connection's flow control holds it back. `crc` is CRC32C of `data`. At most 2 MiB.
  [[nodiscard]] virtual absl::Status Write(const Slices& data, std::uint32_t crc) = 0;
  // Blocks until the other side has made the chunk durable. The ack's size and hash equal the arguments.
  [[nodiscard]] virtual absl::StatusOr<rpc::ChunkAck> Finish(std::uint64_t size, Hash128 hash) = 0;
  virtual void Cancel() = 0;
};

// Receives a range of one chunk. Next from one thread; Cancel from any.
class RemoteChunkReader {
 public:
  virtual ~RemoteChunkReader() = default;
  // Of the whole chunk. The table was NOT checked against the log's hash: the caller does.
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual const std::vector<std::uint32_t>& table() const = 0;
  struct Piece {
    std::uint64_t offset = 0;  // in the chunk; a multiple of 64 KiB
    Slices data;               // whole blocks, not yet checked against the table; empty at the end
  };
  [[nodiscard]] virtual absl::StatusOr<Piece> Next() = 0;
  virtual void Cancel() = 0;
};

// Thread-safe. Errors of every call: kUnavailable (the node cannot be reached; nothing known to have happened),
// kDeadlineExceeded (no progress within the time given; outcome unknown), else what the node said.
class ChunkPeers {
 public:
  virtual ~ChunkPeers() = default;

  using AckCallback = absl::AnyInvocable<void(absl::StatusOr<rpc::Ack>)>;
  using VerdictCallback = absl::AnyInvocable<void(absl::StatusOr<rpc::ConfirmResponse::Verdict>)>;

  // `progress_timeout`: the writer fails if a Write or the Finish takes longer.
  virtual std::unique_ptr<RemoteChunkWriter> Write(NodeId node, const ChunkId& chunk,
                                                   absl::Duration progress_timeout) = 0;
  // Never blocks; batches what is waiting for the same node into one call. The callback runs on an internal
  // thread: return at once.
  virtual void WriteSmall(NodeId node, const ChunkInfo& info, Slices data, absl::Duration timeout,
                          AckCallback done) = 0;
  // Rule R14, at most kRelinksMax items, all or none. Never blocks; the callback runs on an internal thread: return
  // at once.
  virtual void RelinkAll(NodeId node, std::vector<Relink> items, absl::Duration timeout,
                         AckCallback done) = 0;
  // `bytes_per_s_max`: the other side sends no faster (ReadChunkRequest); 0: as fast as it goes.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<RemoteChunkReader>> Read(
      NodeId node, const ChunkId& chunk, std::uint64_t offset, std::uint64_t length,
      absl::Duration progress_timeout, std::uint64_t bytes_per_s_max) = 0;
  // Batched like WriteSmall (rule R16).
  virtual void Confirm(NodeId node, LogIndex read_index, rpc::ConfirmItem item, absl::Duration timeout,
                       VerdictCallback done) = 0;
  // Asks `node` to make its own copy from the sources in the request. Blocks until it is durable.
  [[nodiscard]] virtual absl::StatusOr<rpc::ChunkAck> Copy(NodeId node, const rpc::CopyChunkRequest& request,
                                                           absl::Duration progress_timeout) = 0;
  // What the node holds. Blocks. Stops when visit returns false.
  [[nodiscard]] virtual absl::Status List(NodeId node,
                                          const std::function<bool(const rpc::SmallChunk&)>& visit,
                                          absl::Duration timeout) = 0;
  // How far the node's scrubber is; starts a whole pass if `start`. Blocks.
  [[nodiscard]] virtual absl::StatusOr<api::ScrubStatus> Scrub(NodeId /*node*/, bool /*start*/,
                                                               absl::Duration /*timeout*/) {
    return absl::UnimplementedError("this kind of peer has no scrubber");
  }
  // What the node's collector of garbage has done; see CollectNodeRequest. Blocks.
  [[nodiscard]] virtual absl::StatusOr<api::CollectStatus> Collect(
      NodeId /*node*/, const rpc::CollectNodeRequest& /*request*/, absl::Duration /*timeout*/) {
    return absl::UnimplementedError("this kind of peer has no collector");
  }
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_CHUNK_PEERS_H_
