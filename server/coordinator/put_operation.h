// One put, from its first byte to its answer.
#ifndef DFS_SERVER_COORDINATOR_PUT_OPERATION_H_
#define DFS_SERVER_COORDINATOR_PUT_OPERATION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checksum.h"
#include "common/ids.h"
#include "common/operation_metrics.h"
#include "dfs/v1/files.pb.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/put_progress.h"
#include "server/coordinator/replica_writer.h"

namespace dfs::coordinator {

// Order of a put (rules R11 to R15, README.md): transaction from the leader; the bytes, cut into chunks,
// to all replicas while they arrive; W durable copies of each chunk; CommitPut. REBEGIN begins again
// and relinks the stored bytes, unseen by the client. Bytes up to chunk::kSmallBytesMax go as one small chunk, batched with
// those of other puts.
//
// Used by one thread at a time. Destroyed before Finish succeeded: whatever was written is left to collection,
// and nothing of it is ever visible.
class PutOperation {
 public:
  // `phases`, if there is one, outlives the operation.
  explicit PutOperation(const Parts& parts, PhaseTimer* phases = nullptr);
  ~PutOperation();
  PutOperation(const PutOperation&) = delete;
  PutOperation& operator=(const PutOperation&) = delete;

  // Checks the header. kInvalidArgument (bad name, bad request id), kNotFound (bucket): nothing happened.
  absl::Status Begin(const api::PutHeader& header);
  // The next bytes of the file. Blocks while the W-th fastest replica lags (the client is slowed down).
  // kDataLoss BAD_CHECKSUM: `crc` is not the CRC32C of `data`. kUnavailable NO_QUORUM. Nothing is visible after an error.
  absl::Status Append(const Slices& data, std::uint32_t crc);
  // Decides. OK: stored, W copies durable. kInvalidArgument SIZE_MISMATCH, kDataLoss BAD_CHECKSUM, kUnavailable: nothing happened.
  // kDeadlineExceeded: outcome unknown.
  absl::StatusOr<api::PutResponse> Finish(const api::PutFinish& finish);

  // From now on; null: nothing is measured.
  void MeasureWith(PhaseTimer* phases) { phases_ = phases; }
  // All bytes that Append took without an error, and their CRC32C.
  [[nodiscard]] std::uint64_t received_bytes() const { return received_bytes_; }
  [[nodiscard]] std::uint32_t received_crc() const { return content_crc_; }
  // As Begin had it.
  [[nodiscard]] const api::PutHeader& header() const { return header_; }
  // Whether the replicas have its bytes, or are being sent them: a small file is held in memory until Finish.
  [[nodiscard]] bool is_large() const { return is_large_; }
  // Bytes in memory that wait for replicas; those that several wait for count several times. Any thread, while no other call
  // is under way.
  [[nodiscard]] std::size_t queued_bytes() const;

 private:
  struct OpenChunk;

  absl::Status BeginTransaction();
  absl::Status Split(const Slices& data, std::uint32_t crc);
  void OpenNextChunk();
  void SealChunk();
  absl::Status WaitForRoom();
  std::size_t BacklogOf(NodeId node) const;
  void CutOff(NodeId node);
  absl::Status WaitForChunk(std::uint32_t index);
  std::optional<NodeId> TakeSpare();
  bool Reinforce(std::uint32_t index);
  bool StartCopies(std::uint32_t index, const QuorumTally& tally);
  [[nodiscard]] bool IsLost(std::uint32_t index);
  void AskReplica(std::uint32_t index, NodeId node, const chunk::ChunkInfo& info, const Slices& data);
  absl::Status StoreSmall();
  absl::Status StoreRest();
  void WaitForLastCopies(absl::Duration grace);
  absl::StatusOr<api::PutResponse> Commit();
  absl::Status BeginAgain();
  absl::Status AwaitRelinks(MonotonicTime end);
  void RelinkCopies();
  rpc::Command MakeCommit() const;
  absl::StatusOr<api::PutResponse> Answer(const rpc::CommandResult& result);
  absl::Status LostQuorum(std::uint32_t index);

  const Parts& parts_;
  PhaseTimer* phases_;
  const MonotonicTime started_;
  api::PutHeader header_;
  rpc::BucketRow bucket_;
  std::size_t quorum_ = 0;             // effective W as this node's state has it; apply decides
  std::unique_ptr<metadata::MetadataView> view_;

  std::uint64_t received_bytes_ = 0;
  Xxh3Stream content_;
  std::uint32_t content_crc_ = 0;

  bool is_large_ = false;
  Slices small_;                        // all bytes so far, until they are too many
  BlockChecksums small_sums_;
  std::vector<std::pair<Slices, std::uint32_t>> small_pieces_;  // as they came, with their CRC32C

  rpc::OpenTransaction txn_;
  bool has_txn_ = false;
  std::vector<NodeId> targets_;         // replicas of the next chunk
  std::vector<NodeId> spares_;
  // Spares that are to copy a chunk from a replica once one holds it in full.
  std::set<std::pair<std::uint32_t, NodeId>> copies_owed_;
  std::unique_ptr<OpenChunk> open_chunk_;
  // Of chunks whose bytes are all queued, and not yet all written.
  std::vector<std::pair<NodeId, std::shared_ptr<ReplicaWriter>>> sealed_;
  const std::shared_ptr<PutProgress> progress_;  // late answers reach it after the operation has ended
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_PUT_OPERATION_H_
