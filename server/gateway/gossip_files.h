// Files of gossip buckets: answered by this node alone, whatever the others do.
#ifndef DFS_SERVER_GATEWAY_GOSSIP_FILES_H_
#define DFS_SERVER_GATEWAY_GOSSIP_FILES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checksum.h"
#include "common/ids.h"
#include "dfs/v1/files.pb.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/file_reads.h"
#include "server/gossip_store/gossip_host.h"

namespace dfs::gateway {

// No call waits for a leader or a quorum. What this node does not know is asked of the peers that can be reached, 1 s in
// all. Every answer, NOT_FOUND too, says that its consistency is EVENTUAL. Conditions and versions are refused:
// kFailedPrecondition. All calls block. Thread-safe.
class GossipFiles {
 public:
  // Both outlive it. `host` null: there are no gossip buckets here.
  GossipFiles(const coordinator::Parts& parts, gossip_store::GossipHost* host)
      : parts_(parts), host_(host) {}

  // The row of the bucket if it is of mode gossip. Nobody is asked about a bucket that this node knows.
  [[nodiscard]] std::optional<rpc::BucketRow> BucketOf(const std::string& name) const;
  // Of a change that such buckets do not have.
  [[nodiscard]] static absl::Status Refused(std::string_view what);

  absl::Status Get(const rpc::BucketRow& bucket, const api::GetRequest& request, const GetSink& sink);
  absl::Status Stat(const rpc::BucketRow& bucket, const api::StatRequest& request,
                    api::StatResponse* response);
  // Rows of the nodes that answer within 1 s.
  absl::Status Locate(const rpc::BucketRow& bucket, const api::LocateRequest& request,
                      api::LocateResponse* response);
  absl::Status List(const rpc::BucketRow& bucket, const api::ListRequest& request, const ListSink& sink);
  absl::StatusOr<api::RemoveResponse> Remove(const rpc::BucketRow& bucket,
                                             const api::RemoveRequest& request);
  // Of the names that this node knows.
  absl::StatusOr<api::ClearResponse> Clear(const rpc::BucketRow& bucket, const api::ClearRequest& request);

  // What a bucket holds, as this node knows it.
  void AddCounts(api::BucketInfo* info);

 private:
  struct Found {
    gossip_store::Record record;
    std::vector<NodeId> holders;  // peers that have it; empty if nobody was asked
    bool is_here = false;
  };
  absl::StatusOr<Found> Find(const rpc::BucketRow& bucket, const std::string& name,
                             std::optional<std::uint64_t> version);
  absl::Status StreamChunk(const Found& found, std::size_t index, std::uint64_t offset,
                           std::uint64_t end, const GetSink& sink,
                           WithData<api::GetResponse>* message);
  // From this node's store; brought here first if it is not, or damaged.
  absl::StatusOr<std::unique_ptr<chunk::ChunkReader>> Open(const Found& found, std::size_t index);
  // Makes the chunk anew here; if there is no room, it is read from the peers.
  absl::StatusOr<std::unique_ptr<chunk::ChunkReader>> Bring(const Found& found, std::size_t index);

  const coordinator::Parts& parts_;
  gossip_store::GossipHost* const host_;
};

// One put into a gossip bucket, as coordinator::PutOperation. OK: durable on this node, which tells the others. Sent again
// it is another put of the same content. Used by one thread.
class GossipPut {
 public:
  GossipPut(const coordinator::Parts& parts, gossip_store::GossipHost* host, rpc::BucketRow bucket);
  ~GossipPut();
  GossipPut(const GossipPut&) = delete;
  GossipPut& operator=(const GossipPut&) = delete;

  absl::Status Begin(const api::PutHeader& header);
  absl::Status Append(const Slices& data, std::uint32_t crc);
  absl::StatusOr<api::PutResponse> Finish(const api::PutFinish& finish);

 private:
  absl::Status AppendPart(const Slices& part, std::uint32_t crc);
  absl::Status SealChunk();

  const coordinator::Parts& parts_;
  gossip_store::GossipHost* const host_;
  const rpc::BucketRow bucket_;
  api::PutHeader header_;
  gossip_store::Record record_;
  std::unique_ptr<chunk::ChunkWriter> writer_;
  std::uint64_t chunk_bytes_ = 0;  // of the open chunk
  Xxh3Stream content_;
  bool is_handed_over_ = false;    // the host has the chunks
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_GOSSIP_FILES_H_
