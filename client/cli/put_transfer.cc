#include "client/cli/put_transfer.h"

#include <unistd.h>

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
  if (!source.Rewind()) return absl::InternalError("a file that cannot be read twice");
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

// Null: it is not worth it, or cannot be.
std::unique_ptr<PutState> OpenState(Session& session, const std::string& local, const std::string& remote,
                                    const ByteSource& source, const PutSettings& settings) {
  if (!settings.resumes || source.size().value_or(0) < kResumableBytesMin) return nullptr;
  const auto cluster = session.client().Hello();
  if (!cluster.ok()) return nullptr;
  return PutState::Open(KeyOf(session, cluster->cluster_id(), remote, settings), local);
}

// Whether another run may have something to go on with, or to find out.
bool IsOpenEnd(const absl::Status& status) {
  return OutcomeOf(status) == v1::ErrorDetail::UNKNOWN || absl::IsUnavailable(status) || absl::IsCancelled(status);
}

absl::Status AlreadyExists() {
  return ErrorWithReason(absl::StatusCode::kAlreadyExists, "there is a file of this name",
                         v1::ErrorDetail::PRECONDITION);
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
  Stored out;
  if (settings.resumes) {
    DFS_ASSIGN_OR_RETURN(out.was_there, IsThere(session, remote, *source, out.put.mutable_info()));
    out.put.set_replicas(out.put.info().replicas_ok());
    if (out.was_there) return out;
  }
  PutOptions options;
  options.if_version = settings.if_version;
  options.if_absent = settings.if_absent;
  options.conflict_window_s = kConflictWindowS;
  options.ignores_conflict = settings.is_forced;
  DFS_RETURN_IF_ERROR(LookBeforehand(session, remote, *source, settings));
  options.on_progress = on_progress;
  const std::unique_ptr<PutState> state = OpenState(session, local, remote, *source, settings);
  ResumablePut resumable;
  if (state != nullptr) {
    resumable.left = state->left();
    resumable.on_begin = [&state](const PutTrace& trace) { state->Write(trace); };
    options.resumable = &resumable;
  }
  auto put = PutOnce(session, remote, *source, options);
  if (ReasonOf(put.status()) == v1::ErrorDetail::CONFLICT) {
    put = settings.may_ask ? AskAndPut(session, remote, *source, options, put.status()) : WithAdvice(put.status());
  }
  if (state != nullptr && (put.ok() || !IsOpenEnd(put.status()))) state->Remove();
  if (settings.if_absent && ReasonOf(put.status()) == v1::ErrorDetail::PRECONDITION) return AlreadyExists();
  DFS_RETURN_IF_ERROR(put.status());
  out.put = *std::move(put);
  out.resumed_from = resumable.resumed_at;
  return out;
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
