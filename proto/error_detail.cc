#include "proto/error_detail.h"

#include <string>

#include "absl/strings/cord.h"

namespace dfs {
namespace {

v1::ErrorDetail::Outcome OutcomeOfOurCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
      return v1::ErrorDetail::UNKNOWN;
    default:
      return v1::ErrorDetail::NOTHING_CHANGED;
  }
}

}  // namespace

absl::Status ErrorWithDetail(absl::StatusCode code, std::string_view message,
                             const v1::ErrorDetail& detail) {
  absl::Status out(code, std::string(message));
  out.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return out;
}

absl::Status ErrorWithReason(absl::StatusCode code, std::string_view message,
                             v1::ErrorDetail::Reason reason,
                             v1::ErrorDetail::Outcome outcome) {
  v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(outcome);
  return ErrorWithDetail(code, message, detail);
}

std::optional<v1::ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

v1::ErrorDetail::Outcome OutcomeOf(const absl::Status& status) {
  if (const auto detail = DetailOf(status);
      detail && detail->outcome() != v1::ErrorDetail::OUTCOME_UNSPECIFIED) {
    return detail->outcome();
  }
  return OutcomeOfOurCode(status.code());
}

}  // namespace dfs
