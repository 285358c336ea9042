// The service Leader of the peer port: decodes, calls, encodes. No handler waits: each answers from a callback.
#ifndef DFS_SERVER_LEADER_LEADER_SERVICE_H_
#define DFS_SERVER_LEADER_LEADER_SERVICE_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "dfs/internal/v1/leader.grpc.pb.h"
#include "server/leader/leader_operations.h"

namespace dfs::leader {

class LeaderService final : public internal::v1::Leader::CallbackService {
 public:
  // `operations` outlives the server.
  explicit LeaderService(LeaderOperations* operations) : operations_(operations) {}

  grpc::ServerUnaryReactor* OpenTransactions(grpc::CallbackServerContext* context,
                                             const rpc::OpenTransactionsRequest* request,
                                             rpc::OpenTransactionsResponse* response) override;
  grpc::ServerUnaryReactor* RenewTransactions(grpc::CallbackServerContext* context,
                                              const rpc::RenewTransactionsRequest* request,
                                              rpc::RenewTransactionsResponse* response) override;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const rpc::SubmitRequest* request,
                                   rpc::SubmitResponse* response) override;
  grpc::ServerUnaryReactor* ReadIndex(grpc::CallbackServerContext* context,
                                      const rpc::ReadIndexRequest* request,
                                      rpc::ReadIndexResponse* response) override;
  grpc::ServerUnaryReactor* ReportReplicas(grpc::CallbackServerContext* context,
                                           const rpc::ReportReplicasRequest* request,
                                           rpc::ReportReplicasResponse* response) override;
  grpc::ServerUnaryReactor* Verdicts(grpc::CallbackServerContext* context,
                                     const rpc::VerdictsRequest* request,
                                     rpc::VerdictsResponse* response) override;
  grpc::ServerUnaryReactor* ReportUnlinked(grpc::CallbackServerContext* context,
                                           const rpc::ReportUnlinkedRequest* request,
                                           rpc::ReportUnlinkedResponse* response) override;
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context,
                                 const rpc::JoinRequest* request,
                                 rpc::JoinResponse* response) override;
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const rpc::RegisterRequest* request,
                                     rpc::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* Manage(grpc::CallbackServerContext* context,
                                   const rpc::ManageRequest* request,
                                   rpc::ManageResponse* response) override;

 private:
  LeaderOperations* const operations_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LEADER_SERVICE_H_
