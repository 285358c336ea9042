// put: and the question whether to write over what somebody else wrote just now.
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/cli/interrupt.h"
#include "client/cli/progress_line.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/posix_byte_stream.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

// Where the bucket says nothing else. Programs (gRPC, HTTP) have no window unless the bucket sets
// one.
constexpr std::uint32_t kConflictWindowS = 60;
constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr std::uint64_t kWorthALook = std::uint64_t{8} << 20;  // bytes; takes longer than the look

struct PutFlags {
  std::string local;
  std::string remote;
  std::optional<std::uint64_t> if_version;
  bool is_if_absent = false;
  bool is_forced = false;
};

absl::StatusOr<std::unique_ptr<ByteSource>> OpenSource(const std::string& local) {
  if (local == "-") return MakeDescriptorSource(STDIN_FILENO, "standard input");
  return OpenFileSource(local);
}

absl::StatusOr<v1::PutResponse> PutOnce(Session& session, const std::string& remote,
                                        ByteSource& source, const PutOptions& options) {
  const ChangeInProgress change;
  return session.client().Put(remote, source, options);
}

// The entry of the log decides; but many bytes are not sent for a condition that does not hold now.
absl::Status LookBeforehand(Session& session, const std::string& remote, const ByteSource& source,
                            const PutOptions& options) {
  const bool has_condition = options.if_absent || options.if_version.has_value();
  if (!has_condition || source.size().value_or(0) < kWorthALook) return absl::OkStatus();
  const auto current = session.client().Stat(remote);
  if (!current.ok() && !absl::IsNotFound(current.status())) return current.status();
  const std::uint64_t version = current.ok() ? current->version() : 0;
  if (options.if_absent && version != 0) {
    return ErrorWithReason(absl::StatusCode::kAlreadyExists, "there is a file of this name",
                           v1::ErrorDetail::PRECONDITION);
  }
  if (options.if_version.value_or(version) == version) return absl::OkStatus();
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition, "the current version is another",
                         v1::ErrorDetail::PRECONDITION);
}

absl::Status WithAdvice(const absl::Status& conflict) {
  return ErrorWithReason(
      conflict.code(),
      std::string(conflict.message()) +
          "; --force stores it all the same, --if-version=V only over that version",
      v1::ErrorDetail::CONFLICT);
}

// Another writer wrote the name just now. Whoever sits at the terminal says whether to go on; the
// put then names the version that was asked about, so that a third writer is not overrun unseen.
absl::StatusOr<v1::PutResponse> AskAndPut(Session& session, const std::string& remote,
                                          ByteSource& source, PutOptions options,
                                          const absl::Status& conflict) {
  if (!HasTerminal() || session.is_json()) return WithAdvice(conflict);
  const auto current = session.client().Stat(remote);
  if (!current.ok() && !absl::IsNotFound(current.status())) return current.status();
  options.if_version = current.ok() ? current->version() : 0;
  const std::string who =
      !current.ok() || current->writer().empty() ? "another client" : current->writer();
  const std::string question = current.ok() ? remote + ": " + who + " wrote version " +
                                                  std::to_string(current->version()) + " at " +
                                                  FormatTime(current->time_us()) + ". Replace it?"
                                            : remote + ": it was removed just now. Store it?";
  if (!IsConfirmed(question, kPatience)) {
    session.Say("nothing was stored");
    return conflict;
  }
  if (!source.Rewind()) return WithAdvice(conflict);
  auto put = PutOnce(session, remote, source, options);
  if (ReasonOf(put.status()) != v1::ErrorDetail::PRECONDITION) return put;
  return ErrorWithReason(absl::StatusCode::kAborted, "it was written once more meanwhile",
                         v1::ErrorDetail::CONFLICT);
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
  options.if_absent = flags.is_if_absent;
  options.conflict_window_s = kConflictWindowS;
  options.ignores_conflict = flags.is_forced;
  if (const absl::Status look = LookBeforehand(session, remote, **source, options); !look.ok()) {
    return session.Fail(look, remote);
  }
  ProgressLine progress(session, remote);
  options.on_progress = [&](std::uint64_t bytes, std::uint64_t total) {
    progress.Update(bytes, total);
  };
  auto put = PutOnce(session, remote, **source, options);
  if (ReasonOf(put.status()) == v1::ErrorDetail::CONFLICT) {
    put = AskAndPut(session, remote, **source, options, put.status());
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
                  " replicas" + FormatFreshness(put->info()) + "\n");
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
           "tar c src | dfs-cli put - src.tar", "dfs-cli put --if-absent lock.txt locks/build",
           "dfs-cli put --if-version=17 report.pdf"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<PutFlags>();
            app.add_option("LOCAL", flags->local, "file to store; - is standard input")->required();
            app.add_option("REMOTE", flags->remote, "its name in the cluster (default: base name)");
            auto* version = app.add_option("--if-version", flags->if_version,
                                           "only if this is the current version (0: none)");
            app.add_flag("--if-absent", flags->is_if_absent, "only if there is no such file")
                ->excludes(version);
            app.add_flag("--force", flags->is_forced,
                         "also if another client wrote it less than 60 s ago (or what the bucket "
                         "says); without it this asks, or fails with 13")
                ->excludes(version);
            return [flags](Session& session) { return RunPut(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
