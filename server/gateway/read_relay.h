// Hands reads to another node (rule R10).
#ifndef DFS_SERVER_GATEWAY_READ_RELAY_H_
#define DFS_SERVER_GATEWAY_READ_RELAY_H_

#include <grpcpp/server_context.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/peer_channels.h"
#include "common/progress_guard.h"
#include "common/wire_ids.h"
#include "dfs/v1/files.pb.h"
#include "server/gateway/file_reads.h"

namespace dfs::gateway {

// Asks dfs.internal.v1.Reads of a node and passes on what it answers. Calls block, end with the
// client's call (`context`; null: the client has not come by gRPC), and give a node up that sends
// nothing at first for `patience`, later for kProgressTimeout of the coordinator.
//
// nullopt: the node could not be asked, or its answer was lost before any of it was passed on: ask
// elsewhere. Otherwise what the client is to be told. Thread-safe.
class ReadRelay {
 public:
  // Both outlive it.
  ReadRelay(PeerChannels* channels, ProgressGuard* guard) : channels_(channels), guard_(guard) {}

  std::optional<absl::Status> Stat(NodeId node, const grpc::ServerContext* context,
                                   const api::StatRequest& request, api::StatResponse* response,
                                   absl::Duration patience);
  std::optional<absl::Status> Locate(NodeId node, const grpc::ServerContext* context,
                                     const api::LocateRequest& request,
                                     api::LocateResponse* response, absl::Duration patience);
  std::optional<absl::Status> List(NodeId node, const grpc::ServerContext* context,
                                   const api::ListRequest& request, const ListSink& sink,
                                   absl::Duration patience);
  std::optional<absl::Status> Get(NodeId node, const grpc::ServerContext* context,
                                  const api::GetRequest& request, const GetSink& sink,
                                  absl::Duration patience);

 private:
  PeerChannels* const channels_;
  ProgressGuard* const guard_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_READ_RELAY_H_
