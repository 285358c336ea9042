// The measured settings of channels and servers (proto/README.md has the figures).
#ifndef DFS_PROTO_CHANNEL_ARGUMENTS_H_
#define DFS_PROTO_CHANNEL_ARGUMENTS_H_

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

namespace dfs {

enum class ChannelUse {
  kBulk,     // file bytes: large frames and reads; a connection of its own
  kControl,  // small calls
};

// For grpc::CreateCustomChannel. Channels of different uses never share a connection.
grpc::ChannelArguments ArgumentsFor(ChannelUse use);
// The same on the side of the server, with the limits on messages, streams and idle connections.
void SetServerArguments(grpc::ServerBuilder& builder);

// How a server finds that a client is gone without a word (power, network): connections that were silent for `interval_ms` are
// pinged, and cut if no answer comes within `timeout_ms`; their calls are cancelled.
struct PeerPings {
  int interval_ms = 10'000;
  int timeout_ms = 10'000;
};
// For the port of nodes only: their processes answer pings whatever their calls are waiting for. Other clients may be stopped by
// whoever started them, or wait for a pipe, for as long as they like.
void SetPeerPings(grpc::ServerBuilder& builder, const PeerPings& pings = {});

inline constexpr int kMessageBytesMax = 8 << 20;

}  // namespace dfs

#endif  // DFS_PROTO_CHANNEL_ARGUMENTS_H_
