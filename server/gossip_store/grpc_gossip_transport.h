// GossipTransport over gRPC: one unary call of the peer port for each message.
#ifndef DFS_SERVER_GOSSIP_STORE_GRPC_GOSSIP_TRANSPORT_H_
#define DFS_SERVER_GOSSIP_STORE_GRPC_GOSSIP_TRANSPORT_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>

#include <grpcpp/channel.h>

#include "common/clock.h"
#include "common/peer_channels.h"
#include "common/peer_registry.h"
#include "common/sync.h"
#include "dfs/internal/v1/gossip.grpc.pb.h"
#include "server/gossip_store/gossip_transport.h"
#include "server/leader/grpc_leader_peer.h"

namespace dfs::gossip_store {

namespace rpc = ::dfs::internal::v1;

// Each call carries this node's Hello, which the other side checks (rule R1); an answer counts only with the Hello of the
// node that was asked. Messages to a peer beyond kUnderWayMax without an answer are dropped: rounds repeat themselves.
//
// Thread-safe. Callbacks come on gRPC's threads.
class GrpcGossipTransport final : public GossipTransport {
 public:
  static constexpr int kUnderWayMax = 64;  // to one peer
  static constexpr absl::Duration kDeadline = absl::Seconds(5);

  struct Parts {
    PeerRegistry* registry = nullptr;
    PeerChannels* channels = nullptr;
    const Clock* clock = nullptr;
  };
  explicit GrpcGossipTransport(Parts parts);
  ~GrpcGossipTransport() override;  // Stop()

  void Send(Message message) override;
  void Ask(NodeId peer, const Key& key, absl::Duration timeout, HeldCallback done) override;

  // Who takes what comes; null: nobody. It may still be in use until the call returns.
  void SetInbound(GossipInbound* inbound) ABSL_LOCKS_EXCLUDED(inbound_mutex_);
  // For GossipService: checks the sender and passes the message on. The callback is called once, maybe before the return.
  using Answered = absl::AnyInvocable<void(absl::StatusOr<rpc::GossipResponse>)>;
  void Deliver(const rpc::GossipRequest& request, Answered done) ABSL_LOCKS_EXCLUDED(inbound_mutex_);

  // Cancels what is under way and awaits its end. Idempotent.
  void Stop();

  [[nodiscard]] std::uint64_t sent() const { return sent_.load(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(); }

 private:
  struct Call;
  struct Peer {
    std::shared_ptr<grpc::Channel> channel;
    std::shared_ptr<rpc::Gossip::Stub> stub;
    std::shared_ptr<std::atomic<int>> under_way = std::make_shared<std::atomic<int>>(0);
  };
  [[nodiscard]] Peer PeerOf(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_);
  void Start(const std::shared_ptr<Call>& call, const Peer& peer, absl::Duration timeout);

  const Parts parts_;
  const std::shared_ptr<leader::OpenCalls> calls_ = std::make_shared<leader::OpenCalls>();
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> dropped_{0};
  Mutex inbound_mutex_;
  GossipInbound* inbound_ ABSL_GUARDED_BY(inbound_mutex_) = nullptr;
  Mutex mutex_;
  std::map<NodeId, Peer> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GRPC_GOSSIP_TRANSPORT_H_
