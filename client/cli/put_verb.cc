// put: a file, several, or a tree of them.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/name_filter.h"
#include "client/cli/progress_line.h"
#include "client/cli/put_transfer.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/transfer_board.h"
#include "client/cli/transfer_plan.h"
#include "client/cli/verbs.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

struct PutFlags {
  std::vector<std::string> words;
  PutSettings settings;
  std::vector<std::string> includes;
  std::vector<std::string> excludes;
  bool is_recursive = false;
  bool follows_links = false;
  bool is_dry_run = false;
  std::size_t jobs = kJobsDefault;

  [[nodiscard]] std::string target() const { return words.size() > 1 ? words.back() : ""; }
  [[nodiscard]] std::vector<std::string> sources() const {
    return {words.begin(), words.size() > 1 ? words.end() - 1 : words.end()};
  }
  [[nodiscard]] bool has_input() const { return words[0] == "-"; }  // standard input
};

// What does not go together, by the words alone.
std::string UsageErrorOf(const PutFlags& flags) {
  const auto sources = flags.sources();
  if (flags.words.size() > 1 && flags.target().empty()) return "REMOTE is empty (a variable that is not set?)";
  if (flags.words.size() > 2 && !flags.target().ends_with('/')) {
    return "the last of several is the folder to put them into, and ends with a slash";
  }
  const bool has_input = std::find(sources.begin(), sources.end(), "-") != sources.end();
  if (has_input && (sources.size() > 1 || flags.is_recursive)) return "standard input is one file";
  if (has_input && (flags.target().empty() || flags.target().ends_with('/'))) return "put - needs a REMOTE name";
  if (flags.settings.if_version && (sources.size() > 1 || flags.is_recursive)) {
    return "--if-version is of one file";
  }
  return "";
}

PutSource SourceOf(const std::string& word, const PutFlags& flags) {
  PutSource source;
  source.word = word;
  struct stat status {};
  if (::stat(word.c_str(), &status) != 0) {
    source.tree.failed.emplace_back(word, LocalError("open", word, errno));
  } else if (S_ISDIR(status.st_mode) && !flags.is_recursive) {
    source.tree.failed.emplace_back(word, LocalError("read (-r puts what is in it)", word, EISDIR));
  } else if (S_ISDIR(status.st_mode)) {
    source.is_folder = true;
    source.tree = ReadTree(word, flags.follows_links);
  } else {
    const auto size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : std::uint64_t{0};
    source.tree.files.push_back({word, BaseName(word), size});
  }
  return source;
}

absl::StatusOr<PutPlan> PlanOf(const PutFlags& flags) {
  if (flags.has_input()) {
    PutPlan plan;
    plan.files.push_back({"-", flags.target(), 0});
    return plan;
  }
  DFS_ASSIGN_OR_RETURN(const NameFilter filter, NameFilter::Make(flags.includes, flags.excludes));
  std::vector<PutSource> sources;
  for (const std::string& word : flags.sources()) sources.push_back(SourceOf(word, flags));
  return PlanPut(sources, flags.target(), filter);
}

// What has one of these names now.
absl::StatusOr<std::map<std::string, v1::FileInfo>> CurrentFiles(Session& session, const std::vector<PutPlan::File>& files) {
  std::map<std::string, v1::FileInfo> out;
  if (files.empty()) return out;
  ListOptions options;
  options.prefix = files[0].remote;
  for (const auto& file : files) {
    out.try_emplace(file.remote);
    const auto differ = std::mismatch(options.prefix.begin(), options.prefix.end(), file.remote.begin(), file.remote.end());
    options.prefix.erase(differ.first, options.prefix.end());
  }
  DFS_RETURN_IF_ERROR(session.client().List(options, [&](const v1::FileInfo& file) {
    if (const auto found = out.find(file.name()); found != out.end()) found->second = file;
  }));
  return out;
}

int Simulate(Session& session, const PutFlags& flags, const PutPlan& plan) {
  const auto current = CurrentFiles(session, plan.files);
  if (!current.ok()) return session.Fail(current.status());
  Simulation simulation(session);
  int failure = kExitOk;
  bool has_success = false;
  for (const auto& [name, status] : plan.failed) failure = session.Fail(status, name);
  for (const auto& file : plan.files) {
    const v1::FileInfo& now = current->at(file.remote);
    absl::Status status = CheckConditions(flags.settings, now.version());
    if (status.ok() && !flags.has_input()) status = OpenSource(file.local).status();
    if (!status.ok()) {
      failure = session.Fail(status, file.local);
      continue;
    }
    has_success = true;
    const std::string replaced = now.version() == 0 ? "" : ", in place of version " + std::to_string(now.version());
    simulation.Would("put", file.local + " -> " + file.remote + "  " + FormatBytes(file.size, session.flags().is_human) +
                                " bytes" + replaced,
                     Json{{"local", file.local}, {"name", file.remote}, {"size", file.size}, {"replaces", now.version()}},
                     file.size);
  }
  return simulation.Finish(failure != kExitOk && has_success ? kExitPartly : failure);
}

int PutSingle(Session& session, const PutFlags& flags, const PutPlan::File& file) {
  PutSettings settings = flags.settings;
  settings.may_ask = true;
  absl::StatusOr<Stored> stored;
  {
    ProgressLine progress(session, file.remote);
    stored = PutFile(session, file.local, file.remote, settings,
                     [&](std::uint64_t bytes, std::uint64_t total) { progress.Update(bytes, total); });
  }
  if (!stored.ok()) return session.Fail(stored.status(), file.remote);
  if (session.is_json()) {
    session.PrintJson(JsonOf(*stored));
  } else if (!session.is_quiet()) {
    session.Print(LineOf(*stored, session.flags().is_human) + "\n");
  }
  return kExitOk;
}

int PutMany(Session& session, const PutFlags& flags, const PutPlan& plan) {
  TransferBoard board(session, "stored", plan.files.size(), plan.bytes);
  board.Fail(plan.failed);
  for (const auto& [path, why] : plan.skipped) session.Say(std::string("skipped ").append(path).append(": ").append(why));
  board.Run(
      flags.jobs,
      [&](std::size_t index, const OnProgress& on_progress) -> absl::StatusOr<FileDone> {
        const PutPlan::File& file = plan.files[index];
        DFS_ASSIGN_OR_RETURN(const Stored stored, PutFile(session, file.local, file.remote, flags.settings, on_progress));
        FileDone done;
        done.line = LineOf(stored, session.flags().is_human);
        done.is_data = true;
        done.json = JsonOf(stored);
        done.bytes = stored.put.info().size();
        done.was_there = stored.was_there;
        return done;
      },
      [&](std::size_t index) { return plan.files[index].local; });
  std::string note;
  if (!plan.skipped.empty()) note = std::to_string(plan.skipped.size()) + " skipped";
  if (plan.empty_folders > 0) {
    if (!note.empty()) note += "; ";
    note.append(std::to_string(plan.empty_folders)).append(" empty folders are not kept");
  }
  return board.Finish(note);
}

int RunPut(Session& session, const PutFlags& flags) {
  const auto plan = PlanOf(flags);
  if (!plan.ok()) return session.Fail(plan.status());
  if (flags.is_dry_run) return Simulate(session, flags, *plan);
  if (flags.is_recursive || flags.sources().size() > 1) return PutMany(session, flags, *plan);
  if (!plan->failed.empty()) return session.Fail(plan->failed[0].second, plan->failed[0].first);
  return plan->files.empty() ? kExitOk : PutSingle(session, flags, plan->files[0]);
}

}  // namespace

Verb PutVerb() {
  return {"put",
          {},
          "put LOCAL... [REMOTE]",
          "store a file as a new version, several below REMOTE/, or with -r all that is in a folder",
          {"dfs-cli put report.pdf", "dfs-cli put report.pdf archive/2026/report.pdf",
           "tar c src | dfs-cli put - src.tar", "dfs-cli put --if-absent lock.txt locks/build",
           "dfs-cli put --if-version=17 report.pdf", "dfs-cli put a.txt b.txt archive/",
           "dfs-cli put -r src backup/src", "dfs-cli put -r --exclude=.git --jobs=8 src",
           "dfs-cli put --resume disk.img", "dfs-cli put -r --resume src backup/src", "dfs-cli put -r -n src"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<PutFlags>();
            app.add_option("LOCAL", flags->words,
                           "files to store, - is standard input; the last of two or more is the name in the cluster: of one "
                           "file (default: base name); ending with a slash, the folder for all of them under their names. With "
                           "-r: what is in one folder goes below it (default: its base name)")
                ->required();
            auto* version = app.add_option("--if-version", flags->settings.if_version,
                                           "only if this is the current version (0: none)");
            app.add_flag("--if-absent", flags->settings.if_absent, "only if there is no such file")
                ->excludes(version);
            app.add_flag("--force", flags->settings.is_forced,
                         "also if another client wrote it less than 60 s ago (or what the bucket "
                         "says); without it this asks, or fails with 13")
                ->excludes(version);
            app.add_flag("-r,-R,--recursive", flags->is_recursive,
                         "folders with all that is in them (not: empty folders, symbolic links, devices)");
            app.add_flag("-L,--follow-links", flags->follows_links, "with -r: what symbolic links lead to");
            app.add_option("--include", flags->includes, "with -r: only what matches this pattern (may be repeated)")
                ->allow_extra_args(false);
            app.add_option("--exclude", flags->excludes, "with -r: not what matches this pattern (may be repeated)")
                ->allow_extra_args(false);
            app.add_flag("--resume", flags->settings.resumes,
                         "go on after an interruption: files that are there with the same bytes are not sent again, and of a file of 8 MiB "
                         "or more that was interrupted less than a minute ago (--resume-window of the server) only the rest is");
            AddJobsFlag(app, flags->jobs);
            AddDryRunFlag(app, flags->is_dry_run);
            app.callback([flags] {
              if (const std::string error = UsageErrorOf(*flags); !error.empty()) throw CLI::ValidationError(error);
            });
            return [flags](Session& session) { return RunPut(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
