#include "server/replicated_log/grpc_raft_inbound.h"

#include <glog/logging.h>

#include <optional>
#include <utility>

#include "proto/wire_status.h"

namespace dfs::replicated_log {

void GrpcRaftInbound::Start(std::shared_ptr<GrpcRaftInbound> self) {
  self_ = std::move(self);
  StartRead(&read_);
}

void GrpcRaftInbound::Send(consensus::Message message) {
  {
    MutexLock lock(&mutex_);
    if (is_closing_) return;
    outbox_.Push(std::move(message));
  }
  Flush();
}

void GrpcRaftInbound::Flush() {
  {
    MutexLock lock(&mutex_);
    if (is_closing_ || is_writing_ || (outbox_.empty() && !owes_hello_)) return;
    is_writing_ = true;
    outbox_.Fill({}, &written_);
    if (std::exchange(owes_hello_, false)) *written_.mutable_hello() = hub_->registry().own();
  }
  StartWrite(&written_);
}

void GrpcRaftInbound::Close(absl::Status status) {
  {
    MutexLock lock(&mutex_);
    if (is_closing_) return;
    is_closing_ = true;
    outbox_.Clear();
    if (is_writing_) {  // OnWriteDone finishes
      status_ = std::move(status);
      return;
    }
  }
  Finish(ToGrpc(status));
}

void GrpcRaftInbound::OnWriteDone(bool is_ok) {
  std::optional<absl::Status> finish;
  {
    MutexLock lock(&mutex_);
    is_writing_ = false;
    if (is_closing_) {
      finish = status_;
    } else if (!is_ok) {
      return;  // the end of reading follows
    }
  }
  if (finish) {
    Finish(ToGrpc(*finish));
  } else {
    Flush();
  }
}

absl::Status GrpcRaftInbound::TakeHello() {
  if (!read_.has_hello()) return absl::InvalidArgumentError("a stream without a hello");
  if (auto status = hub_->registry().CheckInbound(read_.hello()); !status.ok()) {
    hub_->ReportRefusal(NodeId(read_.hello().node_id()), status);
    return status;
  }
  peer_ = NodeId(read_.hello().node_id());
  run_ = RunId(read_.hello().run_id());
  transport_->AddInbound(peer_, read_.hello().peer_address(), self_);
  {
    MutexLock lock(&mutex_);
    owes_hello_ = true;
  }
  Flush();
  return absl::OkStatus();
}

void GrpcRaftInbound::OnReadDone(bool is_ok) {
  if (!is_ok) {
    Close(absl::OkStatus());
    return;
  }
  absl::Status status;
  if (peer_.is_none()) status = TakeHello();
  // A process that dials in but does not answer at the member's own address neither votes nor leads.
  if (status.ok() && hub_->registry().IsConfirmed(peer_, run_)) {
    status = hub_->Deliver(peer_, /*are_replies=*/false, &read_);
  }
  if (!status.ok()) {
    Close(std::move(status));
    return;
  }
  StartRead(&read_);
}

void GrpcRaftInbound::OnCancel() { Close(absl::CancelledError("the peer is gone")); }

void GrpcRaftInbound::OnDone() {
  const auto keep = std::move(self_);
  if (!peer_.is_none()) transport_->RemoveInbound(peer_, this);
  const auto hub = hub_;
  hub->StreamEnds();
}

}  // namespace dfs::replicated_log
