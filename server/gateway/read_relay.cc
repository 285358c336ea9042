#include "server/gateway/read_relay.h"

#include "server/gateway/peer_call.h"

namespace dfs::gateway {

std::optional<absl::Status> ReadRelay::Stat(NodeId node, const grpc::ServerContext* context,
                                            const api::StatRequest& request,
                                            api::StatResponse* response, absl::Duration patience) {
  return AskOnce(channels_, guard_, node, context, "/dfs.internal.v1.Reads/Stat", request,
                 response, patience);
}

std::optional<absl::Status> ReadRelay::Locate(NodeId node, const grpc::ServerContext* context,
                                              const api::LocateRequest& request,
                                              api::LocateResponse* response, absl::Duration patience) {
  return AskOnce(channels_, guard_, node, context, "/dfs.internal.v1.Reads/Locate", request,
                 response, patience);
}

std::optional<absl::Status> ReadRelay::List(NodeId node, const grpc::ServerContext* context,
                                            const api::ListRequest& request,
                                            const ListSink& sink, absl::Duration patience) {
  return PassOn(channels_, guard_, node, context, "/dfs.internal.v1.Reads/List",
                ChannelUse::kControl, request, sink, patience);
}

std::optional<absl::Status> ReadRelay::Get(NodeId node, const grpc::ServerContext* context,
                                           const api::GetRequest& request, const GetSink& sink,
                                           absl::Duration patience) {
  api::GetRequest ask = request;
  ask.set_takes_files(false);  // the other node's files are on another machine
  return PassOn(channels_, guard_, node, context, "/dfs.internal.v1.Reads/Get", ChannelUse::kBulk,
                ask, sink, patience);
}

}  // namespace dfs::gateway
