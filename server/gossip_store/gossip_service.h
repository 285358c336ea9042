// dfs.internal.v1.Gossip: decode, one call, encode.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_SERVICE_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_SERVICE_H_

#include "dfs/internal/v1/gossip.grpc.pb.h"
#include "server/gossip_store/grpc_gossip_transport.h"

namespace dfs::gossip_store {

class GossipService final : public rpc::Gossip::CallbackService {
 public:
  explicit GossipService(GrpcGossipTransport* transport) : transport_(transport) {}  // outlives it

  grpc::ServerUnaryReactor* Exchange(grpc::CallbackServerContext* context,
                                     const rpc::GossipRequest* request,
                                     rpc::GossipResponse* response) override;

 private:
  GrpcGossipTransport* const transport_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_SERVICE_H_
