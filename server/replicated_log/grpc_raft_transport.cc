#include "server/replicated_log/grpc_raft_transport.h"

#include <glog/logging.h>
<<<<<<< HEAD
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
=======

#include <utility>

#include "server/replicated_log/grpc_raft_inbound.h"
#include "server/replicated_log/grpc_raft_link.h"
#include "server/replicated_log/grpc_snapshot_transfer.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {

GrpcRaftHub::GrpcRaftHub(NodeId self, PeerRegistry* registry)
    : self_(self), registry_(registry), timers_("raft-net") {}

void GrpcRaftHub::SetReceiver(RaftTransport::Receiver receiver, RaftTransport::Refused refused) {
  MutexLock lock(&mutex_);
  receiver_ = std::make_shared<RaftTransport::Receiver>(std::move(receiver));
  refused_ = std::make_shared<RaftTransport::Refused>(std::move(refused));
}
void GrpcRaftHub::SetCheckpointReceiver(RaftTransport::CheckpointReceiver receiver) {
  MutexLock lock(&mutex_);
  checkpoint_receiver_ =
      std::make_shared<RaftTransport::CheckpointReceiver>(std::move(receiver));
}
void GrpcRaftHub::SetCheckpoint(const metadata::StateHash& checkpoint) {
  MutexLock lock(&mutex_);
  checkpoint_ = checkpoint;
}
metadata::StateHash GrpcRaftHub::checkpoint() const {
  MutexLock lock(&mutex_);
  return checkpoint_;
}
void GrpcRaftHub::SetSnapshotReceiver(std::shared_ptr<SnapshotReceiver> receiver) {
  MutexLock lock(&mutex_);
  snapshot_receiver_ = std::move(receiver);
}
std::shared_ptr<SnapshotReceiver> GrpcRaftHub::snapshot_receiver() const {
  MutexLock lock(&mutex_);
  return snapshot_receiver_;
}

absl::Status GrpcRaftHub::Deliver(NodeId from, bool are_replies, rpc::RaftEnvelope* envelope) {
  std::shared_ptr<RaftTransport::Receiver> receiver;
  std::shared_ptr<RaftTransport::CheckpointReceiver> checkpoints;
  {
    MutexLock lock(&mutex_);
    receiver = receiver_;
    checkpoints = checkpoint_receiver_;
  }
  for (auto& record : *envelope->mutable_messages()) {
    metadata::StateHash checkpoint;
    if (record.has_append_request()) {
      checkpoint.index = LogIndex(record.append_request().state_hash_index());
      checkpoint.hash = HashFromWire(record.append_request().state_hash());
    }
    auto message = DecodeMessage(&record);
    if (!message.ok()) return message.status();
    if (message->from != from || message->to != self_ || IsReply(*message) != are_replies) {
      return absl::InvalidArgumentError("a raft message that is not the peer's to send here");
    }
    if (!checkpoint.index.is_none() && checkpoints && *checkpoints) {
      (*checkpoints)(from, checkpoint);
    }
    if (receiver && *receiver) (*receiver)(*std::move(message));
  }
  return absl::OkStatus();
}

void GrpcRaftHub::ReportRefused(NodeId node) {
  std::shared_ptr<RaftTransport::Refused> refused;
  {
    MutexLock lock(&mutex_);
    refused = refused_;
  }
  if (refused && *refused) (*refused)(node);
}

void GrpcRaftHub::StreamBegins() {
  MutexLock lock(&mutex_);
  ++streams_;
}
void GrpcRaftHub::StreamEnds() {
  MutexLock lock(&mutex_);
  if (--streams_ == 0) no_streams_.SignalAll();
}
void GrpcRaftHub::Close() {
  MutexLock lock(&mutex_);
  receiver_.reset();
  refused_.reset();
  checkpoint_receiver_.reset();
}
void GrpcRaftHub::WaitForStreams() {
  MutexLock lock(&mutex_);
  while (streams_ > 0) no_streams_.Wait(&mutex_);
}

GrpcRaftTransport::GrpcRaftTransport(NodeId self, PeerRegistry* registry)
    : hub_(std::make_shared<GrpcRaftHub>(self, registry)),
      snapshot_sender_(std::make_unique<GrpcSnapshotSender>(hub_.get())),
      disk_pool_("snap-receive", 1) {}
>>>>>>> refs/heads/log

GrpcRaftTransport::~GrpcRaftTransport() { Stop(); }

void GrpcRaftTransport::SetReceiver(Receiver receiver, Refused refused) {
<<<<<<< HEAD
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
=======
  hub_->SetReceiver(std::move(receiver), std::move(refused));
}
void GrpcRaftTransport::SetCheckpointReceiver(CheckpointReceiver receiver) {
  hub_->SetCheckpointReceiver(std::move(receiver));
}
void GrpcRaftTransport::SetSnapshotReceiver(std::shared_ptr<SnapshotReceiver> receiver) {
  hub_->SetSnapshotReceiver(std::move(receiver));
}
void GrpcRaftTransport::SetCheckpoint(const metadata::StateHash& checkpoint) {
  hub_->SetCheckpoint(checkpoint);
}

std::string GrpcRaftTransport::AddressLocked(NodeId node) const {
  if (const auto found = overrides_.find(node); found != overrides_.end()) return found->second;
  const auto member = configuration_.members.find(node);
  if (member != configuration_.members.end()) return member->second.peer_address;
  const auto heard = heard_.find(node);
  return configuration_.members.empty() && heard != heard_.end() ? heard->second : std::string();
}

void GrpcRaftTransport::SetMembers(const consensus::Configuration& configuration) {
  for (const auto& [node, info] : configuration.members) {
    if (node != hub_->self()) hub_->registry().SetKnown(node, info.storage_uuid, BootEpoch());
  }
  {
    MutexLock lock(&mutex_);
    configuration_ = configuration;
  }
  Relink();
}

void GrpcRaftTransport::SetAddress(NodeId node, std::string address) {
  {
    MutexLock lock(&mutex_);
    overrides_[node] = std::move(address);
  }
  Relink();
}

// Makes the links those of the members at their addresses.
void GrpcRaftTransport::Relink() {
  std::vector<std::shared_ptr<GrpcRaftLink>> gone;
  std::vector<std::shared_ptr<GrpcRaftLink>> made;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) return;
    std::map<NodeId, std::string> wanted;
    for (const auto& [node, info] : configuration_.members) wanted[node] = AddressLocked(node);
    if (configuration_.members.empty()) {
      for (const auto& [node, address] : heard_) wanted[node] = AddressLocked(node);
    }
    wanted.erase(hub_->self());
    for (auto at = links_.begin(); at != links_.end();) {
      const auto found = wanted.find(at->first);
      if (found != wanted.end() && found->second == at->second->address()) {
        wanted.erase(found);
        ++at;
        continue;
      }
      gone.push_back(std::move(at->second));
      at = links_.erase(at);
    }
    for (const auto& [node, address] : wanted) {
      if (address.empty()) continue;
      made.push_back(std::make_shared<GrpcRaftLink>(hub_, node, address));
      links_[node] = made.back();
    }
  }
  for (const auto& link : gone) link->Close();
  for (const auto& link : made) link->Connect();
}

void GrpcRaftTransport::Send(std::vector<consensus::Message> messages) {
  for (auto& message : messages) {
    std::shared_ptr<GrpcRaftLink> link;
    std::shared_ptr<GrpcRaftInbound> inbound;
    {
      MutexLock lock(&mutex_);
      if (IsReply(message)) {
        const auto found = inbound_.find(message.to);
        if (found != inbound_.end()) inbound = found->second;
      } else {
        const auto found = links_.find(message.to);
        if (found != links_.end()) link = found->second;
      }
    }
    if (link != nullptr) link->Send(std::move(message));
    if (inbound != nullptr) inbound->Send(std::move(message));
  }
}

void GrpcRaftTransport::SendSnapshot(NodeId to, OutgoingSnapshot snapshot,
                                     SnapshotReceiver::Done done) {
  std::string address;
  {
    MutexLock lock(&mutex_);
    if (!is_stopped_) address = AddressLocked(to);
  }
  if (address.empty()) {
    done(absl::UnavailableError("no address is known of the node"));
    return;
  }
  snapshot_sender_->Send(address, std::move(snapshot), std::move(done));
}

grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope>* GrpcRaftTransport::Accept(
    grpc::CallbackServerContext* /*context*/) {
  auto stream = std::make_shared<GrpcRaftInbound>(this, hub_);
  auto* reactor = stream.get();
  bool is_stopped = false;
  {
    MutexLock lock(&mutex_);
    is_stopped = is_stopped_;
    std::erase_if(strangers_, [](const auto& stranger) { return stranger.expired(); });
    if (!is_stopped) strangers_.push_back(stream);
    hub_->StreamBegins();  // under the lock, so that Stop waits for it
  }
  reactor->Start(std::move(stream));
  if (is_stopped) reactor->Close(absl::UnavailableError("this node is stopping"));
  return reactor;
}

grpc::ServerReadReactor<rpc::SnapshotPiece>* GrpcRaftTransport::AcceptSnapshot(
    grpc::CallbackServerContext* context, rpc::SnapshotReply* reply) {
  auto stream = std::make_shared<GrpcSnapshotInbound>(hub_, &disk_pool_, context, reply);
  auto* reactor = stream.get();
  bool is_stopped = false;
  {
    MutexLock lock(&mutex_);
    is_stopped = is_stopped_;
    std::erase_if(arriving_, [](const auto& arriving) { return arriving.expired(); });
    if (!is_stopped) arriving_.push_back(stream);
    hub_->StreamBegins();
  }
  reactor->Start(std::move(stream));
  if (is_stopped) reactor->Cancel();
  return reactor;
}

void GrpcRaftTransport::AddInbound(NodeId node, const std::string& address,
                                   std::shared_ptr<GrpcRaftInbound> stream) {
  std::shared_ptr<GrpcRaftInbound> old;
  bool is_new_address = false;
  {
    MutexLock lock(&mutex_);
    old = std::exchange(inbound_[node], std::move(stream));
    if (configuration_.members.empty() && heard_[node] != address) {
      heard_[node] = address;
      is_new_address = true;
    }
  }
  if (old != nullptr) old->Close(absl::AbortedError("the peer opened another stream"));
  if (is_new_address) Relink();
}

void GrpcRaftTransport::RemoveInbound(NodeId node, const GrpcRaftInbound* stream) {
  MutexLock lock(&mutex_);
  const auto found = inbound_.find(node);
  if (found != inbound_.end() && found->second.get() == stream) inbound_.erase(found);
}

void GrpcRaftTransport::Stop() {
  std::map<NodeId, std::shared_ptr<GrpcRaftLink>> links;
  std::vector<std::shared_ptr<GrpcRaftInbound>> streams;
  std::vector<std::weak_ptr<GrpcSnapshotInbound>> arriving;
  {
    MutexLock lock(&mutex_);
    if (std::exchange(is_stopped_, true)) return;
    arriving.swap(arriving_);
    links.swap(links_);
    for (const auto& weak : strangers_) {
      if (auto stream = weak.lock()) streams.push_back(std::move(stream));
    }
    for (const auto& [node, stream] : inbound_) streams.push_back(stream);
  }
  hub_->Close();
  for (const auto& [node, link] : links) link->Close();
  for (const auto& stream : streams) stream->Close(absl::UnavailableError("this node is stopping"));
  streams.clear();
  for (const auto& weak : arriving) {
    if (const auto stream = weak.lock()) stream->Cancel();
  }
  snapshot_sender_->Stop();
  disk_pool_.Stop();
  hub_->WaitForStreams();
  hub_->StopTimers();
>>>>>>> refs/heads/log
}

}  // namespace dfs::replicated_log
