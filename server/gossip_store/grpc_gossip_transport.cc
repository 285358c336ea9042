#include "server/gossip_store/grpc_gossip_transport.h"

#include <chrono>
#include <string>
#include <utility>

#include <glog/logging.h>

#include "common/status_macros.h"
#include "proto/wire_status.h"
#include "server/gossip_store/gossip_message_codec.h"

namespace dfs::gossip_store {

struct GrpcGossipTransport::Call {
  grpc::ClientContext context;
  rpc::GossipRequest request;
  rpc::GossipResponse response;
  absl::AnyInvocable<void(const absl::Status&, const rpc::GossipResponse&)> done;
};

GrpcGossipTransport::GrpcGossipTransport(Parts parts) : parts_(parts) {}

GrpcGossipTransport::~GrpcGossipTransport() { Stop(); }

void GrpcGossipTransport::Stop() {
  SetInbound(nullptr);
  calls_->Stop();
}

void GrpcGossipTransport::SetInbound(GossipInbound* inbound) {
  MutexLock lock(&inbound_mutex_);
  inbound_ = inbound;
}

GrpcGossipTransport::Peer GrpcGossipTransport::PeerOf(NodeId node) {
  auto channel = parts_.channels->Get(node, ChannelUse::kControl);
  if (channel == nullptr) return {};
  MutexLock lock(&mutex_);
  Peer& peer = peers_[node];
  if (peer.channel != channel) {
    peer.stub = rpc::Gossip::NewStub(channel);
    peer.channel = std::move(channel);
  }
  return peer;
}

void GrpcGossipTransport::Start(const std::shared_ptr<Call>& call, const Peer& peer,
                                absl::Duration timeout) {
  *call->request.mutable_hello() = parts_.registry->own();
  call->context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  if (!calls_->Begin(&call->context)) {
    return call->done(absl::UnavailableError("this node stops"), call->response);
  }
  peer.stub->async()->Exchange(&call->context, &call->request, &call->response,
                               [call, calls = calls_, stub = peer.stub](const grpc::Status& status) {
                                 call->done(FromGrpc(status), call->response);
                                 // What it keeps alive goes before the stop goes on.
                                 call->done = nullptr;
                                 calls->End(&call->context);
                               });
}

void GrpcGossipTransport::Send(Message message) {
  const Peer peer = PeerOf(message.to);
  if (peer.stub == nullptr || peer.under_way->load() >= kUnderWayMax) {
    ++dropped_;
    return;
  }
  auto call = std::make_shared<Call>();
  ToWire(message, call->request.mutable_message());
  ++*peer.under_way;
  ++sent_;
  call->done = [to = message.to, under_way = peer.under_way](const absl::Status& status,
                                                             const rpc::GossipResponse& /*response*/) {
    --*under_way;
    // A peer that cannot be reached is the ring's matter.
    if (!status.ok() && !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) {
      LOG_EVERY_N(INFO, 100) << "a gossip message to node " << to << " was refused: " << status;
    }
  };
  Start(call, peer, kDeadline);
}

void GrpcGossipTransport::Ask(NodeId node, const Key& key, absl::Duration timeout, HeldCallback done) {
  const Peer peer = PeerOf(node);
  if (peer.stub == nullptr) return done(absl::UnavailableError("its address is not known"));
  auto call = std::make_shared<Call>();
  rpc::GossipMessage& message = *call->request.mutable_message();
  message.set_kind(rpc::GossipMessage::FETCH_MISSED);
  message.set_from(parts_.registry->own().node_id());
  message.set_to(node.value());
  rpc::GossipRecord& wanted = *message.add_records();
  wanted.set_bucket_id(key.bucket.value());
  wanted.set_name(key.name);
  const auto check = [registry = parts_.registry, node](
                         const absl::Status& status,
                         const rpc::GossipResponse& response) -> absl::StatusOr<HeldThere> {
    DFS_RETURN_IF_ERROR(status);
    DFS_RETURN_IF_ERROR(registry->CheckOutbound(node, response.hello()));
    HeldThere held{std::nullopt, absl::FromUnixMicros(response.wall_us())};
    if (response.has_record()) {
      DFS_ASSIGN_OR_RETURN(held.record, FromWire(response.record()));
    }
    return held;
  };
  call->done = [check, key, done = std::move(done)](const absl::Status& status,
                                                    const rpc::GossipResponse& response) mutable {
    auto held = check(status, response);
    if (held.ok() && held->record && held->record->key != key) {
      held = absl::InvalidArgumentError("another name than was asked for");
    }
    done(std::move(held));
  };
  Start(call, peer, timeout);
}

void GrpcGossipTransport::Deliver(const rpc::GossipRequest& request, Answered done) {
  const rpc::GossipMessage& wire = request.message();
  if (absl::Status known = parts_.registry->CheckInbound(request.hello()); !known.ok()) {
    return done(std::move(known));
  }
  if (wire.from() != request.hello().node_id()) {
    return done(absl::InvalidArgumentError("the message names another sender"));
  }
  rpc::GossipResponse response;
  *response.mutable_hello() = parts_.registry->own();
  if (wire.kind() != rpc::GossipMessage::FETCH_MISSED) {
    auto message = FromWire(wire);
    if (!message.ok()) return done(message.status());
    {
      MutexLock lock(&inbound_mutex_);
      if (inbound_ != nullptr) inbound_->Receive(*std::move(message));
    }
    return done(std::move(response));
  }
  if (wire.records_size() != 1 || wire.records(0).name().size() > kNameBytesMax) {
    return done(absl::InvalidArgumentError("one name is asked for at a time"));
  }
  const Key key{BucketId(wire.records(0).bucket_id()), wire.records(0).name()};
  MutexLock lock(&inbound_mutex_);
  if (inbound_ == nullptr) return done(absl::UnavailableError("not ready"));
  inbound_->Find(key, [response = std::move(response), done = std::move(done)](
                          const absl::StatusOr<HeldThere>& held) mutable {
    if (!held.ok()) return done(held.status());
    if (held->record) ToWire(*held->record, response.mutable_record());
    response.set_wall_us(absl::ToUnixMicros(held->wall));
    done(std::move(response));
  });
}

}  // namespace dfs::gossip_store
