#include "server/replicated_log/grpc_raft_transport.h"

#include <glog/logging.h>

#include <utility>

#include "proto/wire_status.h"
#include "server/replicated_log/grpc_raft_inbound.h"
#include "server/replicated_log/grpc_raft_link.h"
#include "server/replicated_log/grpc_snapshot_transfer.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {
namespace {

constexpr std::size_t kRefusalsMax = 256;

}  // namespace

GrpcRaftHub::GrpcRaftHub(NodeId self, PeerRegistry* registry, Dialer dialer)
    : self_(self), registry_(registry), dialer_(std::move(dialer)), timers_("raft-net") {}

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
void GrpcRaftHub::SetRestartedReceiver(RaftTransport::Restarted receiver) {
  MutexLock lock(&mutex_);
  restarted_ = std::make_shared<RaftTransport::Restarted>(std::move(receiver));
}
void GrpcRaftHub::RecordEpoch(NodeId node, BootEpoch epoch) {
  std::shared_ptr<RaftTransport::Restarted> restarted;
  {
    MutexLock lock(&mutex_);
    const BootEpoch before = std::exchange(epochs_[node], epoch);
    if (!before.is_none() && epoch > before) restarted = restarted_;
  }
  if (restarted != nullptr) (*restarted)(node);
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

void GrpcRaftHub::ReportRefusal(NodeId node, const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    if (refusals_.size() >= kRefusalsMax) refusals_.clear();
    std::string& last = refusals_[node];
    if (last == status.message()) return;
    last = std::string(status.message());
  }
  LOG(INFO) << "refused: " << status.message();
}

void GrpcRaftHub::SetHelloRefusedReceiver(std::function<void(NodeId)> receiver) {
  MutexLock lock(&mutex_);
  hello_refused_ = std::make_shared<std::function<void(NodeId)>>(std::move(receiver));
}

void GrpcRaftHub::ReportHelloRefused(NodeId by) {
  std::shared_ptr<std::function<void(NodeId)>> receiver;
  {
    MutexLock lock(&mutex_);
    receiver = hello_refused_;
  }
  if (receiver && *receiver) (*receiver)(by);
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
  restarted_.reset();
  hello_refused_.reset();
}
void GrpcRaftHub::WaitForStreams() {
  MutexLock lock(&mutex_);
  while (streams_ > 0) no_streams_.Wait(&mutex_);
}

GrpcRaftTransport::GrpcRaftTransport(NodeId self, PeerRegistry* registry, Dialer dialer)
    : hub_(std::make_shared<GrpcRaftHub>(self, registry, std::move(dialer))),
      snapshot_sender_(std::make_unique<GrpcSnapshotSender>(hub_.get())),
      disk_pool_("snap-receive", 1) {}

GrpcRaftTransport::~GrpcRaftTransport() { Stop(); }

void GrpcRaftTransport::SetReceiver(Receiver receiver, Refused refused) {
  hub_->SetReceiver(std::move(receiver), std::move(refused));
}
void GrpcRaftTransport::SetRestartedReceiver(Restarted receiver) {
  hub_->SetRestartedReceiver(std::move(receiver));
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
  std::map<NodeId, StorageUuid> members;
  for (const auto& [node, info] : configuration.members) {
    if (node != hub_->self()) members[node] = info.storage_uuid;
  }
  if (!configuration.members.empty()) hub_->registry().SetKnownAll(members);
  {
    MutexLock lock(&mutex_);
    configuration_ = configuration;
  }
  Relink();
}

void GrpcRaftTransport::SetHeld(bool is_held) {
  {
    MutexLock lock(&mutex_);
    is_held_ = is_held;
  }
  Relink();
}

void GrpcRaftTransport::SetHelloRefusedReceiver(std::function<void(NodeId)> receiver) {
  hub_->SetHelloRefusedReceiver(std::move(receiver));
}

void GrpcRaftTransport::SetAddresses(std::map<NodeId, std::string> addresses) {
  {
    MutexLock lock(&mutex_);
    overrides_ = std::move(addresses);
  }
  Relink();
}

void GrpcRaftTransport::SetGreeter(Greeter greeter) {
  auto shared = greeter ? std::make_shared<const Greeter>(std::move(greeter)) : nullptr;
  MutexLock lock(&mutex_);
  greeter_ = std::move(shared);
}

grpc::Status GrpcRaftTransport::Greet(const rpc::PeerHello& asker, rpc::GreetResponse* response) {
  std::shared_ptr<const Greeter> greeter;
  {
    MutexLock lock(&mutex_);
    if (!is_stopped_) greeter = greeter_;
  }
  if (greeter == nullptr) return ToGrpc(absl::UnavailableError("this node cannot answer yet"));
  const auto [verdict, status] = hub_->registry().Judge(asker);
  if (verdict == PeerRegistry::Verdict::kOtherCluster) return ToGrpc(status);
  *response->mutable_hello() = hub_->registry().own();
  response->set_reason(std::string(status.message()));
  response->set_verdict(verdict == PeerRegistry::Verdict::kAccepted   ? rpc::GreetResponse::ACCEPTED
                        : verdict == PeerRegistry::Verdict::kOldEpoch ? rpc::GreetResponse::OLD_EPOCH
                                                                      : rpc::GreetResponse::STRANGER);
  (*greeter)(asker, response);
  return grpc::Status::OK;
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
    for (const auto& [node, address] : overrides_) wanted[node] = address;
    wanted.erase(hub_->self());
    if (is_held_) wanted.clear();
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
  std::shared_ptr<GrpcRaftLink> link;
  bool is_new_address = false;
  {
    MutexLock lock(&mutex_);
    old = std::exchange(inbound_[node], std::move(stream));
    if (const auto found = links_.find(node); found != links_.end()) link = found->second;
    if (configuration_.members.empty() && heard_[node] != address) {
      heard_[node] = address;
      is_new_address = true;
    }
  }
  if (old != nullptr) old->Close(absl::AbortedError("the peer opened another stream"));
  if (is_new_address) Relink();
  // A member that has just started again must be able to vote at once (rule R2: over this node's own connection).
  if (link != nullptr) link->ConnectNow();
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
}

}  // namespace dfs::replicated_log
