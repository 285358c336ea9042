// get: from the cluster, or from what was read before.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/cli/get_cache.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress_line.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/posix_byte_stream.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

struct GetFlags {
  std::string remote;
  std::string local;
  std::string range;
  std::optional<std::uint64_t> version;
  std::string consistency = "strong";
  bool is_cached = false;
  std::string cache_size = "1GiB";
};

absl::StatusOr<GetOptions> OptionsOf(const GetFlags& flags) {
  GetOptions out;
  out.version = flags.version;
  DFS_ASSIGN_OR_RETURN(out.consistency, ParseConsistency(flags.consistency));
  if (flags.range.empty()) return out;
  DFS_ASSIGN_OR_RETURN(const ByteRange range, ParseRange(flags.range));
  out.offset = range.offset;
  out.length = range.length;
  return out;
}

std::string TargetOf(const GetFlags& flags) {
  if (flags.local.empty()) return BaseName(flags.remote);
  struct stat status {};
  if (::stat(flags.local.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return flags.local + (flags.local.ends_with('/') ? "" : "/") + BaseName(flags.remote);
  }
  return flags.local;
}

// To standard output, or to a file that appears when it is whole.
class Target {
 public:
  static absl::StatusOr<Target> Open(const std::string& local) {
    Target target;
    if (local == "-") {
      target.stream_ = MakeDescriptorSink(STDOUT_FILENO, "standard output");
      return target;
    }
    DFS_ASSIGN_OR_RETURN(target.file_, FileSink::Create(local));
    target.remove_ = std::make_unique<RemoveOnInterrupt>(target.file_->partial_path());
    return target;
  }
  [[nodiscard]] ByteSink& sink() { return file_ ? *file_ : *stream_; }
  [[nodiscard]] absl::Status Commit() { return file_ ? file_->Commit() : absl::OkStatus(); }

 private:
  std::unique_ptr<ByteSink> stream_;
  std::unique_ptr<FileSink> file_;
  std::unique_ptr<RemoveOnInterrupt> remove_;
};

struct Got {
  v1::FileInfo file;
  bool is_from_cache = false;
};

// The version is looked up in the cluster, so that what comes from the cache is as fresh as what
// would have come from there.
absl::StatusOr<Got> GetCached(Session& session, const GetFlags& flags, GetOptions options,
                              ByteSink& sink) {
  DFS_ASSIGN_OR_RETURN(const std::uint64_t bytes_max, ParseBytes(flags.cache_size));
  DFS_ASSIGN_OR_RETURN(const v1::HelloResponse cluster, session.client().Hello());
  DFS_ASSIGN_OR_RETURN(const GetCache cache, GetCache::Open(cluster.cluster_id(), bytes_max));
  constexpr int kAttemptsMax = 5;  // the file may be replaced between the question and the get
  for (int attempt = 1;; ++attempt) {
    DFS_ASSIGN_OR_RETURN(const v1::FileInfo file,
                         session.client().Stat(flags.remote, options.consistency, flags.version));
    DFS_ASSIGN_OR_RETURN(const bool is_there, cache.Fetch(file, sink));
    if (is_there) return Got{file, true};
    options.version = file.version();
    const auto entry = cache.NewEntry(file);
    if (entry == nullptr) {
      auto got = session.client().Get(flags.remote, sink, options);
      if (got.ok()) return Got{*got, false};
      if (absl::IsNotFound(got.status()) && !flags.version && attempt < kAttemptsMax) continue;
      return got.status();
    }
    TeeSink both(sink, *entry);
    const auto got = session.client().Get(flags.remote, both, options);
    if (got.ok()) {
      // A get without a cache is a get all the same.
      if (both.has_both() && entry->Commit().ok()) cache.Shrink();
      return Got{*got, false};
    }
    if (absl::IsNotFound(got.status()) && !flags.version && attempt < kAttemptsMax) continue;
    return got.status();
  }
}

absl::StatusOr<Got> GetTo(Session& session, const GetFlags& flags, const std::string& local,
                          const GetOptions& options) {
  DFS_ASSIGN_OR_RETURN(Target target, Target::Open(local));
  Got got;
  if (flags.is_cached) {
    DFS_ASSIGN_OR_RETURN(got, GetCached(session, flags, options, target.sink()));
  } else {
    DFS_ASSIGN_OR_RETURN(got.file, session.client().Get(flags.remote, target.sink(), options));
  }
  DFS_RETURN_IF_ERROR(target.Commit());
  return got;
}

int RunGet(Session& session, const GetFlags& flags) {
  auto options = OptionsOf(flags);
  if (!options.ok()) return session.Fail(options.status());
  ProgressLine progress(session, flags.remote);
  options->on_progress = [&](std::uint64_t bytes, std::uint64_t total) {
    progress.Update(bytes, total);
  };
  const bool is_stream = flags.local == "-";
  const std::string local = is_stream ? "-" : TargetOf(flags);
  const auto got = GetTo(session, flags, local, *options);
  if (!got.ok() && is_stream && session.is_json()) {
    // Standard output has nothing but data.
    std::fprintf(stderr, "%s\n", Line(JsonOfError(got.status(), flags.remote)).c_str());
    return ExitCodeOf(got.status());
  }
  if (!got.ok()) return session.Fail(got.status(), flags.remote);
  const std::string from = got->is_from_cache ? "  from the cache" : "";
  if (is_stream) {
    if (got->is_from_cache) session.Say(flags.remote + from);
  } else if (session.is_json()) {
    Json json = JsonOf(got->file);
    json["local"] = local;
    if (flags.is_cached) json["from_cache"] = got->is_from_cache;
    session.PrintJson(json);
  } else {
    session.Say(flags.remote + " -> " + local + "  " +
                FormatBytes(got->file.size(), session.flags().is_human) + " bytes  version " +
                std::to_string(got->file.version()) + from + FormatFreshness(got->file));
  }
  return kExitOk;
}

}  // namespace

Verb GetVerb() {
  return {"get",
          {},
          "get REMOTE [LOCAL]",
          "read a file; it appears under its local name when it is whole",
          {"dfs-cli get report.pdf", "dfs-cli get archive/2026/report.pdf copy.pdf",
           "dfs-cli get src.tar - | tar x", "dfs-cli get --range=0-99 log.txt -",
           "dfs-cli get --version=17 report.pdf old.pdf", "dfs-cli get --cache model.bin"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<GetFlags>();
            app.add_option("REMOTE", flags->remote, "name in the cluster")->required();
            app.add_option("LOCAL", flags->local,
                           "file or folder to write (default: base name); - is standard output");
            auto* range =
                app.add_option("--range", flags->range, "bytes a-b (both included) or a-");
            app.add_option("--version", flags->version,
                           "this version: the current one or an older one that the bucket keeps");
            app.add_option("--consistency", flags->consistency, "strong, leader or eventual")
                ->capture_default_str();
            app.add_flag("--cache", flags->is_cached,
                         "keep a verified copy under $XDG_CACHE_HOME/dfs, and read it from there "
                         "as long as that version is the one asked for (whole files)")
                ->excludes(range);
            app.add_option("--cache-size", flags->cache_size,
                           "what was not used for longest goes when the cache is larger")
                ->capture_default_str();
            return [flags](Session& session) { return RunGet(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
