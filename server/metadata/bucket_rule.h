// How the options of a bucket become numbers: copies, quorums, versions. Pure.
#ifndef DFS_SERVER_METADATA_BUCKET_RULE_H_
#define DFS_SERVER_METADATA_BUCKET_RULE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/wire_ids.h"

namespace dfs::metadata {

// kInvalidArgument unless 1 to 63 characters of a to z, 0 to 9, "-" and ".", the first and last a
// letter or digit.
[[nodiscard]] absl::Status CheckBucketName(std::string_view name);

// The row that these options make, every default filled in; id, name and times are the caller's.
// kInvalidArgument: they contradict each other or a limit; among them, quorums that need not meet
// (write + read <= replicas) without allow_no_overlap.
[[nodiscard]] absl::StatusOr<rpc::BucketRow> BucketRowOf(const api::BucketOptions& options);
// And back: what clients are told.
[[nodiscard]] api::BucketOptions OptionsOf(const rpc::BucketRow& bucket);

// Its files are the nodes' own: no entry of the log is about them.
[[nodiscard]] inline bool IsGossipBucket(const rpc::BucketRow& bucket) { return bucket.mode() == api::GOSSIP; }

// How many nodes a set of this bucket names (rule R16).
[[nodiscard]] std::uint32_t EffectiveReplicas(const rpc::BucketRow& bucket, std::uint64_t members);
// Counted over all members, alive or not (rule R7).
[[nodiscard]] std::uint32_t EffectiveWriteQuorum(const rpc::BucketRow& bucket,
                                                 std::uint64_t members);
// `set_size`: of the version's set, its retired members left out.
[[nodiscard]] std::uint32_t EffectiveReadQuorum(const rpc::BucketRow& bucket,
                                                std::uint64_t set_size);
// Older versions that are kept beside the current one.
[[nodiscard]] std::uint32_t OldVersionsKept(const rpc::BucketRow& bucket);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_BUCKET_RULE_H_
