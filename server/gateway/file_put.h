// One put, into whatever bucket it goes.
#ifndef DFS_SERVER_GATEWAY_FILE_PUT_H_
#define DFS_SERVER_GATEWAY_FILE_PUT_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operation_metrics.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "server/coordinator/put_operation.h"
#include "server/gateway/gossip_files.h"
#include "server/gossip_store/gossip_host.h"

namespace dfs::gateway {

// A coordinator::PutOperation, or a GossipPut: Begin finds out which. Contracts are theirs. Used by one thread.
class FilePut {
 public:
  // All outlive it. `phases` may be null; of a GossipPut it knows how long it took to begin and to finish.
  FilePut(const coordinator::Parts& parts, GossipFiles* gossip_files, gossip_store::GossipHost* host,
          PhaseTimer* phases)
      : parts_(parts), gossip_files_(gossip_files), host_(host), phases_(phases) {}

  absl::Status Begin(const api::PutHeader& header) {
    if (auto bucket = gossip_files_->BucketOf(header.bucket())) {
      gossip_ = std::make_unique<GossipPut>(parts_, host_, *std::move(bucket));
      const InPhase phase(phases_, Phase::kBegin);
      return gossip_->Begin(header);
    }
    quorum_ = std::make_unique<coordinator::PutOperation>(parts_, phases_);
    return quorum_->Begin(header);
  }
  absl::Status Append(const Slices& data, std::uint32_t crc) {
    return gossip_ != nullptr ? gossip_->Append(data, crc) : quorum_->Append(data, crc);
  }
  absl::StatusOr<api::PutResponse> Finish(const api::PutFinish& finish) {
    if (gossip_ == nullptr) return quorum_->Finish(finish);
    const InPhase phase(phases_, Phase::kSync);
    return gossip_->Finish(finish);
  }

 private:
  const coordinator::Parts& parts_;
  GossipFiles* const gossip_files_;
  gossip_store::GossipHost* const host_;
  PhaseTimer* const phases_;
  // One of them, from Begin on.
  std::unique_ptr<coordinator::PutOperation> quorum_;
  std::unique_ptr<GossipPut> gossip_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_FILE_PUT_H_
