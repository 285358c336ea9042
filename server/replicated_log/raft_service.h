// dfs.internal.v1.Raft on the peer port.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_SERVICE_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_SERVICE_H_

#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/grpc_raft_transport.h"

namespace dfs::replicated_log {

class RaftService final : public rpc::Raft::CallbackService {
 public:
  // `transport` outlives the service.
  explicit RaftService(GrpcRaftTransport* transport) : transport_(transport) {}

  grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope>* Exchange(
      grpc::CallbackServerContext* /*context*/) override {
    return transport_->Accept();
  }

 private:
  GrpcRaftTransport* const transport_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_SERVICE_H_
