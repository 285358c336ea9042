// One put, into whatever bucket it goes.
#ifndef DFS_SERVER_GATEWAY_FILE_PUT_H_
#define DFS_SERVER_GATEWAY_FILE_PUT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operation_metrics.h"
#include "common/status_macros.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "server/coordinator/parked_puts.h"
#include "server/coordinator/put_operation.h"
#include "server/gateway/gossip_files.h"
#include "server/gossip_store/gossip_host.h"

namespace dfs::gateway {

// A coordinator::PutOperation, or a GossipPut: Begin finds out which. Contracts are theirs, and those of coordinator::ParkedPuts
// for puts with a resume_token, which those of gossip buckets do not look at. Used by one thread.
class FilePut {
 public:
  // All outlive it. `phases` may be null; of a GossipPut it knows how long it took to begin and to finish.
  FilePut(const coordinator::Parts& parts, GossipFiles* gossip_files, gossip_store::GossipHost* host,
          coordinator::ParkedPuts* parked, PhaseTimer* phases)
      : parts_(parts), gossip_files_(gossip_files), host_(host), parked_(parked), phases_(phases) {}

  // `owner`: who may go on with it, if the header has a resume_token.
  absl::Status Begin(const api::PutHeader& header, const std::string& owner = "") {
    if (header.has_resume_offset()) return Resume(header, owner);
    if (auto bucket = gossip_files_->BucketOf(header.bucket())) {
      gossip_ = std::make_unique<GossipPut>(parts_, host_, *std::move(bucket));
      const InPhase phase(phases_, Phase::kBegin);
      return gossip_->Begin(header);
    }
    if (header.has_resume_token()) {
      DFS_ASSIGN_OR_RETURN(ticket_, parked_->Begin(owner, header));
    }
    quorum_ = std::make_unique<coordinator::PutOperation>(parts_, phases_);
    return quorum_->Begin(header);
  }
  // Bytes that the put had before this stream.
  [[nodiscard]] std::uint64_t resumed_at() const { return resumed_at_; }
  absl::Status Append(const Slices& data, std::uint32_t crc) {
    return gossip_ != nullptr ? gossip_->Append(data, crc) : quorum_->Append(data, crc);
  }
  absl::StatusOr<api::PutResponse> Finish(const api::PutFinish& finish) {
    if (gossip_ == nullptr) return quorum_->Finish(finish);
    const InPhase phase(phases_, Phase::kSync);
    return gossip_->Finish(finish);
  }
  // Last, instead of Finish: the stream broke. Whether what there is is kept for another stream.
  bool Park() { return quorum_ != nullptr && parked_->Park(std::move(ticket_), std::move(quorum_)); }

 private:
  absl::Status Resume(const api::PutHeader& header, const std::string& owner) {
    DFS_ASSIGN_OR_RETURN(coordinator::ParkedPuts::Resumed resumed, parked_->Resume(owner, header));
    ticket_ = std::move(resumed.ticket);
    quorum_ = std::move(resumed.put);
    quorum_->MeasureWith(phases_);
    resumed_at_ = quorum_->received_bytes();
    return absl::OkStatus();
  }

  const coordinator::Parts& parts_;
  GossipFiles* const gossip_files_;
  gossip_store::GossipHost* const host_;
  coordinator::ParkedPuts* const parked_;
  PhaseTimer* const phases_;
  std::uint64_t resumed_at_ = 0;
  coordinator::ParkedPuts::Ticket ticket_;
  // One of them, from Begin on.
  std::unique_ptr<coordinator::PutOperation> quorum_;
  std::unique_ptr<GossipPut> gossip_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_FILE_PUT_H_
