// One gRPC server of the node, with its limits.
#ifndef DFS_SERVER_NODE_RPC_SERVER_H_
#define DFS_SERVER_NODE_RPC_SERVER_H_

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"

namespace dfs::node {

// Thread-safe, but for Stop: once, from one thread.
class RpcServer {
 public:
  struct Options {
    std::string flag;                      // that named the address, for errors
    std::string address;                   // host:port
    std::shared_ptr<grpc::ServerCredentials> credentials;
    std::vector<grpc::Service*> services;  // outlive the server
    bool pings_clients = false;            // they are nodes (SetPeerPings)
    // Also serves grpc.health.v1.Health, for "" and these names. All are NOT_SERVING until
    // SetServing(true).
    bool has_health = false;
    std::vector<std::string> health_names;
  };
  // kUnavailable: the address is in use or not this machine's.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Listen(Options options);
  ~RpcServer();  // Stop(0)

  void SetServing(bool is_serving);

  // Refuses what comes from now on; blocks until running calls have ended, for `grace` at most,
  // then cuts them. Connections without a call are cut as soon as no call runs: a client that sits
  // idle does not read the server's farewell, and gRPC would wait for it.
  void Stop(absl::Duration grace);

 private:
  class RunningCalls;
  explicit RpcServer(Options options);

  const Options options_;
  const std::shared_ptr<RunningCalls> running_;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<int> told_serving_{-1};  // 0 or 1 once told
  ThreadExecutor stopper_;
  bool is_stopped_ = false;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_RPC_SERVER_H_
