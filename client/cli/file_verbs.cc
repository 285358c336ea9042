// remove, mv, clear.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/interrupt.h"
#include "client/cli/terminal.h"
#include "client/cli/verbs.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

struct RemoveFlags {
  std::vector<std::string> remotes;
  bool is_forced = false;
  std::optional<std::uint64_t> if_version;
  std::optional<std::uint64_t> version;
};

absl::StatusOr<std::uint64_t> RemoveOne(Session& session, const std::string& remote,
                                        const RemoveFlags& flags) {
  const ChangeInProgress change;
  if (!flags.version) return session.client().Remove(remote, flags.if_version);
  DFS_RETURN_IF_ERROR(session.client().RemoveVersion(remote, *flags.version));
  return *flags.version;
}

int RunRemove(Session& session, const RemoveFlags& flags) {
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

struct MvFlags {
  std::string source;
  std::string target;
  MoveOptions options;
};

int RunMv(Session& session, const MvFlags& flags) {
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
          "remove files",
          {"dfs-cli remove report.pdf", "dfs-cli remove a.txt b.txt c.txt",
           "dfs-cli remove -f maybe.txt"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<RemoveFlags>();
            app.add_option("REMOTE", flags->remotes, "names in the cluster")->required();
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
            return [flags](Session& session) { return RunMv(session, *flags); };
          }};
}

Verb ClearVerb() {
  return {"clear",
          {},
          "clear [PREFIX]",
          "remove every file whose name begins with PREFIX (asks first)",
          {"dfs-cli clear scratch/", "dfs-cli clear --yes scratch/", "dfs-cli clear --yes"},
          [](CLI::App& app) -> RunVerb {
            auto prefix = std::make_shared<std::string>();
            auto is_confirmed = std::make_shared<bool>(false);
            app.add_option("PREFIX", *prefix, "default: all files");
            app.add_flag("-y,--yes", *is_confirmed, "do not ask");
            return [prefix, is_confirmed](Session& session) {
              return RunClear(session, *prefix, *is_confirmed);
            };
          }};
}

}  // namespace dfs::client::cli
