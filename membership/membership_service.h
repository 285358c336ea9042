// The receiving side of the ring's streams. Registered on the server of the peer port.
#ifndef DFS_MEMBERSHIP_MEMBERSHIP_SERVICE_H_
#define DFS_MEMBERSHIP_MEMBERSHIP_SERVICE_H_

#include "dfs/internal/v1/ring.grpc.pb.h"
#include "membership/grpc_membership_transport.h"

namespace dfs::membership {

// Checks the Hello of each stream and hands what follows to the transport's receiver. Errors of a stream:
// FAILED_PRECONDITION, INVALID_ARGUMENT as PeerRegistry::CheckInbound; nothing was delivered then.
class MembershipService final : public dfs::internal::v1::Ring::CallbackService {
 public:
  // `transport` outlives the server.
  explicit MembershipService(GrpcMembershipTransport* transport) : transport_(transport) {}

  grpc::ServerBidiReactor<dfs::internal::v1::RingEnvelope, dfs::internal::v1::RingEnvelope>* Exchange(
      grpc::CallbackServerContext* context) override;

 private:
  GrpcMembershipTransport* const transport_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_MEMBERSHIP_SERVICE_H_
