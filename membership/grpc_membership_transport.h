// Ring messages over gRPC: one stream Ring.Exchange from this node to each member it talks to.
#ifndef DFS_MEMBERSHIP_GRPC_MEMBERSHIP_TRANSPORT_H_
#define DFS_MEMBERSHIP_GRPC_MEMBERSHIP_TRANSPORT_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/grpc_credentials.h"
#include "common/ids.h"
#include "common/peer_registry.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/ring.pb.h"
#include "membership/membership_transport.h"

namespace dfs::membership {

// Streams are opened by the first Send and closed after kIdle without one. Each attempt to connect uses a new channel of
// its own, so that an error is always about now and never a remembered one. No message is sent before the other end's
// Hello was checked (rule R1, by the registry). What a broken or slow stream holds is lost: the ring repeats itself.
//
// Reports Refused when a connection is refused and when an open stream breaks without the other end's having closed it
// in order; not when an attempt times out, and not when a TLS handshake fails: who wants none of this node's certificate
// closes as one who dies does, but lives.
//
// Thread-safe. Callbacks come on gRPC's threads.
class GrpcMembershipTransport final : public MembershipTransport {
 public:
  static constexpr std::size_t kQueueMax = 64;                          // messages of one stream
  static constexpr absl::Duration kIdle = absl::Seconds(10);
  static constexpr absl::Duration kRetrySpacing = absl::Milliseconds(50);  // attempts of one stream
  static constexpr absl::Duration kUnfitSpacing = absl::Milliseconds(200);  // after a Hello was refused
  static constexpr absl::Duration kConnectTimeout = absl::Seconds(1);
  static constexpr absl::Duration kFreshDeadline = absl::Milliseconds(500);
  static constexpr std::size_t kFreshMax = 32;                          // probes under way

  struct Parts {
    PeerRegistry* registry = nullptr;  // outlives this
    Dialer dialer;
    const Clock* clock = &SystemClock();
  };
  explicit GrpcMembershipTransport(Parts parts);
  ~GrpcMembershipTransport() override;  // Stop()

  // Null functions stop delivery.
  void SetReceiver(Receiver receiver, Refused refused) override;
  void SetMembers(const std::vector<MemberAddress>& members) override;
  void Send(Message message, bool is_fresh) override;

  // Breaks all streams and waits for their ends (milliseconds). Nothing is sent or delivered afterwards. Idempotent.
  void Stop();

  // For MembershipService: checks and answers the Hello of a stream that a peer opened, and passes on what
  // comes behind it.
  [[nodiscard]] absl::Status CheckHello(const rpc::PeerHello& hello);
  [[nodiscard]] rpc::PeerHello OwnHello() const;
  // Messages that do not come from `from` itself, and malformed ones, are dropped.
  void Deliver(NodeId from, const rpc::RingEnvelope& envelope);

 private:
  class Stream;
  class State;
  ThreadExecutor closer_;               // where streams are destroyed
  const std::shared_ptr<State> state_;  // shared with the streams, which end later than they are dropped
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_GRPC_MEMBERSHIP_TRANSPORT_H_
