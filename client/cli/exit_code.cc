#include "client/cli/exit_code.h"

#include "client/caller.h"
#include "client/posix_byte_stream.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

using v1::ErrorDetail;

int OfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return kExitConflict;
    case absl::StatusCode::kFailedPrecondition:
      return kExitPrecondition;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kDataLoss:
      return kExitBadData;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitTryAgain;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitDenied;
    default:
      return kExitOther;
  }
}

}  // namespace

const std::vector<std::pair<int, std::string>>& ExitCodes() {
  static const auto* const kCodes = new std::vector<std::pair<int, std::string>>{
      {kExitOk, "all worked"},
      {kExitOther, "other"},
      {kExitPartly, "partly done"},
      {kExitNotFound, "not found"},
      {kExitConflict, "conflict or exists"},
      {kExitPrecondition, "precondition failed"},
      {kExitNoQuorum, "quorum not met (nothing changed)"},
      {kExitUnknownOutcome, "outcome unknown"},
      {kExitUsage, "usage"},
      {kExitBadData, "bad data"},
      {kExitLocal, "local I/O"},
      {kExitTryAgain, "try again"},
      {kExitDenied, "denied"},
      {kExitUnreachable, "no node reachable"},
      {kExitInterrupted, "interrupted"}};
  return *kCodes;
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  if (IsLocalError(status)) return kExitLocal;
  // Whatever else is known: the caller must not believe that nothing happened.
  if (OutcomeOf(status) == ErrorDetail::UNKNOWN) return kExitUnknownOutcome;
  if (IsUnreachable(status)) return kExitUnreachable;
  switch (ReasonOf(status)) {
    case ErrorDetail::NO_QUORUM:
      return kExitNoQuorum;
    case ErrorDetail::NOT_EMPTY:
      return kExitConflict;
    case ErrorDetail::BAD_CHECKSUM:
    case ErrorDetail::SIZE_MISMATCH:
      return kExitBadData;
    default:
      return OfCode(status.code());
  }
}

std::string TypeOf(const absl::Status& status) {
  switch (ExitCodeOf(status)) {
    case kExitOk:
      return "ok";
    case kExitPartly:
      return "partly_done";
    case kExitNotFound:
      return "not_found";
    case kExitConflict:
      return "conflict";
    case kExitPrecondition:
      return "precondition_failed";
    case kExitNoQuorum:
      return "no_quorum";
    case kExitUnknownOutcome:
      return "outcome_unknown";
    case kExitUsage:
      return "invalid_argument";
    case kExitBadData:
      return "bad_data";
    case kExitLocal:
      return "local_io";
    case kExitTryAgain:
      return "try_again";
    case kExitDenied:
      return "denied";
    case kExitUnreachable:
      return "unreachable";
    case kExitInterrupted:
      return "interrupted";
    default:
      return "other";
  }
}

std::string SentenceOf(const absl::Status& status) {
  std::string out;
  switch (ExitCodeOf(status)) {
    case kExitNoQuorum:
      out = "quorum not met, nothing was changed: ";
      break;
    case kExitUnknownOutcome:
      out = "outcome unknown (it may or may not have happened): ";
      break;
    default:
      break;
  }
  out += std::string(status.message());
  if (const auto detail = DetailOf(status); detail && detail->missing_nodes_size() > 0) {
    out += "; no answer from";
    for (int i = 0; i < detail->missing_nodes_size(); ++i) {
      out += (i == 0 ? " " : ", ") + detail->missing_nodes(i);
    }
  }
  return out;
}

}  // namespace dfs::client::cli
