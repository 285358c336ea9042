// MakeBucket and RemoveBucket.
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "server/metadata/bucket_rule.h"
#include "server/metadata/bucket_table.h"
#include "server/metadata/commands.h"
#include "server/metadata/session_table.h"

namespace dfs::metadata {
namespace {

using Code = rpc::CommandResult;

rpc::CommandResult Invalid(const ApplyContext& context, const absl::Status& status) {
  return Refusal(context, Code::INVALID,
                 std::string(status.message().data(), status.message().size()));
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::MakeBucket& command) {
  constexpr std::uint32_t kKind = rpc::Command::kMakeBucket;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (!context->cache->cluster) return Refusal(*context, Code::INVALID, "no cluster is formed");
  if (const absl::Status name = CheckBucketName(command.name()); !name.ok()) {
    return Invalid(*context, name);
  }
  auto row = BucketRowOf(command.options());
  if (!row.ok()) return Invalid(*context, row.status());
  rpc::CommandResult result;
  if (context->rows->Get(BucketNameKey(command.name()))) {
    result.set_code(Code::EXISTS);
    result.set_message("there is a bucket of this name");
  } else if (context->cache->buckets.size() >= kBucketsMax) {
    result.set_code(Code::OVER_QUOTA);
    result.set_message(absl::StrCat("there are ", kBucketsMax,
                                    " buckets (those that were removed "
                                    "count until their trash is empty)"));
  } else {
    row->set_id(context->cache->counters.next_bucket_id());
    row->set_name(command.name());
    row->set_created_time_us(context->log_time_us());
    AddBucket(context, *row);
    result.set_code(Code::DONE);
    *result.mutable_bucket() = *std::move(row);
  }
  return StoreResult(context, request, kKind, std::move(result));
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::RemoveBucket& command) {
  constexpr std::uint32_t kKind = rpc::Command::kRemoveBucket;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (command.bucket_id() == kDefaultBucket.value()) {
    return Refusal(*context, Code::INVALID, "the bucket \"default\" stays");
  }
  const rpc::BucketRow* const bucket = context->FindOpenBucket(command.bucket_id());
  if (bucket == nullptr) return Refusal(*context, Code::NO_BUCKET, "no such bucket");
  const rpc::BucketCountsRow& counts = context->cache->counts.at(BucketId(bucket->id()));
  rpc::CommandResult result;
  const bool is_empty = counts.files() == 0 && counts.old_versions() == 0;
  if (!is_empty && !DFS_MUTANT(1205, "a bucket is removed with what is in it")) {
    result.set_code(Code::NOT_EMPTY);
    result.set_message(absl::StrCat("bucket \"", bucket->name(), "\" has ", counts.files(),
                                    " files: clear it first"));
  } else {
    CloseBucket(context, bucket->id());
    result.set_code(Code::DONE);
  }
  return StoreResult(context, request, kKind, std::move(result));
}

}  // namespace dfs::metadata
