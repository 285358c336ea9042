// MoveFile: a version goes from one name to another by one entry.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/metadata_machine.h"
#include "server/metadata/session_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

using Code = rpc::CommandResult;

absl::Status Check(const rpc::MoveFile& move) {
  absl::Status status = CheckName(move.source());
  if (status.ok()) status = CheckName(move.target());
  if (status.ok()) status = CheckWriter(move.writer());
  if (status.ok() && move.source() == move.target()) {
    status = absl::InvalidArgumentError("a file cannot be moved to its own name");
  }
  return status;
}

// The one version of these bytes, under its new name. There is never a second one that names its
// chunks: what would be purged under the old name would be the bytes of the new one (rule R17).
rpc::VersionRow Rename(ApplyContext* context, const rpc::BucketRow& bucket,
                       const rpc::MoveFile& move, rpc::VersionRow version) {
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_last_version(counters.last_version() + 1);
  Detach(context, version);
  version.set_old_versions(
      MakeWay(context, bucket, ReadFile(*context->rows, BucketId(bucket.id()), move.target())));
  version.set_name(move.target());
  version.set_number(counters.last_version());
  const bool keeps_index =
      DFS_MUTANT(1035, "a moved version stays as old as it was: a clear before it hides it");
  if (!keeps_index) version.set_commit_index(context->index.value());
  version.set_time_us(context->log_time_us());
  version.set_writer(move.writer());
  AddCurrent(context, version);
  return version;
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::MoveFile& command) {
  constexpr std::uint32_t kKind = rpc::Command::kMoveFile;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (const absl::Status status = Check(command); !status.ok()) {
    return Refusal(*context, Code::INVALID,
                   std::string(status.message().data(), status.message().size()));
  }
  const rpc::BucketRow* const bucket = context->FindQuorumBucket(command.bucket_id());
  if (bucket == nullptr) return Refusal(*context, Code::NO_BUCKET, "no such bucket");
  const auto fail = [&](Code::Code code, const char* message) {
    rpc::CommandResult result;
    result.set_code(code);
    result.set_message(message);
    return StoreResult(context, request, kKind, std::move(result));
  };
  const BucketId id(bucket->id());
  auto source = FindVisible(*context, id, command.source());
  if (!source) return fail(Code::NOT_FOUND, "no such file");
  if (command.has_if_version() && command.if_version() != source->number()) {
    return fail(Code::PRECONDITION_FAILED, "the current version is another");
  }
  if (command.if_absent() && FindVisible(*context, id, command.target()) &&
      !DFS_MUTANT(1202, "a move does not look whether its target is there")) {
    return fail(Code::EXISTS, "there is a file of the new name");
  }
  const std::uint64_t number = source->number();
  const rpc::VersionRow version = Rename(context, *bucket, command, *std::move(source));
  rpc::CommandResult result;
  result.set_code(Code::DONE);
  *result.mutable_version() = Summary(version);
  result.set_replicas(PoorestCopies(version));
  result.set_count(number);
  return StoreResult(context, request, kKind, std::move(result));
}

}  // namespace dfs::metadata
