#include "client/cli/put_transfer.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "client/cli/interrupt.h"
#include "client/cli/posix_put_state.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/posix_partial_file.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

// Where the bucket says nothing else. Programs (gRPC, HTTP) have no window unless the bucket sets
// one.
constexpr std::uint32_t kConflictWindowS = 60;
constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr std::uint64_t kWorthALook = std::uint64_t{8} << 20;  // bytes; takes longer than the look

absl::StatusOr<v1::PutResponse> PutOnce(Session& session, const std::string& remote,
                                        ByteSource& source, const PutOptions& options) {
  const ChangeInProgress change;
  return session.client().Put(remote, source, options);
}

// The entry of the log decides; but many bytes are not sent for a condition that does not hold now.
absl::Status LookBeforehand(Session& session, const std::string& remote, const ByteSource& source,
                            const PutSettings& settings) {
  const bool has_condition = settings.if_absent || settings.if_version.has_value();
  if (!has_condition || source.size().value_or(0) < kWorthALook) return absl::OkStatus();
  const auto current = session.client().Stat(remote);
  if (!current.ok() && !absl::IsNotFound(current.status())) return current.status();
  return CheckConditions(settings, current.ok() ? current->version() : 0);
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
  options.resumable = nullptr;  // it has ended, and this is another
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

// Whether the current version has the bytes of the source: then it is `*file`, and the source is at its beginning again anyway.
absl::StatusOr<bool> IsThere(Session& session, const std::string& remote, ByteSource& source, v1::FileInfo* file) {
  if (!source.size().has_value()) return false;
  auto current = session.client().Stat(remote);
  if (absl::IsNotFound(current.status())) return false;
  DFS_RETURN_IF_ERROR(current.status());
  if (current->size() != *source.size()) return false;
  ContentSums sums;
  for (;;) {
    DFS_ASSIGN_OR_RETURN(const Slices bytes, source.Read(kLocalReadBytes));
    if (bytes.empty()) break;
    sums.Add(bytes);
  }
  if (!source.Rewind()) return LocalError("read twice", remote, ESPIPE);
  if (!sums.IsOf(*current)) return false;
  *file = *std::move(current);
  return true;
}

// All that a put has in common with the one it may go on with. Not the bytes: those are compared with what the node has.
std::string KeyOf(const Session& session, const std::string& cluster_id, const std::string& remote,
                  const PutSettings& settings) {
  return Json{cluster_id, session.flags().bucket, remote, session.flags().writer, settings.if_absent, settings.is_forced,
              settings.if_version ? Json(*settings.if_version) : Json()}
      .dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// Why bytes that were sent are sent again, or will be if this run is interrupted.
void SayWhyAnew(const Session& session, const std::string& remote, const std::string& why) {
  session.Say(remote + ": --resume begins at the first byte: " + why);
}

// Null: it is not worth it, or cannot be, which is said.
std::unique_ptr<PutState> OpenState(Session& session, const std::string& local, const std::string& remote,
                                    const ByteSource& source, const PutSettings& settings) {
  if (!settings.resumes) return nullptr;
  if (!source.size().has_value()) SayWhyAnew(session, remote, "what is no regular file is not gone on with");
  if (source.size().value_or(0) < kResumableBytesMin) return nullptr;
  const auto cluster = session.client().Hello();
  if (!cluster.ok()) return nullptr;  // the put itself will say it
  auto state = PutState::Open(KeyOf(session, cluster->cluster_id(), remote, settings), local);
  if (state.ok()) return *std::move(state);
  SayWhyAnew(session, remote, std::string(state.status().message()));
  return nullptr;
}

// Whether another run may have something to go on with, or to find out.
bool IsOpenEnd(const absl::Status& status) {
  return OutcomeOf(status) == v1::ErrorDetail::UNKNOWN || absl::IsUnavailable(status) || absl::IsCancelled(status) ||
         absl::IsDeadlineExceeded(status) || ReasonOf(status) == v1::ErrorDetail::OVERLOADED;
}

// Whether this version was removed or replaced since.
absl::StatusOr<bool> IsGone(Session& session, const std::string& remote, std::uint64_t version) {
  const auto current = session.client().Stat(remote);
  if (absl::IsNotFound(current.status())) return true;
  DFS_RETURN_IF_ERROR(current.status());
  return current->version() != version;
}

// What became of the put that an earlier run has left. Absent: nothing that counts now; the source is at its beginning.
absl::StatusOr<std::optional<Stored>> EndLeft(Session& session, const std::string& remote, ByteSource& source,
                                              const PutOptions& options, PutState& state) {
  const auto left = state.left();
  if (!left) return std::nullopt;
  absl::StatusOr<LeftPutEnd> end;
  {
    const ChangeInProgress change;
    end = session.client().EndLeft(*left, remote, source, options);
  }
  std::string why = std::exchange(options.resumable->why_anew, "");
  if (ReasonOf(end.status()) == v1::ErrorDetail::SESSION_EXPIRED) {
    // It will not happen any more; if it has, the current version shows it, or was made later.
    why = "the interrupted put is too long ago for the cluster to know what became of it";
  } else if (!end.ok()) {
    return end.status();
  } else if (end->had_happened) {
    const auto is_gone = IsGone(session, remote, end->put->info().version());
    if (!is_gone.ok()) return WithOutcome(is_gone.status(), v1::ErrorDetail::UNKNOWN);
    if (*is_gone) why = "what the interrupted put had stored was removed or replaced since";
  }
  if (why.empty()) return Stored{*std::move(end->put), false, options.resumable->resumed_at};
  SayWhyAnew(session, remote, why);
  state.Clear();
  options.resumable->resumed_at = 0;
  return std::nullopt;
}

absl::Status AlreadyExists() {
  return ErrorWithReason(absl::StatusCode::kAlreadyExists, "there is a file of this name",
                         v1::ErrorDetail::PRECONDITION);
}

// What is left is looked for before all else: the node keeps it for a minute, and a large file takes long to be read.
absl::StatusOr<Stored> PutResuming(Session& session, const std::string& remote, ByteSource& source,
                                   const PutSettings& settings, const PutOptions& options, PutState* state) {
  if (state != nullptr) {
    DFS_ASSIGN_OR_RETURN(auto ended, EndLeft(session, remote, source, options, *state));
    if (ended) return *std::move(ended);
  }
  Stored out;
  if (settings.resumes) {
    DFS_ASSIGN_OR_RETURN(out.was_there, IsThere(session, remote, source, out.put.mutable_info()));
    out.put.set_replicas(out.put.info().replicas_ok());
    if (out.was_there) return out;
  }
  DFS_RETURN_IF_ERROR(LookBeforehand(session, remote, source, settings));
  DFS_ASSIGN_OR_RETURN(out.put, PutOnce(session, remote, source, options));
  if (options.resumable != nullptr) out.resumed_from = options.resumable->resumed_at;
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenSource(const std::string& local) {
  if (local == "-") return MakeDescriptorSource(STDIN_FILENO, "standard input");
  return OpenFileSource(local);
}

absl::Status CheckConditions(const PutSettings& settings, std::uint64_t version) {
  if (settings.if_absent && version != 0) return AlreadyExists();
  if (settings.if_version.value_or(version) == version) return absl::OkStatus();
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition, "the current version is another",
                         v1::ErrorDetail::PRECONDITION);
}

absl::StatusOr<Stored> PutFile(Session& session, const std::string& local, const std::string& remote,
                               const PutSettings& settings, const OnProgress& on_progress) {
  DFS_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenSource(local));
  PutOptions options;
  options.if_version = settings.if_version;
  options.if_absent = settings.if_absent;
  options.conflict_window_s = kConflictWindowS;
  options.ignores_conflict = settings.is_forced;
  options.on_progress = on_progress;
  const std::unique_ptr<PutState> state = OpenState(session, local, remote, *source, settings);
  ResumablePut resumable;
  if (state != nullptr) {
    resumable.on_begin = [&state](const PutTrace& trace) { state->Write(trace); };
    options.resumable = &resumable;
  }
  auto stored = PutResuming(session, remote, *source, settings, options, state.get());
  if (ReasonOf(stored.status()) == v1::ErrorDetail::CONFLICT) {
    auto put = settings.may_ask ? AskAndPut(session, remote, *source, options, stored.status()) : WithAdvice(stored.status());
    stored = put.ok() ? absl::StatusOr<Stored>(Stored{*std::move(put)}) : put.status();
  }
  if (state != nullptr && !resumable.why_anew.empty()) SayWhyAnew(session, remote, resumable.why_anew);
  if (state != nullptr && (stored.ok() || !IsOpenEnd(stored.status()))) state->Remove();
  if (settings.if_absent && ReasonOf(stored.status()) == v1::ErrorDetail::PRECONDITION) return AlreadyExists();
  return stored;
}

std::string LineOf(const Stored& stored, bool is_human) {
  const v1::FileInfo& file = stored.put.info();
  return file.name() + "  " + FormatBytes(file.size(), is_human) + " bytes  version " + std::to_string(file.version()) + "  " +
         std::to_string(stored.put.replicas()) + " replicas" + FormatFreshness(file) +
         (stored.was_there ? "  was there already" : "") +
         (stored.resumed_from > 0 ? "  went on at " + FormatBytes(stored.resumed_from, is_human) : "");
}

Json JsonOf(const Stored& stored) {
  Json json = JsonOf(stored.put);
  if (stored.was_there) json["was_there"] = true;
  if (stored.resumed_from > 0) json["resumed_from"] = stored.resumed_from;
  return json;
}

}  // namespace dfs::client::cli
