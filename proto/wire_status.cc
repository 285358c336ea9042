#include "proto/wire_status.h"

#include "absl/strings/cord.h"

namespace dfs {
namespace {

constexpr char kDetailUrl[] = "dfs.v1.ErrorDetail";

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto payload = status.GetPayload(kDetailUrl);
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()), payload ? std::string(*payload) : "");
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status out(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  // A peer's bytes: attached only if they are what they claim to be.
  dfs::v1::ErrorDetail detail;
  if (!status.error_details().empty() && detail.ParseFromString(status.error_details())) {
    out.SetPayload(kDetailUrl, absl::Cord(status.error_details()));
  }
  return out;
}

absl::Status ErrorWithDetail(absl::StatusCode code, std::string_view message,
                             const dfs::v1::ErrorDetail& detail) {
  absl::Status out(code, std::string(message));
  out.SetPayload(kDetailUrl, absl::Cord(detail.SerializeAsString()));
  return out;
}

absl::Status ErrorWithReason(absl::StatusCode code, std::string_view message,
                             dfs::v1::ErrorDetail::Reason reason,
                             dfs::v1::ErrorDetail::Outcome outcome) {
  dfs::v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(outcome);
  return ErrorWithDetail(code, message, detail);
}

std::optional<dfs::v1::ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailUrl);
  dfs::v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

dfs::v1::ErrorDetail::Outcome OutcomeOf(const absl::Status& status) {
  if (const auto detail = DetailOf(status);
      detail && detail->outcome() != dfs::v1::ErrorDetail::OUTCOME_UNSPECIFIED) {
    return detail->outcome();
  }
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
      return dfs::v1::ErrorDetail::UNKNOWN;
    default:
      return dfs::v1::ErrorDetail::NOTHING_CHANGED;
  }
}

}  // namespace dfs
