// put, get, remove, clear.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/interrupt.h"
#include "client/cli/progress_line.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/posix_byte_stream.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

struct PutFlags {
  std::string local;
  std::string remote;
  std::optional<std::uint64_t> if_version;
  bool is_if_absent = false;
};

absl::StatusOr<std::unique_ptr<ByteSource>> OpenSource(const std::string& local) {
  if (local == "-") return MakeDescriptorSource(STDIN_FILENO, "standard input");
  return OpenFileSource(local);
}

int RunPut(Session& session, const PutFlags& flags) {
  std::string remote = flags.remote;
  if (remote.empty() && flags.local == "-") {
    return session.Fail(absl::InvalidArgumentError("put - needs a REMOTE name"));
  }
  if (remote.empty()) remote = BaseName(flags.local);
  auto source = OpenSource(flags.local);
  if (!source.ok()) return session.Fail(source.status(), remote);
  PutOptions options;
  options.if_version = flags.if_version;
  if (flags.is_if_absent) options.if_version = 0;
  ProgressLine progress(session, remote);
  options.on_progress = [&](std::uint64_t bytes, std::uint64_t total) {
    progress.Update(bytes, total);
  };
  absl::StatusOr<v1::PutResponse> put;
  {
    const ChangeInProgress change;
    put = session.client().Put(remote, **source, options);
  }
  if (!put.ok()) {
    const bool exists =
        flags.is_if_absent && ReasonOf(put.status()) == v1::ErrorDetail::PRECONDITION;
    return session.Fail(
        exists ? ErrorWithReason(absl::StatusCode::kAlreadyExists, "there is a file of this name",
                                 v1::ErrorDetail::PRECONDITION)
               : put.status(),
        remote);
  }
  if (session.is_json()) {
    session.PrintJson(JsonOf(*put));
  } else if (!session.is_quiet()) {
    session.Print(put->info().name() + "  " +
                  FormatBytes(put->info().size(), session.flags().is_human) + " bytes  version " +
                  std::to_string(put->info().version()) + "  " + std::to_string(put->replicas()) +
                  " replicas\n");
  }
  return kExitOk;
}

struct GetFlags {
  std::string remote;
  std::string local;
  std::string range;
  std::optional<std::uint64_t> version;
  std::string consistency = "strong";
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

absl::StatusOr<v1::FileInfo> GetToFile(Session& session, const std::string& remote,
                                       const std::string& target, const GetOptions& options) {
  DFS_ASSIGN_OR_RETURN(const auto sink, FileSink::Create(target));
  const RemoveOnInterrupt remove(sink->partial_path());
  DFS_ASSIGN_OR_RETURN(v1::FileInfo info, session.client().Get(remote, *sink, options));
  DFS_RETURN_IF_ERROR(sink->Commit());
  return info;
}

int RunGet(Session& session, const GetFlags& flags) {
  auto options = OptionsOf(flags);
  if (!options.ok()) return session.Fail(options.status());
  ProgressLine progress(session, flags.remote);
  options->on_progress = [&](std::uint64_t bytes, std::uint64_t total) {
    progress.Update(bytes, total);
  };
  if (flags.local == "-") {
    const auto sink = MakeDescriptorSink(STDOUT_FILENO, "standard output");
    const auto got = session.client().Get(flags.remote, *sink, *options);
    if (got.ok()) return kExitOk;
    // Standard output has nothing but data.
    if (session.is_json()) {
      std::fprintf(stderr, "%s\n", Line(JsonOfError(got.status(), flags.remote)).c_str());
      return ExitCodeOf(got.status());
    }
    return session.Fail(got.status(), flags.remote);
  }
  const std::string target = TargetOf(flags);
  const auto got = GetToFile(session, flags.remote, target, *options);
  if (!got.ok()) return session.Fail(got.status(), flags.remote);
  if (session.is_json()) {
    Json json = JsonOf(*got);
    json["local"] = target;
    session.PrintJson(json);
  } else {
    session.Say(flags.remote + " -> " + target + "  " +
                FormatBytes(got->size(), session.flags().is_human) + " bytes  version " +
                std::to_string(got->version()));
  }
  return kExitOk;
}

struct RemoveFlags {
  std::vector<std::string> remotes;
  bool is_forced = false;
  std::optional<std::uint64_t> if_version;
};

int RunRemove(Session& session, const RemoveFlags& flags) {
  int first_failure = kExitOk;
  bool has_success = false;
  for (const auto& remote : flags.remotes) {
    absl::StatusOr<std::uint64_t> removed;
    {
      const ChangeInProgress change;
      removed = session.client().Remove(remote, flags.if_version);
    }
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
      session.PrintJson(Json{{"status", "success"}, {"name", remote}, {"version", *removed}});
    } else {
      session.Say("removed " + remote + "  version " + std::to_string(*removed));
    }
  }
  return first_failure != kExitOk && has_success ? kExitPartly : first_failure;
}

// Asks on the terminal. False unless the answer is yes.
bool IsConfirmed(const std::string& question) {
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  char answer[16] = "";
  if (std::fgets(answer, sizeof(answer), stdin) == nullptr) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

int RunClear(Session& session, const std::string& prefix, bool is_confirmed) {
  const std::string what =
      prefix.empty() ? "ALL files of the bucket" : "all files that begin with \"" + prefix + "\"";
  if (!is_confirmed) {
    if (::isatty(STDIN_FILENO) != 1) {
      return session.Fail(
          absl::InvalidArgumentError("clear removes " + what + "; say --yes to confirm"));
    }
    if (!IsConfirmed("Remove " + what + "?")) {
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
    session.PrintJson(Json{{"status", "success"}, {"prefix", prefix}, {"removed", *removed}});
  } else {
    session.Say("removed " + std::to_string(*removed) + " files");
  }
  return kExitOk;
}

}  // namespace

Verb PutVerb() {
  return {"put",
          {},
          "put LOCAL [REMOTE]",
          "store a file as a new version",
          {"dfs-cli put report.pdf", "dfs-cli put report.pdf archive/2026/report.pdf",
           "tar c src | dfs-cli put - src.tar", "dfs-cli put --if-absent lock.txt locks/build"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<PutFlags>();
            app.add_option("LOCAL", flags->local, "file to store; - is standard input")->required();
            app.add_option("REMOTE", flags->remote, "its name in the cluster (default: base name)");
            auto* version = app.add_option("--if-version", flags->if_version,
                                           "only if this is the current version (0: none)");
            app.add_flag("--if-absent", flags->is_if_absent, "only if there is no such file")
                ->excludes(version);
            return [flags](Session& session) { return RunPut(session, *flags); };
          }};
}

Verb GetVerb() {
  return {"get",
          {},
          "get REMOTE [LOCAL]",
          "read a file; it appears under its local name when it is whole",
          {"dfs-cli get report.pdf", "dfs-cli get archive/2026/report.pdf copy.pdf",
           "dfs-cli get src.tar - | tar x", "dfs-cli get --range=0-99 log.txt -"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<GetFlags>();
            app.add_option("REMOTE", flags->remote, "name in the cluster")->required();
            app.add_option("LOCAL", flags->local,
                           "file or folder to write (default: base name); - is standard output");
            app.add_option("--range", flags->range, "bytes a-b (both included) or a-");
            app.add_option("--version", flags->version, "this version (default: the current one)");
            app.add_option("--consistency", flags->consistency, "strong, leader or eventual")
                ->capture_default_str();
            return [flags](Session& session) { return RunGet(session, *flags); };
          }};
}

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
            app.add_option("--if-version", flags->if_version,
                           "only if this is the current version");
            return [flags](Session& session) { return RunRemove(session, *flags); };
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
