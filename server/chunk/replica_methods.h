// The methods of dfs.internal.v1.Replicas on one channel, as callers use them.
#ifndef DFS_SERVER_CHUNK_REPLICA_METHODS_H_
#define DFS_SERVER_CHUNK_REPLICA_METHODS_H_

#include <memory>

#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.pb.h"
#include "proto/data_message.h"
#include "proto/raw_method.h"

namespace dfs::chunk {

// Thread-safe. Whoever has a call under way keeps it alive.
struct ReplicaMethods {
  explicit ReplicaMethods(const std::shared_ptr<grpc::Channel>& the_channel)
      : channel(the_channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  ClientStreamingMethod<WithData<rpc::WriteChunkRequest>, rpc::ChunkAck> write_chunk{
      channel, "/dfs.internal.v1.Replicas/WriteChunk"};
  UnaryMethod<WithData<rpc::WriteSmallRequest>, rpc::WriteSmallResponse> write_small{
      channel, "/dfs.internal.v1.Replicas/WriteSmall"};
  UnaryMethod<rpc::RelinkRequest, rpc::RelinkResponse> relink{
      channel, "/dfs.internal.v1.Replicas/Relink"};
  ServerStreamingMethod<rpc::ReadChunkRequest, WithData<rpc::ReadChunkResponse>> read_chunk{
      channel, "/dfs.internal.v1.Replicas/ReadChunk"};
  UnaryMethod<rpc::ConfirmRequest, rpc::ConfirmResponse> confirm{
      channel, "/dfs.internal.v1.Replicas/Confirm"};
  UnaryMethod<rpc::CopyChunkRequest, rpc::ChunkAck> copy_chunk{
      channel, "/dfs.internal.v1.Replicas/CopyChunk"};
  ServerStreamingMethod<rpc::ListChunksRequest, rpc::ListChunksResponse> list_chunks{
      channel, "/dfs.internal.v1.Replicas/ListChunks"};
  UnaryMethod<rpc::ScrubNodeRequest, api::ScrubStatus> scrub{
      channel, "/dfs.internal.v1.Replicas/Scrub"};
  UnaryMethod<rpc::CollectNodeRequest, api::CollectStatus> collect{
      channel, "/dfs.internal.v1.Replicas/Collect"};
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_REPLICA_METHODS_H_
