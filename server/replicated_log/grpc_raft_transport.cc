#include "server/replicated_log/grpc_raft_transport.h"

#include <glog/logging.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <utility>

#include "proto/channel_arguments.h"
#include "proto/wire_status.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {
namespace {

// After the first failure at once, then ever more slowly: a peer that comes back dials us, and is then dialled at once.
constexpr absl::Duration kRedialFirst = absl::Milliseconds(20);
constexpr absl::Duration kRedialMax = absl::Milliseconds(500);
constexpr int kInboundStreamsMax = 256;

}  // namespace

bool OutgoingQueue::Push(rpc::RaftMessage message) {
  const std::size_t size = message.ByteSizeLong();
  if (messages.size() >= kMessagesMax || bytes + size > kBytesMax) return false;
  bytes += size;
  messages.push_back(std::move(message));
  return true;
}

void OutgoingQueue::Fill(rpc::RaftEnvelope* envelope) {
  std::size_t filled = 0;
  while (!messages.empty()) {
    const std::size_t size = messages.front().ByteSizeLong();
    if (filled > 0 && filled + size > kEnvelopeBytesMax) break;
    filled += size;
    bytes -= size;
    *envelope->add_messages() = std::move(messages.front());
    messages.pop_front();
  }
}

void OutgoingQueue::Clear() {
  messages.clear();
  bytes = 0;
}

// The stream that this node opened to a peer. Owned by the transport's map until OnDone.
class GrpcRaftTransport::Outbound final
    : public grpc::ClientBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope> {
 public:
  Outbound(GrpcRaftTransport* transport, NodeId node) : transport_(transport), node_(node) {}

  void Start(rpc::Raft::Stub* stub, const rpc::PeerHello& hello) {
    stub->async()->Exchange(&context_, this);
    {
      MutexLock lock(&mutex_);
      *writing_.mutable_hello() = hello;
      is_writing_ = true;
    }
    StartWrite(&writing_);
    StartRead(&reading_);
    StartCall();
  }

  void Send(rpc::RaftMessage message) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (!queue_.Push(std::move(message)) || is_writing_ || is_broken_) return;
      BeginWriteLocked();
    }
    StartWrite(&writing_);
  }

  void Cancel() { context_.TryCancel(); }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mutex_);
      is_writing_ = false;
      is_broken_ = is_broken_ || !ok;
      if (is_broken_ || queue_.messages.empty()) return;
      BeginWriteLocked();
    }
    StartWrite(&writing_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (run_.is_none()) {
      const absl::Status status = reading_.has_hello()
                                      ? transport_->registry_->CheckOutbound(node_, reading_.hello())
                                      : absl::InvalidArgumentError("no hello");
      if (!status.ok()) {
        LOG(WARNING) << "peer at the address of node " << node_ << ": " << status;
        context_.TryCancel();
        return;
      }
      run_ = RunId(reading_.hello().run_id());
      transport_->OnConnected(node_, this);
    }
    transport_->Deliver(node_, run_, /*is_reply=*/true, &reading_);
    reading_.Clear();
    StartRead(&reading_);
  }

  void OnDone(const grpc::Status& status) override {
    transport_->OnOutboundEnded(node_, this, status);  // may destroy this
  }

 private:
  void BeginWriteLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_.Clear();
    queue_.Fill(&writing_);
    is_writing_ = true;
  }

  GrpcRaftTransport* const transport_;
  const NodeId node_;
  grpc::ClientContext context_;
  rpc::RaftEnvelope reading_;  // touched by one reaction at a time
  RunId run_;                  // of the peer, once its Hello came
  Mutex mutex_;
  OutgoingQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_broken_ ABSL_GUARDED_BY(mutex_) = false;
  rpc::RaftEnvelope writing_;  // filled under mutex_, then gRPC's until OnWriteDone
};

// The stream that a peer opened to this node. Deletes itself in OnDone.
class GrpcRaftTransport::Inbound final
    : public grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope> {
 public:
  explicit Inbound(GrpcRaftTransport* transport) : transport_(transport) {}

  void Begin() { StartRead(&reading_); }

  void Send(rpc::RaftMessage message) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (!queue_.Push(std::move(message)) || is_writing_ || is_finished_) return;
      BeginWriteLocked();
    }
    StartWrite(&writing_);
  }

  void Close(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (is_finished_) return;
      is_finished_ = true;
    }
    Finish(status);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    if (run_.is_none()) {
      const absl::Status status = reading_.has_hello()
                                      ? transport_->registry_->CheckInbound(reading_.hello())
                                      : absl::InvalidArgumentError("no hello");
      if (!status.ok()) {
        LOG(WARNING) << "refused a stream: " << status;
        return Close(ToGrpc(status));
      }
      run_ = RunId(reading_.hello().run_id());
      node_ = NodeId(reading_.hello().node_id());
      {
        MutexLock lock(&mutex_);
        if (is_finished_) return;
        writing_.Clear();
        *writing_.mutable_hello() = transport_->registry_->own();
        is_writing_ = true;
      }
      StartWrite(&writing_);
      transport_->OnInboundHello(node_, this);
    }
    transport_->Deliver(node_, run_, /*is_reply=*/false, &reading_);
    reading_.Clear();
    StartRead(&reading_);
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mutex_);
      is_writing_ = false;
      if (!ok || is_finished_ || queue_.messages.empty()) return;
      BeginWriteLocked();
    }
    StartWrite(&writing_);
  }

  void OnCancel() override { Close(grpc::Status::CANCELLED); }

  void OnDone() override {
    transport_->OnInboundEnded(node_, this);
    delete this;
  }

 private:
  void BeginWriteLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_.Clear();
    queue_.Fill(&writing_);
    is_writing_ = true;
  }

  GrpcRaftTransport* const transport_;
  rpc::RaftEnvelope reading_;
  NodeId node_;  // none before the Hello
  RunId run_;
  Mutex mutex_;
  OutgoingQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;
  rpc::RaftEnvelope writing_;
};

GrpcRaftTransport::GrpcRaftTransport(NodeId self, PeerRegistry* registry)
    : self_(self), registry_(registry), dialler_("raft-dial") {}

GrpcRaftTransport::~GrpcRaftTransport() { Stop(); }

void GrpcRaftTransport::SetReceiver(Receiver receiver, Refused refused) {
  MutexLock lock(&mutex_);
  receiver_ = std::move(receiver);
  refused_ = std::move(refused);
}

void GrpcRaftTransport::SetMembers(const consensus::Configuration& configuration) {
  std::vector<std::shared_ptr<Outbound>> dropped;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) return;
    for (const auto& [node, info] : configuration.members) {
      if (node == self_) continue;
      Peer& peer = peers_[node];
      if (peer.address == info.peer_address) continue;
      peer.address = info.peer_address;
      peer.channel =
          grpc::CreateCustomChannel(peer.address, grpc::InsecureChannelCredentials(),
                                    ArgumentsFor(ChannelUse::kControl));
      peer.stub = rpc::Raft::NewStub(peer.channel);
      if (peer.outbound != nullptr) {
        dropped.push_back(peer.outbound);  // its end dials anew
      } else {
        PlanDialLocked(node, peer, absl::ZeroDuration());
      }
    }
    for (auto it = peers_.begin(); it != peers_.end();) {
      if (configuration.IsMember(it->first)) {
        ++it;
        continue;
      }
      if (it->second.outbound != nullptr) dropped.push_back(it->second.outbound);
      it = peers_.erase(it);
    }
  }
  for (const auto& stream : dropped) stream->Cancel();
}

void GrpcRaftTransport::PlanDialLocked(NodeId node, Peer& peer, absl::Duration wait) {
  if (peer.is_dial_planned || is_stopped_) return;
  peer.is_dial_planned = true;
  dialler_.PostAt(SystemClock().Now() + wait, [this, node] { Dial(node); });
}

void GrpcRaftTransport::Dial(NodeId node) {
  std::shared_ptr<Outbound> stream;
  rpc::Raft::Stub* stub = nullptr;
  {
    MutexLock lock(&mutex_);
    const auto found = peers_.find(node);
    if (is_stopped_ || found == peers_.end()) return;
    Peer& peer = found->second;
    peer.is_dial_planned = false;
    if (peer.outbound != nullptr) return;
    stream = std::make_shared<Outbound>(this, node);
    peer.outbound = stream;
    peer.is_connected = false;
    all_outbound_[stream.get()] = stream;
    ++streams_;
    stub = peer.stub.get();
    // Without this the channel itself waits up to a second before it tries to connect again.
    grpc::experimental::ChannelResetConnectionBackoff(peer.channel.get());
  }
  stream->Start(stub, registry_->own());
}

void GrpcRaftTransport::OnConnected(NodeId node, const Outbound* stream) {
  MutexLock lock(&mutex_);
  const auto found = peers_.find(node);
  if (found == peers_.end() || found->second.outbound.get() != stream) return;
  found->second.is_connected = true;
  found->second.failures = 0;
}

void GrpcRaftTransport::OnOutboundEnded(NodeId node, const Outbound* stream,
                                        const grpc::Status& status) {
  std::shared_ptr<Outbound> keep;  // destroyed after the lock is gone
  Refused refused;
  {
    MutexLock lock(&mutex_);
    keep = std::move(all_outbound_[stream]);
    all_outbound_.erase(stream);
    --streams_;
    ended_.SignalAll();
    const auto found = peers_.find(node);
    if (found != peers_.end() && found->second.outbound.get() == stream) {
      Peer& peer = found->second;
      // A stream that broke, or an address where nobody listens: the process is gone, or was.
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE && !is_stopped_) refused = refused_;
      peer.outbound = nullptr;
      const absl::Duration wait =
          peer.is_connected ? absl::ZeroDuration()
                            : std::min(kRedialFirst * (1 << std::min(peer.failures, 10)), kRedialMax);
      peer.is_connected = false;
      ++peer.failures;
      PlanDialLocked(node, peer, wait);
    }
  }
  if (refused) refused(node);
}

void GrpcRaftTransport::OnInboundHello(NodeId node, Inbound* stream) {
  Inbound* old = nullptr;
  {
    MutexLock lock(&mutex_);
    Inbound*& current = inbound_[node];
    old = std::exchange(current, stream);
    const auto found = peers_.find(node);
    // It lives: do not wait to dial it.
    if (found != peers_.end() && found->second.outbound == nullptr) {
      found->second.failures = 0;
      found->second.is_dial_planned = false;
      PlanDialLocked(node, found->second, absl::ZeroDuration());
    }
    // An older stream of the node is dead or will be; ended under the lock, so that it still exists.
    if (old != nullptr && old != stream) old->Close(grpc::Status::CANCELLED);
  }
}

void GrpcRaftTransport::OnInboundEnded(NodeId node, Inbound* stream) {
  MutexLock lock(&mutex_);
  const auto found = inbound_.find(node);
  if (found != inbound_.end() && found->second == stream) inbound_.erase(found);
  std::erase(all_inbound_, stream);
  --streams_;
  ended_.SignalAll();
}

grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope>* GrpcRaftTransport::Accept() {
  auto* stream = new Inbound(this);
  bool is_refused = false;
  {
    MutexLock lock(&mutex_);
    is_refused = is_stopped_ || all_inbound_.size() >= kInboundStreamsMax;
    all_inbound_.push_back(stream);
    ++streams_;
  }
  if (is_refused) {
    stream->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this node stops or has too many streams"));
  } else {
    stream->Begin();
  }
  return stream;
}

void GrpcRaftTransport::Deliver(NodeId from, RunId run, bool is_reply,
                                rpc::RaftEnvelope* envelope) {
  if (envelope->messages().empty()) return;
  // Rule R2: requests of a process that does not answer at the member's own address count for nothing.
  if (!is_reply && !registry_->IsConfirmed(from, run)) return;
  Receiver receiver;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) return;
    receiver = receiver_;
  }
  if (!receiver) return;
  for (rpc::RaftMessage& wire : *envelope->mutable_messages()) {
    auto message = DecodeMessage(&wire);
    if (!message.ok() || message->from != from || message->to != self_ ||
        IsReply(*message) != is_reply) {
      LOG(WARNING) << "dropped a malformed message from node " << from << ": " << message.status();
      continue;
    }
    receiver(*std::move(message));
  }
}

void GrpcRaftTransport::Send(std::vector<consensus::Message> messages) {
  for (const consensus::Message& message : messages) {
    rpc::RaftMessage wire;
    EncodeMessage(message, &wire);
    if (IsReply(message)) {
      // Sent under the lock, so that the stream exists. Send takes only its own lock inside.
      MutexLock lock(&mutex_);
      const auto found = inbound_.find(message.to);
      if (found != inbound_.end()) found->second->Send(std::move(wire));
      continue;
    }
    std::shared_ptr<Outbound> stream;
    {
      MutexLock lock(&mutex_);
      const auto found = peers_.find(message.to);
      if (found != peers_.end() && found->second.is_connected) stream = found->second.outbound;
    }
    if (stream != nullptr) stream->Send(std::move(wire));
  }
}

void GrpcRaftTransport::Stop() {
  dialler_.Stop();
  std::vector<std::shared_ptr<Outbound>> outbound;
  {
    MutexLock lock(&mutex_);
    is_stopped_ = true;
    for (const auto& [pointer, stream] : all_outbound_) outbound.push_back(stream);
    for (Inbound* stream : all_inbound_) stream->Close(grpc::Status::CANCELLED);
  }
  for (const auto& stream : outbound) stream->Cancel();
  outbound.clear();
  MutexLock lock(&mutex_);
  while (streams_ > 0) ended_.Wait(&mutex_);
}

}  // namespace dfs::replicated_log
