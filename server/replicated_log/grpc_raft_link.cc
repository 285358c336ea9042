#include "server/replicated_log/grpc_raft_link.h"

#include <glog/logging.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "proto/channel_arguments.h"
#include "proto/wire_status.h"

namespace dfs::replicated_log {
namespace {

constexpr absl::Duration kRetry = absl::Milliseconds(100);
// Of a peer that answers but refuses this node's Hello: doubled each time. (While it starts it may not know yet who is
// a member.)
constexpr absl::Duration kRetryRefusedMax = absl::Seconds(1);

grpc::ChannelArguments LinkArguments() {
  grpc::ChannelArguments arguments = ArgumentsFor(ChannelUse::kControl);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   static_cast<int>(absl::ToInt64Milliseconds(kRetry)));
  return arguments;
}

// A process that is gone: its port refuses, or the connection that worked broke.
bool IsEvidence(bool was_ready, const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return false;
  return was_ready || status.error_message().find("Connection refused") != std::string::npos;
}

}  // namespace

// Keeps itself alive until OnDone. Its hold on the call is given back once reading has ended and nobody is
// writing or about to.
class GrpcRaftLink::Stream final
    : public grpc::ClientBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope> {
 public:
  Stream(std::shared_ptr<GrpcRaftLink> link, std::shared_ptr<grpc::Channel> channel)
      : link_(std::move(link)), stub_(rpc::Raft::NewStub(std::move(channel))) {}

  void Start(std::shared_ptr<Stream> self) {
    self_ = std::move(self);
    link_->hub_->StreamBegins();
    stub_->async()->Exchange(&context_, this);
    *written_.mutable_hello() = link_->hub_->registry().own();
    AddHold();
    StartWrite(&written_);
    StartRead(&read_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  // Claims the right to write. False if somebody has it or the stream is over.
  [[nodiscard]] bool BeginWriting() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (is_writing_ || is_over_) return false;
    is_writing_ = true;
    return true;
  }
  void EndWriting() ABSL_LOCKS_EXCLUDED(mutex_) {
    bool gives_hold_back = false;
    {
      MutexLock lock(&mutex_);
      is_writing_ = false;
      gives_hold_back = is_over_;
    }
    if (gives_hold_back) RemoveHold();
  }
  rpc::RaftEnvelope* envelope() { return &written_; }
  void Write() { StartWrite(&written_); }

  void OnWriteDone(bool is_ok) override {
    if (!is_ok) {
      EndWriting();
      return;
    }
    EndWriting();
    link_->Flush();
  }

  void OnReadDone(bool is_ok) override {
    if (is_ok && !Take().ok()) {
      context_.TryCancel();
      is_ok = false;
    }
    if (is_ok) {
      StartRead(&read_);
      return;
    }
    bool gives_hold_back = false;
    {
      MutexLock lock(&mutex_);
      is_over_ = true;
      gives_hold_back = !is_writing_;
    }
    if (gives_hold_back) RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    const auto link = link_;
    const auto keep = std::move(self_);
    link->OnStreamDone(this, is_ready_, refusal_.ok() ? status : ToGrpc(refusal_));
    link->hub_->StreamEnds();
  }

 private:
  absl::Status Take() {
    if (!is_ready_) {
      refusal_ = read_.has_hello()
                     ? link_->hub_->registry().CheckOutbound(link_->peer_, read_.hello())
                     : absl::InvalidArgumentError("a stream without a hello");
      if (!refusal_.ok()) return refusal_;
      is_ready_ = true;
      link_->hub_->RecordEpoch(link_->peer_, BootEpoch(read_.hello().boot_epoch()));
      link_->OnStreamReady(this);
    }
    refusal_ = link_->hub_->Deliver(link_->peer_, /*are_replies=*/true, &read_);
    return refusal_;
  }

  const std::shared_ptr<GrpcRaftLink> link_;
  const std::unique_ptr<rpc::Raft::Stub> stub_;
  grpc::ClientContext context_;
  std::shared_ptr<Stream> self_;
  rpc::RaftEnvelope read_;     // reading only
  bool is_ready_ = false;      // reading only: the peer's Hello was accepted
  absl::Status refusal_;       // reading only
  rpc::RaftEnvelope written_;  // whoever writes
  Mutex mutex_;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = true;  // the hello
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
};

GrpcRaftLink::GrpcRaftLink(std::shared_ptr<GrpcRaftHub> hub, NodeId peer, std::string address)
    : hub_(std::move(hub)), peer_(peer), address_(std::move(address)) {}

void GrpcRaftLink::Connect() {
  std::shared_ptr<Stream> stream;
  {
    MutexLock lock(&mutex_);
    if (is_closed_ || stream_ != nullptr) return;
    if (channel_ == nullptr) channel_ = hub_->dialer().Dial(address_, LinkArguments());
    stream_ = std::make_shared<Stream>(shared_from_this(), channel_);
    stream = stream_;
  }
  stream->Start(stream);
}

void GrpcRaftLink::ConnectNow() {
  std::shared_ptr<grpc::Channel> channel;
  {
    MutexLock lock(&mutex_);
    if (is_closed_ || is_ready_) return;
    channel = channel_;
  }
  if (channel != nullptr) grpc::experimental::ChannelResetConnectionBackoff(channel.get());
  Connect();
}

void GrpcRaftLink::Send(consensus::Message message) {
  {
    MutexLock lock(&mutex_);
    if (!is_ready_) return;
    outbox_.Push(std::move(message));
  }
  Flush();
}

void GrpcRaftLink::Flush() {
  std::shared_ptr<Stream> stream;
  {
    MutexLock lock(&mutex_);
    if (!is_ready_ || outbox_.empty() || !stream_->BeginWriting()) return;
    stream = stream_;
    outbox_.Fill(hub_->checkpoint(), stream->envelope());
  }
  stream->Write();
}

void GrpcRaftLink::OnStreamReady(Stream* stream) {
  MutexLock lock(&mutex_);
  if (stream_.get() != stream) return;
  is_ready_ = true;
  if (!last_refusal_.empty()) LOG(INFO) << "node " << peer_ << " at " << address_ << " answers";
  last_refusal_.clear();
}

void GrpcRaftLink::OnStreamDone(Stream* stream, bool was_ready, const grpc::Status& status) {
  absl::Duration pause = absl::ZeroDuration();  // a stream that broke is opened again at once
  {
    MutexLock lock(&mutex_);
    if (stream_.get() != stream) return;
    stream_.reset();
    is_ready_ = false;
    outbox_.Clear();
    if (is_closed_) return;
    const std::string text = status.error_message();
    if (text != last_refusal_) LOG(INFO) << "node " << peer_ << " at " << address_ << ": " << text;
    last_refusal_ = text;
    const bool is_away = status.error_code() == grpc::StatusCode::UNAVAILABLE;
    retry_ = is_away || was_ready ? kRetry : std::min(2 * retry_, kRetryRefusedMax);
    if (!was_ready) pause = retry_;
  }
  if (IsEvidence(was_ready, status)) hub_->ReportRefused(peer_);
  if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION) hub_->ReportHelloRefused(peer_);
  hub_->timers().PostAt(SystemClock().Now() + pause,
                        [link = weak_from_this()] {
                          if (const auto alive = link.lock()) alive->Connect();
                        });
}

void GrpcRaftLink::Close() {
  std::shared_ptr<Stream> stream;
  {
    MutexLock lock(&mutex_);
    is_closed_ = true;
    is_ready_ = false;
    outbox_.Clear();
    stream = stream_;
  }
  if (stream != nullptr) stream->Cancel();
}

}  // namespace dfs::replicated_log
