// ClearPrefix hides a range at once; ClearStep moves what it hid to the trash, a bounded part in
// each entry (rule R8).
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/metadata/bucket_table.h"
#include "server/metadata/clear_range.h"
#include "server/metadata/commands.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/session_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

// Rows that one ClearStep looks at: most of a range may have been written anew since.
constexpr std::size_t kStepScanMax = 10'000;

void CountOutOlds(ApplyContext* context, const rpc::VersionRow& current) {
  if (current.old_versions() == 0) return;
  for (const rpc::VersionRow& old :
       ReadOlds(*context->rows, BucketId(current.bucket_id()), current.name())) {
    CountOut(context, old);
  }
}

// Takes the visible files of the range out of the counters; fills in how far it came.
std::uint64_t CountHidden(ApplyContext* context, rpc::ClearRow* clear) {
  const std::string first = FileKey(BucketId(clear->bucket_id()), clear->prefix());
  std::uint64_t count = 0;
  clear->set_counted_all(true);
  context->rows->Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view value) {
    if (count == context->clear_count_max) {
      clear->set_counted_all(false);
      return false;
    }
    const auto version = ParseRow<rpc::VersionRow>(key, value);
    if (FirstHiding(context->cache->clears, version) == nullptr) {
      CountOut(context, version);
      CountOutOlds(context, version);
      ++count;
    }
    clear->set_counted_through(version.name());
    return true;
  });
  if (clear->counted_all()) clear->clear_counted_through();
  return count;
}

struct Step {
  std::vector<rpc::VersionRow> hidden;
  std::string cursor;   // names up to this one are done
  bool is_last = true;  // the end of the range was reached
};

Step FindHidden(const ApplyContext& context, const rpc::ClearRow& clear, std::size_t files_max) {
  Step step;
  step.cursor = clear.cursor();
  const BucketId bucket(clear.bucket_id());
  const std::string range = FileKey(bucket, clear.prefix());
  const std::string first =
      clear.cursor().empty() ? range : FileKey(bucket, clear.cursor()).append(1, '\0');
  std::size_t seen = 0;
  std::size_t versions = 0;
  context.rows->Scan(first, EndOfPrefix(range), [&](std::string_view key, std::string_view value) {
    if (versions >= files_max || seen == kStepScanMax) {
      step.is_last = false;
      return false;
    }
    ++seen;
    auto version = ParseRow<rpc::VersionRow>(key, value);
    if (FirstHiding(context.cache->clears, version) == &clear) {
      // A name goes whole; one at least, or there would be no progress.
      versions += 1 + version.old_versions();
      if (versions > files_max && !step.hidden.empty()) {
        step.is_last = false;
        return false;
      }
      step.hidden.push_back(version);
    }
    step.cursor = version.name();
    return true;
  });
  return step;
}

void SetPending(ApplyContext* context) {
  context->cache->counters.set_pending_clears(
      static_cast<std::uint32_t>(context->cache->clears.size()));
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::ClearPrefix& command) {
  constexpr std::uint32_t kKind = rpc::Command::kClearPrefix;
  if (auto answer = Admit(*context, command.request_id(), kKind)) return *std::move(answer);
  if (context->FindQuorumBucket(command.bucket_id()) == nullptr) {
    return Refusal(*context, rpc::CommandResult::NO_BUCKET, "no such bucket");
  }
  if (command.prefix().size() > kNameBytesMax) {
    return Refusal(*context, rpc::CommandResult::INVALID,
                   "the prefix is longer than a name can be");
  }
  if (context->cache->clears.size() >= kPendingClearsMax) {
    return Refusal(*context, rpc::CommandResult::INVALID,
                   "64 clears are under way: try again later");
  }
  rpc::ClearRow clear;
  clear.set_index(context->index.value());
  clear.set_bucket_id(command.bucket_id());
  clear.set_prefix(command.prefix());
  clear.set_time_us(context->log_time_us());
  const std::uint64_t count = CountHidden(context, &clear);
  if (count > 0) {
    rpc::CountersRow& counters = context->cache->counters;
    counters.set_last_version(counters.last_version() + 1);
    context->rows->Put(ClearKey(context->index), EncodeRow(clear));
    context->cache->clears.push_back(std::move(clear));
    SetPending(context);
  }
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  result.set_count(count);
  return StoreResult(context, command.request_id(), kKind, std::move(result));
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::ClearStep& command) {
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  result.set_applied_index(context->index.value());
  std::vector<rpc::ClearRow>& clears = context->cache->clears;
  if (clears.empty()) return result;
  rpc::ClearRow& oldest = clears.front();
  const std::uint32_t files_max = std::clamp(command.rows(), 1u, kClearStepFilesMax);
  Step step = FindHidden(*context, oldest, files_max);
  result.set_count(step.hidden.size());
  for (const rpc::VersionRow& version : step.hidden) TrashFile(context, version);
  const std::string key = ClearKey(LogIndex(oldest.index()));
  if (step.is_last) {
    context->rows->Delete(key);
    const std::uint64_t bucket = oldest.bucket_id();
    clears.erase(clears.begin());
    SetPending(context);
    MaybeDropBucket(context, bucket);
  } else {
    oldest.set_cursor(step.cursor);
    context->rows->Put(key, EncodeRow(oldest));
  }
  return result;
}

}  // namespace dfs::metadata
