#include "client/cli/get_transfer.h"

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <utility>

#include "client/cli/get_cache.h"
#include "client/cli/interrupt.h"
#include "client/cli/text.h"
#include "client/posix_partial_file.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

// A partial file that an interrupt removes, unless it is one to go on with.
class Target final : public ByteSink {
 public:
  Target(const std::string& local, bool keeps) : file_(local, keeps) {}
  [[nodiscard]] PartialFile& file() { return file_; }
  [[nodiscard]] absl::Status Begin(const v1::FileInfo& info) override {
    DFS_RETURN_IF_ERROR(file_.Begin(info));
    remove_.reset();  // at most one at a time
    remove_ = std::make_unique<RemoveOnInterrupt>(file_.path_to_remove());
    return absl::OkStatus();
  }
  [[nodiscard]] absl::Status Write(const Slices& bytes) override { return file_.Write(bytes); }
  [[nodiscard]] bool Rewind() override { return file_.Rewind(); }

 private:
  PartialFile file_;
  std::unique_ptr<RemoveOnInterrupt> remove_;
};

// The version is looked up in the cluster, so that what comes from the cache is as fresh as what
// would have come from there.
absl::StatusOr<Got> GetCached(FileClient& client, const std::string& remote, const GetSettings& settings,
                              GetOptions options, ByteSink& sink) {
  const std::optional<std::uint64_t> wanted = options.version;
  DFS_ASSIGN_OR_RETURN(const v1::HelloResponse cluster, client.Hello());
  DFS_ASSIGN_OR_RETURN(const GetCache cache, GetCache::Open(cluster.cluster_id(), settings.cache_bytes_max));
  constexpr int kAttemptsMax = 5;  // the file may be replaced between the question and the get
  for (int attempt = 1;; ++attempt) {
    DFS_ASSIGN_OR_RETURN(const v1::FileInfo file,
                         client.Stat(remote, options.consistency, wanted));
    DFS_ASSIGN_OR_RETURN(const bool is_there, cache.Fetch(file, sink));
    if (is_there) return Got{file, /*is_from_cache=*/true};
    options.version = file.version();
    const auto entry = cache.NewEntry(file);
    if (entry == nullptr) {
      auto got = client.Get(remote, sink, options);
      if (got.ok()) return Got{*got};
      if (absl::IsNotFound(got.status()) && !wanted && attempt < kAttemptsMax) continue;
      return got.status();
    }
    TeeSink both(sink, *entry);
    const auto got = client.Get(remote, both, options);
    if (got.ok()) {
      // A get without a cache is a get all the same.
      if (both.has_both() && entry->Commit().ok()) cache.Shrink();
      return Got{*got};
    }
    if (absl::IsNotFound(got.status()) && !wanted && attempt < kAttemptsMax) continue;
    return got.status();
  }
}

absl::Status WithNote(const absl::Status& status, const std::string& note) {
  absl::Status out(status.code(), std::string(status.message()) + note);
  status.ForEachPayload([&](auto url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

// The version that was begun with is not there any more, or not as it was.
bool IsAboutTheVersion(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsAborted(status) || absl::IsOutOfRange(status);
}

// One try. `*taken_over`: how many bytes were taken over that an earlier get had left; null: none are to be.
absl::StatusOr<Got> TryToFile(FileClient& client, const std::string& remote, const std::string& local,
                              const GetSettings& settings, std::uint64_t* taken_over, const OnProgress& on_progress) {
  Target target(local, settings.resumes);
  GetSettings mine = settings;
  std::uint64_t from = 0;
  if (taken_over != nullptr && PartialFile::HasLeft(local)) {
    DFS_ASSIGN_OR_RETURN(const v1::FileInfo file, client.Stat(remote, settings.options.consistency, settings.options.version));
    from = *taken_over = target.file().TakeOver(file);
    if (from > 0) {
      mine.options.version = file.version();
      mine.options.offset = from;
    }
  }
  auto got = GetToSink(client, remote, target, mine, [&](std::uint64_t bytes, std::uint64_t total) {
    if (on_progress) on_progress(from + bytes, from + total);
  });
  if (!got.ok()) {
    if (absl::IsDataLoss(got.status()) || (from > 0 && IsAboutTheVersion(got.status()))) target.file().Discard();
    const std::uint64_t kept = target.file().bytes_kept();
    if (kept == 0) return got.status();
    return WithNote(got.status(), " (the first " + FormatBytes(kept, true) + " are kept; the same get goes on there)");
  }
  got->resumed_from = from;
  if (settings.is_durable) DFS_RETURN_IF_ERROR(target.file().Sync());
  DFS_RETURN_IF_ERROR(target.file().Commit());
  return got;
}

}  // namespace

absl::StatusOr<Got> GetToSink(FileClient& client, const std::string& remote, ByteSink& sink, const GetSettings& settings,
                              const OnProgress& on_progress) {
  GetOptions options = settings.options;
  options.on_progress = on_progress;
  if (settings.is_cached) return GetCached(client, remote, settings, options, sink);
  DFS_ASSIGN_OR_RETURN(v1::FileInfo file, client.Get(remote, sink, options));
  return Got{std::move(file)};
}

absl::StatusOr<Got> GetToFile(FileClient& client, const std::string& remote, const std::string& local,
                              const GetSettings& settings, const OnProgress& on_progress) {
  std::uint64_t taken_over = 0;
  auto got = TryToFile(client, remote, local, settings, settings.resumes ? &taken_over : nullptr, on_progress);
  // What was left was damaged, or the file was replaced meanwhile: that says nothing about a get from the beginning.
  const bool may_be_better = absl::IsDataLoss(got.status()) || IsAboutTheVersion(got.status());
  if (taken_over == 0 || !may_be_better) return got;
  return TryToFile(client, remote, local, settings, nullptr, on_progress);
}

bool IsSameFile(const std::string& local, const v1::FileInfo& file) {
  struct stat status {};
  if (::lstat(local.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (static_cast<std::uint64_t>(status.st_size) != file.size()) return false;
  const auto source = OpenFileSource(local);
  if (!source.ok()) return false;
  ContentSums sums;
  for (;;) {
    const auto bytes = (*source)->Read(kLocalReadBytes);
    if (!bytes.ok()) return false;
    if (bytes->empty()) return sums.IsOf(file);
    sums.Add(*bytes);
  }
}

std::string LineOf(const Got& got, const std::string& remote, const std::string& local, bool is_human) {
  std::string out = remote + " -> " + local + "  " + FormatBytes(got.file.size(), is_human) + " bytes  version " +
                    std::to_string(got.file.version());
  if (got.is_from_cache) out += "  from the cache";
  if (got.was_there) out += "  was there already";
  if (got.resumed_from > 0) out += "  went on at " + FormatBytes(got.resumed_from, is_human);
  return out + FormatFreshness(got.file);
}

Json JsonOf(const Got& got, const std::string& local, const GetSettings& settings) {
  Json json = JsonOf(got.file);
  json["local"] = local;
  if (settings.is_cached) json["from_cache"] = got.is_from_cache;
  if (got.was_there) json["was_there"] = true;
  if (got.resumed_from > 0) json["resumed_from"] = got.resumed_from;
  return json;
}

}  // namespace dfs::client::cli
