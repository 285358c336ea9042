// get: a file, several, or all below a folder.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/get_transfer.h"
#include "client/cli/progress_line.h"
#include "client/cli/remote_selection.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/transfer_board.h"
#include "client/cli/verbs.h"
#include "client/posix_byte_stream.h"
#include "client/posix_partial_file.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

bool IsFolder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

struct GetFlags {
  std::vector<std::string> words;
  SelectionFlags selection;
  std::string range;
  std::optional<std::uint64_t> version;
  std::string consistency = "strong";
  bool is_cached = false;
  std::string cache_size = "1GiB";
  bool begins_anew = false;
  bool follows_links = false;
  bool is_dry_run = false;
  std::size_t jobs = kJobsDefault;

  [[nodiscard]] std::string target() const { return words.size() > 1 ? words.back() : ""; }
  [[nodiscard]] std::vector<std::string> remotes() const {
    return {words.begin(), words.size() > 1 ? words.end() - 1 : words.end()};
  }
  [[nodiscard]] bool is_many() const { return words.size() > 2 || MeansMany(remotes(), selection); }
};

std::string UsageErrorOf(const GetFlags& flags) {
  if (flags.words.size() > 1 && flags.target().empty()) return "LOCAL is empty (a variable that is not set?)";
  if (!flags.is_many()) return "";
  if (flags.target() == "-") return "only one file goes to standard output";
  if (!flags.range.empty() || flags.version.has_value()) return "--range and --version are of one file";
  const bool has_folder = flags.words.size() <= 2 || flags.target().ends_with('/') || IsFolder(flags.target());
  return has_folder ? "" : "the last of several is the folder to put them into: it ends with a slash, or is there";
}

absl::StatusOr<GetSettings> SettingsOf(const GetFlags& flags) {
  GetSettings out;
  out.is_cached = flags.is_cached;
  out.resumes = !flags.begins_anew && !flags.is_cached && flags.range.empty();
  DFS_ASSIGN_OR_RETURN(out.cache_bytes_max, ParseBytes(flags.cache_size));
  out.options.version = flags.version;
  DFS_ASSIGN_OR_RETURN(out.options.consistency, ParseConsistency(flags.consistency));
  if (flags.range.empty()) return out;
  DFS_ASSIGN_OR_RETURN(const ByteRange range, ParseRange(flags.range));
  out.options.offset = range.offset;
  out.options.length = range.length;
  return out;
}

// ---- One ----

std::string TargetOf(const std::string& remote, const std::string& local) {
  if (local.empty()) return BaseName(remote);
  if (!local.ends_with('/') && !IsFolder(local)) return local;
  return local + (local.ends_with('/') ? "" : "/") + BaseName(remote);
}

int SimulateOne(Session& session, const std::string& remote, const std::string& local, const GetSettings& settings) {
  const auto file = session.client().Stat(remote, settings.options.consistency, settings.options.version);
  if (!file.ok()) return session.Fail(file.status(), remote);
  Simulation simulation(session);
  simulation.Would("get", remote + " -> " + local + "  " + FormatBytes(file->size(), session.flags().is_human) + " bytes",
                   Json{{"name", remote}, {"local", local}, {"size", file->size()}, {"version", file->version()}},
                   file->size());
  return simulation.Finish();
}

int GetStream(Session& session, const std::string& remote, const GetSettings& settings, const OnProgress& on_progress) {
  const auto sink = MakeDescriptorSink(STDOUT_FILENO, "standard output");
  const auto got = GetToSink(session.client(), remote, *sink, settings, on_progress);
  if (got.ok()) {
    if (got->is_from_cache) session.Say(remote + "  from the cache");
    return kExitOk;
  }
  if (!session.is_json()) return session.Fail(got.status(), remote);
  // Standard output has nothing but data.
  std::fprintf(stderr, "%s\n", Line(JsonOfError(got.status(), remote)).c_str());
  return ExitCodeOf(got.status());
}

int GetOne(Session& session, const GetFlags& flags, const GetSettings& settings) {
  const std::string remote = PlainNameOf(flags.words[0], flags.selection);
  const std::string local = flags.target() == "-" ? "-" : TargetOf(remote, flags.target());
  if (flags.is_dry_run) return SimulateOne(session, remote, local, settings);
  ProgressLine progress(session, remote);
  const OnProgress on_progress = [&](std::uint64_t bytes, std::uint64_t total) { progress.Update(bytes, total); };
  if (local == "-") return GetStream(session, remote, settings, on_progress);
  if (flags.target().ends_with('/')) {
    const absl::Status made = MakeFoldersFor(flags.target(), BaseName(remote), /*follows_links=*/true);
    if (!made.ok()) return session.Fail(made, remote);
  }
  const auto got = GetToFile(session.client(), remote, local, settings, on_progress);
  progress.Clear();
  if (!got.ok()) return session.Fail(got.status(), remote);
  if (session.is_json()) {
    session.PrintJson(JsonOf(*got, local, settings));
  } else {
    session.Say(LineOf(*got, remote, local, session.flags().is_human));
  }
  return kExitOk;
}

// ---- Many ----

v1::FileInfo InfoOf(const RemoteFile& file) {
  v1::FileInfo out;
  out.set_name(file.name);
  out.set_size(file.size);
  out.set_version(file.version);
  out.set_crc32c(file.crc32c);
  out.set_content_hash(file.content_hash);
  return out;
}

absl::StatusOr<FileDone> GetInto(Session& session, const std::string& folder, const RemoteFile& file,
                                 const GetFlags& flags, const GetSettings& settings, const OnProgress& on_progress) {
  DFS_RETURN_IF_ERROR(MakeFoldersFor(folder, file.relative, flags.follows_links));
  const std::string local = folder + (folder.ends_with('/') ? "" : "/") + file.relative;
  Got got;
  if (!flags.begins_anew && IsSameFile(local, InfoOf(file))) {
    got.file = InfoOf(file);
    got.was_there = true;
  } else {
    GetSettings mine = settings;
    // To look for what an earlier get left costs more than a short file.
    mine.resumes = settings.resumes && file.size >= kResumableBytesMin;
    DFS_ASSIGN_OR_RETURN(got, GetToFile(session.client(), file.name, local, mine, on_progress));
  }
  FileDone done;
  done.line = LineOf(got, file.name, local, session.flags().is_human);
  done.json = JsonOf(got, local, settings);
  done.bytes = got.file.size();
  done.was_there = got.was_there;
  return done;
}

int SimulateMany(Session& session, const std::string& folder, const GetPlan& plan) {
  Simulation simulation(session);
  int failure = kExitOk;
  for (const auto& [name, status] : plan.failed) failure = session.Fail(status, name);
  for (const auto& file : plan.files) {
    const std::string local = folder + (folder.ends_with('/') ? "" : "/") + file.relative;
    simulation.Would("get", file.name + " -> " + local + "  " + FormatBytes(file.size, session.flags().is_human) + " bytes",
                     Json{{"name", file.name}, {"local", local}, {"size", file.size}, {"version", file.version}}, file.size);
  }
  return simulation.Finish(failure != kExitOk && !plan.files.empty() ? kExitPartly : failure);
}

int GetMany(Session& session, const GetFlags& flags, const GetSettings& settings) {
  SelectionFlags selection = flags.selection;
  selection.keeps_folder_names = flags.words.size() != 2;
  auto selected = SelectRemote(session.client(), flags.remotes(), selection, settings.options.consistency);
  if (!selected.ok()) return session.Fail(selected.status());
  auto plan = PlanGet(std::move(selected->files));
  if (!plan.ok()) return session.Fail(plan.status());
  plan->failed.insert(plan->failed.begin(), selected->failed.begin(), selected->failed.end());
  const std::string folder = flags.target().empty() ? "." : flags.target();
  if (flags.is_dry_run) return SimulateMany(session, folder, *plan);
  TransferBoard board(session, "read", plan->files.size(), plan->bytes);
  board.Fail(plan->failed);
  board.Run(
      flags.jobs,
      [&](std::size_t index, const OnProgress& on_progress) {
        return GetInto(session, folder, plan->files[index], flags, settings, on_progress);
      },
      [&](std::size_t index) { return plan->files[index].name; });
  return board.Finish();
}

int RunGet(Session& session, const GetFlags& flags) {
  const auto settings = SettingsOf(flags);
  if (!settings.ok()) return session.Fail(settings.status());
  return flags.is_many() ? GetMany(session, flags, *settings) : GetOne(session, flags, *settings);
}

}  // namespace

Verb GetVerb() {
  return {"get",
          {},
          "get REMOTE... [LOCAL]",
          "read files; each appears under its local name when it is whole",
          {"dfs-cli get report.pdf", "dfs-cli get archive/2026/report.pdf copy.pdf",
           "dfs-cli get src.tar - | tar x", "dfs-cli get --range=0-99 log.txt -",
           "dfs-cli get --version=17 report.pdf old.pdf", "dfs-cli get --cache model.bin",
           "dfs-cli get -r backup/src src", "dfs-cli get 'logs/*.txt' here/", "dfs-cli get -r --include=*.jpg --jobs=8 photos",
           "dfs-cli get -r -n backup"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<GetFlags>();
            app.add_option("REMOTE", flags->words,
                           "names in the cluster, or patterns (*, ?, [a-z], ** for any folders; quoted); the last of two or "
                           "more is the local file or folder (default: base name), - is standard output")
                ->required();
            AddSelectionFlags(app, flags->selection, "folders with all below them: into LOCAL (default: their base name)");
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
            app.add_flag("--no-resume", flags->begins_anew,
                         "begin anew; without it a get goes on where an interrupted one of the same version stopped, and with "
                         "-r or a pattern reads no file again that is there with the same bytes");
            app.add_flag("-L,--follow-links", flags->follows_links,
                         "with -r or a pattern: write through symbolic links below the folder");
            AddJobsFlag(app, flags->jobs);
            AddDryRunFlag(app, flags->is_dry_run);
            app.callback([flags] {
              if (const std::string error = UsageErrorOf(*flags); !error.empty()) throw CLI::ValidationError(error);
            });
            return [flags](Session& session) { return RunGet(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
