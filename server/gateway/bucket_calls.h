// MakeBucket, RemoveBucket, ListBuckets of dfs.v1.Files.
#ifndef DFS_SERVER_GATEWAY_BUCKET_CALLS_H_
#define DFS_SERVER_GATEWAY_BUCKET_CALLS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfs/v1/buckets.pb.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/gossip_files.h"

namespace dfs::gateway {

// Decode, one call, encode. All block, at most coordinator::kQuorumTimeout and what a read index
// takes. Thread-safe.
class BucketCalls {
 public:
  // Both outlive it.
  BucketCalls(const coordinator::Parts& parts, GossipFiles* gossip) : parts_(parts), gossip_(gossip) {}

  absl::Status Make(const api::MakeBucketRequest& request, api::MakeBucketResponse* response);
  absl::Status Remove(const api::RemoveBucketRequest& request);
  absl::Status List(const api::ListBucketsRequest& request, api::ListBucketsResponse* response);

  // What clients are told of a bucket; `view` counts what is in it.
  static api::BucketInfo InfoOf(const metadata::MetadataView& view, const rpc::BucketRow& bucket);

 private:
  absl::StatusOr<bool> WasRemovedBy(const metadata::MetadataView& view, const api::RequestId& id);

  const coordinator::Parts& parts_;
  GossipFiles* const gossip_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_BUCKET_CALLS_H_
