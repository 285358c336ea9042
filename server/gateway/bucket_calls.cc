#include "server/gateway/bucket_calls.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::gateway {

api::BucketInfo BucketCalls::InfoOf(const metadata::MetadataView& view,
                                    const rpc::BucketRow& bucket) {
  api::BucketInfo info;
  info.set_name(bucket.name());
  info.set_id(bucket.id());
  *info.mutable_options() = metadata::OptionsOf(bucket);
  const rpc::BucketCountsRow counts = view.CountsOf(BucketId(bucket.id()));
  info.set_files(counts.files());
  info.set_bytes(counts.bytes());
  info.set_old_versions(counts.old_versions());
  info.set_old_bytes(counts.old_bytes());
  info.set_trashed(counts.trashed());
  info.set_created_time_us(bucket.created_time_us());
  if (metadata::IsGossipBucket(bucket)) {
    info.set_replicas_now(static_cast<std::uint32_t>(view.member_count()));
    return info;
  }
  const std::uint64_t members = view.member_count();
  const std::uint32_t replicas = metadata::EffectiveReplicas(bucket, members);
  info.set_replicas_now(replicas);
  info.set_write_quorum_now(metadata::EffectiveWriteQuorum(bucket, members));
  info.set_read_quorum_now(metadata::EffectiveReadQuorum(bucket, replicas));
  return info;
}

absl::Status BucketCalls::Make(const api::MakeBucketRequest& request,
                               api::MakeBucketResponse* response) {
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  DFS_RETURN_IF_ERROR(metadata::CheckBucketName(request.bucket()));
  DFS_RETURN_IF_ERROR(metadata::BucketRowOf(request.options()).status());
  rpc::Command command;
  rpc::MakeBucket& make = *command.mutable_make_bucket();
  *make.mutable_request_id() = request.request_id();
  make.set_name(request.bucket());
  *make.mutable_options() = request.options();
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                       parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
  DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
  *response->mutable_info() = InfoOf(*parts_.machine->View(), result.bucket());
  return absl::OkStatus();
}

// Whether this request has removed a bucket. Results of changes are no part of a directory: there the log is asked, which settles
// the request if it was not done.
absl::StatusOr<bool> BucketCalls::WasRemovedBy(const metadata::MetadataView& view, const api::RequestId& id) {
  std::optional<rpc::CommandResult> stored;
  if (parts_.machine->has_files()) {
    stored = view.FindResult(*SessionFromWire(id.session()), id.sequence());
  } else {
    rpc::Command command;
    *command.mutable_settle()->mutable_request_id() = id;
    DFS_ASSIGN_OR_RETURN(stored, parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
  }
  return stored && stored->code() == rpc::CommandResult::DONE && stored->settled_kind() == rpc::Command::kRemoveBucket;
}

absl::Status BucketCalls::Remove(const api::RemoveBucketRequest& request) {
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  if (request.bucket().empty()) return absl::InvalidArgumentError("which bucket?");
  // A retry of a removal that was done does not find the bucket any more: what was decided then is
  // the answer.
  DFS_ASSIGN_OR_RETURN(const auto view, coordinator::ReadDirectoryView(parts_, api::STRONG));
  const auto found = coordinator::FindBucket(*view, request.bucket());
  if (!found.ok() || parts_.machine->has_files()) {
    DFS_ASSIGN_OR_RETURN(const bool is_done, WasRemovedBy(*view, request.request_id()));
    if (is_done) return absl::OkStatus();
  }
  DFS_RETURN_IF_ERROR(found.status());
  const rpc::BucketRow& bucket = *found;
  // The log does not know what is in a gossip bucket: this node says what it knows.
  if (api::BucketInfo info = InfoOf(*view, bucket); metadata::IsGossipBucket(bucket)) {
    gossip_->AddCounts(&info);
    if (info.files() > 0) {
      return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                             absl::StrCat("bucket \"", bucket.name(), "\" has ", info.files(), " files: clear it first"),
                             api::ErrorDetail::NOT_EMPTY);
    }
  }
  rpc::Command command;
  *command.mutable_remove_bucket()->mutable_request_id() = request.request_id();
  command.mutable_remove_bucket()->set_bucket_id(bucket.id());
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result,
                       parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout));
  return coordinator::StatusOf(result);
}

absl::Status BucketCalls::List(const api::ListBucketsRequest& request,
                               api::ListBucketsResponse* response) {
  DFS_ASSIGN_OR_RETURN(const auto view, coordinator::ReadDirectoryView(parts_, request.consistency()));
  response->set_applied_index(view->applied_index().value());
  for (const auto& bucket : view->Buckets()) {
    *response->add_buckets() = InfoOf(*view, bucket);
    gossip_->AddCounts(response->mutable_buckets(response->buckets_size() - 1));
  }
  return absl::OkStatus();
}

}  // namespace dfs::gateway
