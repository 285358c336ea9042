// remove, mv, clear.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/interrupt.h"
#include "client/cli/remote_selection.h"
#include "client/cli/simulation.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/transfer_board.h"
#include "client/cli/verbs.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

struct RemoveFlags {
  std::vector<std::string> remotes;
  bool is_forced = false;
  std::optional<std::uint64_t> if_version;
  std::optional<std::uint64_t> version;
  SelectionFlags selection;
  std::optional<std::uint64_t> files_max;
  std::size_t jobs = kJobsDefault;
  bool is_dry_run = false;
};

absl::StatusOr<std::uint64_t> RemoveOne(Session& session, const std::string& remote,
                                        const RemoveFlags& flags) {
  const ChangeInProgress change;
  if (!flags.version) return session.client().Remove(remote, flags.if_version);
  DFS_RETURN_IF_ERROR(session.client().RemoveVersion(remote, *flags.version));
  return *flags.version;
}

int RemoveNamed(Session& session, const RemoveFlags& flags) {
  int first_failure = kExitOk;
  bool has_success = false;
  for (const auto& remote : flags.remotes) {
    const auto removed = RemoveOne(session, remote, flags);
    if (flags.is_forced && absl::IsNotFound(removed.status())) {
      has_success = true;
      continue;
    }
    if (!removed.ok()) {
      const int code = session.Fail(removed.status(), remote);
      if (first_failure == kExitOk) first_failure = code;
      continue;
    }
    has_success = true;
    if (session.is_json()) {
      session.PrintJson(session.Labelled(Json{{"status", "success"}, {"name", remote}, {"version", *removed}}));
    } else {
      session.Say("removed " + remote + "  version " + std::to_string(*removed));
    }
  }
  return first_failure != kExitOk && has_success ? kExitPartly : first_failure;
}

// What was listed, and nothing that was stored under these names since.
absl::StatusOr<FileDone> RemoveListed(Session& session, const RemoteFile& file, bool is_forced) {
  absl::StatusOr<std::uint64_t> removed;
  {
    const ChangeInProgress change;
    // A gossip bucket knows no conditions.
    removed = session.client().Remove(file.name, file.is_eventual ? std::nullopt : std::optional(file.version));
  }
  FileDone done;
  if (is_forced && absl::IsNotFound(removed.status())) removed = file.version;
  DFS_RETURN_IF_ERROR(removed.status());
  done.line = "removed " + file.name + "  version " + std::to_string(*removed);
  done.json = session.Labelled(Json{{"status", "success"}, {"name", file.name}, {"version", *removed}});
  done.bytes = file.size;
  return done;
}

int SimulateRemove(Session& session, const Selection& selected) {
  Simulation simulation(session);
  int failure = kExitOk;
  for (const auto& [word, status] : selected.failed) failure = session.Fail(status, word);
  for (const auto& file : selected.files) {
    simulation.Would("remove", file.name + "  version " + std::to_string(file.version) + "  " +
                                   FormatBytes(file.size, session.flags().is_human) + " bytes",
                     Json{{"name", file.name}, {"version", file.version}, {"size", file.size}}, file.size);
  }
  return simulation.Finish(failure != kExitOk && !selected.files.empty() ? kExitPartly : failure);
}

int RemoveSelected(Session& session, const RemoveFlags& flags) {
  auto selected = SelectRemote(session.client(), flags.remotes, flags.selection, v1::STRONG);
  if (!selected.ok()) return session.Fail(selected.status());
  if (flags.is_forced) {
    std::erase_if(selected->failed, [](const auto& failure) { return absl::IsNotFound(failure.second); });
  }
  if (selected->files.size() > flags.files_max.value_or(selected->files.size())) {
    return session.Fail(absl::FailedPreconditionError("these are " + std::to_string(selected->files.size()) +
                                                      " files, more than --max-delete: nothing was removed"));
  }
  if (flags.is_dry_run) return SimulateRemove(session, *selected);
  std::uint64_t bytes = 0;
  for (const auto& file : selected->files) bytes += file.size;
  TransferBoard board(session, "removed", selected->files.size(), bytes);
  board.Fail(selected->failed);
  board.Run(
      flags.jobs,
      [&](std::size_t index, const OnProgress&) { return RemoveListed(session, selected->files[index], flags.is_forced); },
      [&](std::size_t index) { return selected->files[index].name; });
  return board.Finish();
}

// What one word alone means is named in the conditions.
absl::Status CheckIsOne(const RemoveFlags& flags) {
  if (!flags.if_version && !flags.version) return absl::OkStatus();
  return absl::InvalidArgumentError("--if-version and --version are of files that are named");
}

// The one file that a condition is about.
int SimulateNamed(Session& session, const RemoveFlags& flags) {
  Selection selected;
  for (const auto& remote : flags.remotes) {
    const auto file = session.client().Stat(remote, v1::STRONG, flags.version);
    absl::Status status = file.status();
    if (status.ok() && flags.if_version.value_or(file->version()) != file->version()) {
      status = absl::FailedPreconditionError("the current version is another");
    }
    if (status.ok() && flags.version && !file->is_old()) {
      status = absl::FailedPreconditionError("this is the current version");
    }
    if (flags.is_forced && absl::IsNotFound(status)) continue;
    if (!status.ok()) {
      selected.failed.emplace_back(remote, status);
      continue;
    }
    RemoteFile& found = selected.files.emplace_back();
    found.name = remote;
    found.size = file->size();
    found.version = file->version();
  }
  return SimulateRemove(session, selected);
}

int RunRemove(Session& session, const RemoveFlags& flags) {
  const bool is_many = MeansMany(flags.remotes, flags.selection) || flags.files_max.has_value();
  if (!is_many) {
    RemoveFlags named = flags;
    for (std::string& remote : named.remotes) remote = PlainNameOf(remote, flags.selection);
    return flags.is_dry_run ? SimulateNamed(session, named) : RemoveNamed(session, named);
  }
  if (const absl::Status status = CheckIsOne(flags); !status.ok()) return session.Fail(status);
  for (const auto& remote : flags.remotes) {
    if (!remote.empty() && remote.find_first_not_of('/') != std::string::npos) continue;
    return session.Fail(absl::InvalidArgumentError("all files of the bucket: dfs-cli clear removes them"));
  }
  return RemoveSelected(session, flags);
}

struct MvFlags {
  std::string source;
  std::string target;
  MoveOptions options;
  bool is_dry_run = false;
};

int SimulateMv(Session& session, const MvFlags& flags) {
  const auto source = session.client().Stat(flags.source);
  if (!source.ok()) return session.Fail(source.status(), flags.source);
  if (flags.options.if_version.value_or(source->version()) != source->version()) {
    return session.Fail(absl::FailedPreconditionError("the current version is another"), flags.source);
  }
  const auto target = session.client().Stat(flags.target);
  if (!target.ok() && !absl::IsNotFound(target.status())) return session.Fail(target.status(), flags.target);
  if (target.ok() && flags.options.if_absent) {
    return session.Fail(absl::AlreadyExistsError("there is a file of this name"), flags.target);
  }
  const std::uint64_t replaced = target.ok() ? target->version() : 0;
  Simulation simulation(session);
  simulation.Would("mv", flags.source + " -> " + flags.target + "  " +
                             FormatBytes(source->size(), session.flags().is_human) + " bytes, none of them moved" +
                             (replaced == 0 ? "" : ", in place of version " + std::to_string(replaced)),
                   Json{{"source", flags.source}, {"name", flags.target}, {"size", source->size()}, {"replaces", replaced}});
  return simulation.Finish();
}

int RunMv(Session& session, const MvFlags& flags) {
  if (flags.is_dry_run) return SimulateMv(session, flags);
  absl::StatusOr<v1::FileInfo> moved;
  {
    const ChangeInProgress change;
    moved = session.client().Move(flags.source, flags.target, flags.options);
  }
  if (!moved.ok()) return session.Fail(moved.status(), flags.source);
  if (session.is_json()) {
    Json json = JsonOf(*moved);
    json["source"] = flags.source;
    session.PrintJson(json);
  } else {
    session.Say(flags.source + " -> " + moved->name() + "  version " +
                std::to_string(moved->version()));
  }
  return kExitOk;
}

// For a person who has begun: long enough to look it up.
constexpr absl::Duration kClearPatience = absl::Minutes(10);

int SimulateClear(Session& session, const std::string& prefix) {
  ListOptions options;
  options.prefix = prefix;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  const absl::Status listed = session.client().List(options, [&](const v1::FileInfo& file) {
    ++files;
    bytes += file.size();
  });
  if (!listed.ok()) return session.Fail(listed, prefix);
  Simulation simulation(session);
  simulation.Would("clear", "\"" + prefix + "\": " + std::to_string(files) + " files, " +
                                FormatBytes(bytes, session.flags().is_human) + " bytes",
                   Json{{"prefix", prefix}, {"removed", files}, {"bytes", bytes}}, bytes);
  return simulation.Finish();
}

int RunClear(Session& session, const std::string& prefix, bool is_confirmed) {
  const std::string what =
      prefix.empty() ? "ALL files of the bucket" : "all files that begin with \"" + prefix + "\"";
  if (!is_confirmed) {
    if (!HasTerminal()) {
      return session.Fail(
          absl::InvalidArgumentError("clear removes " + what + "; say --yes to confirm"));
    }
    if (!IsConfirmed("Remove " + what + "?", kClearPatience)) {
      session.Say("nothing was removed");
      return kExitOther;
    }
  }
  absl::StatusOr<std::uint64_t> removed;
  {
    const ChangeInProgress change;
    removed = session.client().Clear(prefix);
  }
  if (!removed.ok()) return session.Fail(removed.status(), prefix);
  if (session.is_json()) {
    session.PrintJson(session.Labelled(Json{{"status", "success"}, {"prefix", prefix}, {"removed", *removed}}));
  } else {
    session.Say("removed " + std::to_string(*removed) + " files");
  }
  return kExitOk;
}

}  // namespace

Verb RemoveVerb() {
  return {"remove",
          {"rm"},
          "remove REMOTE...",
          "remove files; -r: folders with all below them",
          {"dfs-cli remove report.pdf", "dfs-cli remove a.txt b.txt c.txt",
           "dfs-cli remove -f maybe.txt", "dfs-cli remove 'tmp/?.log'", "dfs-cli remove -r -n scratch",
           "dfs-cli remove -r --exclude=*.keep --max-delete=1000 scratch"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<RemoveFlags>();
            app.add_option("REMOTE", flags->remotes, "names in the cluster, or patterns (*, ?, [a-z], ** for any folders; quoted)")
                ->required();
            AddSelectionFlags(app, flags->selection, "folders with all that is below them");
            app.add_option("--max-delete", flags->files_max, "remove nothing if these are more files");
            AddJobsFlag(app, flags->jobs);
            AddDryRunFlag(app, flags->is_dry_run);
            app.add_flag("-f,--force", flags->is_forced, "a file that is not there is no error");
            auto* condition = app.add_option("--if-version", flags->if_version,
                                             "only if this is the current version");
            app.add_option("--version", flags->version,
                           "only this older version that the bucket keeps")
                ->excludes(condition);
            return [flags](Session& session) { return RunRemove(session, *flags); };
          }};
}

Verb MvVerb() {
  return {"mv",
          {"rename"},
          "mv SOURCE TARGET",
          "give a file another name, in one step; no bytes are moved",
          {"dfs-cli mv report.pdf archive/2026/report.pdf",
           "dfs-cli mv --if-absent draft.txt final.txt", "dfs-cli mv --if-version=17 a.txt b.txt"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<MvFlags>();
            app.add_option("SOURCE", flags->source, "its name now")->required();
            app.add_option("TARGET", flags->target,
                           "its name then; a file of this name is replaced as by a put (undelete "
                           "takes it back)")
                ->required();
            app.add_option("--if-version", flags->options.if_version,
                           "only if this is the current version of SOURCE");
            app.add_flag("--if-absent", flags->options.if_absent,
                         "only if there is no file TARGET");
            AddDryRunFlag(app, flags->is_dry_run);
            return [flags](Session& session) { return RunMv(session, *flags); };
          }};
}

Verb ClearVerb() {
  return {"clear",
          {},
          "clear [PREFIX]",
          "remove every file whose name begins with PREFIX (asks first)",
          {"dfs-cli clear scratch/", "dfs-cli clear --yes scratch/", "dfs-cli clear --yes", "dfs-cli clear -n scratch/"},
          [](CLI::App& app) -> RunVerb {
            auto prefix = std::make_shared<std::string>();
            auto is_confirmed = std::make_shared<bool>(false);
            auto* word = app.add_option("PREFIX", *prefix, "default: all files");
            auto is_literal = std::make_shared<bool>(false);
            app.add_flag("--literal", *is_literal, "*, ? and [ in PREFIX mean themselves");
            app.callback([prefix, is_literal, word] {
              // What is removed is all there is: nobody says that by an empty word.
              if (word->count() > 0 && prefix->empty()) {
                throw CLI::ValidationError("PREFIX is empty (a variable that is not set?); without it: all files");
              }
              if (!*is_literal && HasPattern(*prefix)) {
                throw CLI::ValidationError("PREFIX is no pattern (dfs-cli remove takes them; --literal: *, ? and [ mean themselves)");
              }
            });
            auto is_dry_run = std::make_shared<bool>(false);
            app.add_flag("-y,--yes", *is_confirmed, "do not ask");
            AddDryRunFlag(app, *is_dry_run);
            return [prefix, is_confirmed, is_dry_run](Session& session) {
              return *is_dry_run ? SimulateClear(session, *prefix) : RunClear(session, *prefix, *is_confirmed);
            };
          }};
}

}  // namespace dfs::client::cli
