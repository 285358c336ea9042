#include "membership/membership_service.h"

#include <glog/logging.h>

#include "absl/status/status.h"
#include "proto/wire_status.h"

namespace dfs::membership {
namespace {

using Envelope = dfs::internal::v1::RingEnvelope;

// One inbound stream. Reads one envelope at a time, so a sender is never ahead by more than gRPC's flow-control window.
// Only read callbacks, which gRPC calls one after another, touch the fields.
class InboundStream final : public grpc::ServerBidiReactor<Envelope, Envelope> {
 public:
  explicit InboundStream(GrpcMembershipTransport* transport) : transport_(transport) {
    StartRead(&incoming_);
  }

  void OnReadDone(bool is_ok) override {
    if (!is_ok) return Finish(grpc::Status::OK);  // the sender has closed, or is gone
    if (peer_.is_none()) {
      const absl::Status status = transport_->CheckHello(incoming_.hello());
      if (!status.ok()) {
        LOG_EVERY_N(WARNING, 100) << "ring stream refused: " << status.message();
        return Finish(ToGrpc(status));
      }
      peer_ = NodeId(incoming_.hello().node_id());
      *reply_.mutable_hello() = transport_->OwnHello();
      StartWrite(&reply_);
    }
    transport_->Deliver(peer_, incoming_);
    StartRead(&incoming_);
  }
  void OnWriteDone(bool /*is_ok*/) override {}
  void OnDone() override { delete this; }

 private:
  GrpcMembershipTransport* const transport_;
  NodeId peer_;  // none until its Hello was checked
  Envelope incoming_;
  Envelope reply_;
};

}  // namespace

grpc::ServerBidiReactor<Envelope, Envelope>* MembershipService::Exchange(
    grpc::CallbackServerContext* /*context*/) {
  return new InboundStream(transport_);
}

}  // namespace dfs::membership
