// One get, from the name to its last byte.
#ifndef DFS_SERVER_COORDINATOR_GET_OPERATION_H_
#define DFS_SERVER_COORDINATOR_GET_OPERATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "server/coordinator/coordinator.h"

namespace dfs::coordinator {

// Chunks that one get hands over at most: 1 GiB, whose tables take 64 KiB.
inline constexpr std::size_t kHandedChunksMax = 16;

// Order of a get: read index; version, hash and replicas from this node's own state; R confirmations
// (rule R16); then the bytes from any ok replica, every block verified against the log's hash. A bad, slow or
// dead source is replaced midway, unseen by the client.
//
// Used by one thread.
class GetOperation {
 public:
  // Takes the next bytes of the file; false: the client is gone, stop.
  using Sink = std::function<bool(const Slices& data, std::uint64_t offset, std::uint32_t crc)>;

  explicit GetOperation(const Parts& parts) : parts_(parts) {}
  ~GetOperation();
  GetOperation(const GetOperation&) = delete;
  GetOperation& operator=(const GetOperation&) = delete;

  // HandOver will be asked for: chunks of this node are opened while others confirm the version. Before Begin.
  void PrepareHandOver() { hands_over_ = true; }
  // Finds and confirms the version. kNotFound; kInvalidArgument; kOutOfRange (offset beyond the end);
  // kUnavailable NO_QUORUM within kQuorumTimeout, naming the nodes that did not answer; kUnavailable that IsLagging.
  absl::StatusOr<api::FileInfo> Begin(const api::GetRequest& request,
                                      absl::Duration lag_max = kQuorumTimeout);
  // Sends the range that was asked for. kDataLoss: no replica has good bytes for some block. kUnavailable: none
  // can be reached. kCancelled: the sink said stop.
  absl::Status Stream(const Sink& sink);

  // Chunks of this node from the first one asked for on, while each is here and in a file. `offer` gives a ticket for a reader, or
  // nothing if no more may be handed over. Empty: Stream is the way. Call at most one of the two.
  using Offer = std::function<std::optional<std::string>(std::shared_ptr<const chunk::ChunkReader>)>;
  [[nodiscard]] std::vector<api::HandedChunk> HandOver(const Offer& offer);

 private:
  // What is still to be sent of one chunk.
  struct ChunkPart {
    ChunkId id;
    const rpc::ChunkRow& row;
    std::uint64_t offset = 0;     // in the chunk
    std::uint64_t end = 0;
    std::uint64_t file_base = 0;  // where the chunk begins in the file
  };

  absl::StatusOr<bool> FindAndConfirm(const api::GetRequest& request, absl::Duration lag_max);
  absl::StatusOr<bool> Confirm(LogIndex read_index);
  // A chunk of this node on its way to be read.
  struct Opening;
  // Begins to open what HandOver will want first.
  void OpenAhead(const api::GetRequest& request);
  // Null: the log does not say that it is here, in a file; or the disk is known to hang.
  [[nodiscard]] std::shared_ptr<Opening> StartOpening(std::uint32_t index) const;
  absl::Status StreamChunk(std::uint32_t index, std::uint64_t offset, std::uint64_t length,
                           std::uint64_t file_offset, const Sink& sink);
  // Where to read a chunk from, the best first: this node, then usable ones, then those whose disks are slow.
  [[nodiscard]] std::vector<NodeId> SourcesOf(const rpc::ChunkRow& row) const;
  // These move `part.offset` past what was delivered, also when they fail. kDeadlineExceeded: nothing came for
  // `patience`.
  absl::Status StreamLocal(absl::Duration patience, ChunkPart& part, const Sink& sink);
  absl::Status StreamRemote(NodeId node, absl::Duration patience, ChunkPart& part,
                            const Sink& sink);
  // Null: it is not here, in a file, and as the log says, or the disk hangs.
  [[nodiscard]] std::shared_ptr<const chunk::ChunkReader> OpenFileHere(std::uint32_t index);
  void ReportDamaged(const ChunkPart& part);

  const Parts& parts_;
  rpc::BucketRow bucket_;
  rpc::VersionRow version_;
  std::unique_ptr<metadata::MetadataView> view_;
  bool hands_over_ = false;
  std::map<std::uint32_t, std::shared_ptr<Opening>> openings_;  // by chunk; of version_
  std::uint64_t offset_ = 0;
  std::uint64_t end_ = 0;
  TxnId pinned_;  // none: nothing is pinned
};

// The members of a version's set that are not retired: the union of its chunks' sets (0 bytes: the set that
// CompleteEmptySet has left in the row).
std::set<NodeId> ReplicaSetOf(const rpc::VersionRow& version, const metadata::MetadataView& view);

// What a replica answers to "does your state name this version with this hash?" (rule R16). Waits at most 1 s
// for the state to reach `read_index`.
rpc::ConfirmResponse::Verdict ConfirmHere(const Parts& parts, LogIndex read_index,
                                          const rpc::ConfirmItem& item);

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_GET_OPERATION_H_
