// gRPC service dfs.internal.v1.Raft: hands calls over to the transport. Only the peer port serves it.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_SERVICE_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_SERVICE_H_

#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/grpc_raft_transport.h"

namespace dfs::replicated_log {

class RaftService final : public rpc::Raft::CallbackService {
 public:
  explicit RaftService(GrpcRaftTransport* transport) : transport_(transport) {}

  grpc::ServerUnaryReactor* Greet(grpc::CallbackServerContext* context,
                                  const rpc::GreetRequest* request,
                                  rpc::GreetResponse* response) override {
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(transport_->Greet(request->hello(), response));
    return reactor;
  }
  grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope>* Exchange(
      grpc::CallbackServerContext* context) override {
    return transport_->Accept(context);
  }
  grpc::ServerReadReactor<rpc::SnapshotPiece>* InstallSnapshot(
      grpc::CallbackServerContext* context, rpc::SnapshotReply* reply) override {
    return transport_->AcceptSnapshot(context, reply);
  }

 private:
  GrpcRaftTransport* const transport_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_SERVICE_H_
