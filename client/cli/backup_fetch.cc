#include "client/cli/backup_fetch.h"

#include <string>
#include <utility>

#include "client/cli/backup_actions.h"
#include "client/cli/backup_object.h"
#include "client/cli/get_transfer.h"
#include "client/posix_byte_stream.h"
#include "client/posix_partial_file.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

// A file may be replaced again between the question which version there is and the get.
constexpr int kVersionsMax = 8;

}  // namespace

bool BackupFetch::IsHeld(const v1::FileInfo& file, const OnProgress& on_progress) const {
  if (!folder_.Has(file)) return false;
  return !options_.reads_kept || CheckObject(folder_.PathOf(file), file, on_progress).ok();
}

absl::StatusOr<FileDone> BackupFetch::Fetch(FileClient& client, BackupItem& item, const OnProgress& on_progress) {
  auto done = TryFetch(client, item, on_progress);
  if (IsLocalError(done.status())) has_local_failure_ = true;
  return done;
}

absl::StatusOr<FileDone> BackupFetch::TryFetch(FileClient& client, BackupItem& item, const OnProgress& on_progress) const {
  FileDone done;
  for (int version = 1;; ++version) {
    done.bytes = item.file.size();
    if (IsHeld(item.file, on_progress)) {
      item.state = BackupItem::State::kHeld;
      done.was_there = true;
      done.is_silent = true;
      return done;
    }
    GetSettings settings;
    settings.options.version = item.file.version();
    settings.is_durable = true;
    settings.resumes = item.file.size() >= kResumableBytesMin;
    const auto got = GetToFile(client, item.file.name(), folder_.PathOf(item.file), settings, on_progress);
    if (got.ok() && !HasSameBytes(got->file, item.file)) return absl::DataLossError("it is not what was listed");
    if (got.ok()) {
      item.state = BackupItem::State::kHeld;
      done.line = LineOf(*got, ShownName(item.file, options_.shows_bucket), ObjectPathOf(ObjectNameOf(item.file)), options_.is_human);
      done.json = JsonOfBackedUp(item.file);
      return done;
    }
    if (!absl::IsNotFound(got.status()) || version == kVersionsMax) return got.status();
    // The version that was listed is gone: what is there now is as good.
    auto now = client.Stat(item.file.name());
    if (absl::IsNotFound(now.status())) break;
    DFS_RETURN_IF_ERROR(now.status());
    const std::string bucket = item.file.bucket();
    item.file = *std::move(now);
    item.file.set_bucket(bucket);
  }
  item.state = BackupItem::State::kRemoved;
  done.bytes = 0;
  done.was_there = true;
  done.line = ShownName(item.file, options_.shows_bucket) + "  was removed meanwhile: left out";
  done.json = Json{{"status", "success"}, {"name", item.file.name()}, {"bucket", item.file.bucket()}, {"left_out", true}};
  return done;
}

}  // namespace dfs::client::cli
