#include "proto/channel_arguments.h"

#include <grpc/impl/codegen/grpc_types.h>

namespace dfs {
namespace {

constexpr int kFrameBytes = (16 << 20) - 1;
constexpr int kLookaheadBytes = 16 << 20;
constexpr int kReadChunkBytes = 4 << 20;

// Together, and on both sides, these give 1.7 times the rate of plain messages at half the CPU; each
// alone gives nothing.
template <class Set>
void SetBulk(Set set) {
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  set(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set("grpc.experimental.tcp_read_chunk_size", kReadChunkBytes);
  set("grpc.experimental.tcp_min_read_chunk_size", kReadChunkBytes);
  set("grpc.experimental.tcp_max_read_chunk_size", kReadChunkBytes);
}

}  // namespace

grpc::ChannelArguments ArgumentsFor(ChannelUse use) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  // A dead peer is left within seconds, and is tried again soon after it is back.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // In spite of its name: how long one attempt to connect may take, at least.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  // Without this, channels to one address share one connection, bulk and control alike.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt("dfs.channel_use", static_cast<int>(use));
  if (use == ChannelUse::kBulk) {
    SetBulk([&](const char* name, int value) { arguments.SetInt(name, value); });
  }
  return arguments;
}

void SetServerArguments(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1'000);
  SetBulk([&](const char* name, int value) { builder.AddChannelArgument(name, value); });
}

void SetPeerPings(grpc::ServerBuilder& builder, const PeerPings& pings) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, pings.interval_ms);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, pings.timeout_ms);
}

}  // namespace dfs
