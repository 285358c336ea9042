#include "proto/wire_status.h"

#include "absl/strings/cord.h"

namespace dfs {
namespace {

// gRPC itself answers with these when a connection breaks or an answer is too large, both of
// which may come after the work was done.
v1::ErrorDetail::Outcome OutcomeOfTransportCode(absl::StatusCode code) {
  if (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted) {
    return v1::ErrorDetail::UNKNOWN;
  }
  return OutcomeOf(absl::Status(code, ""));
}

void Attach(const v1::ErrorDetail& detail, absl::Status& status) {
  status.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string detail;
  if (const auto payload = status.GetPayload(kErrorDetailUrl)) {
    detail = std::string(*payload);
  } else {
    v1::ErrorDetail by_code;
    by_code.set_outcome(OutcomeOf(status));
    detail = by_code.SerializeAsString();
  }
  // code(), not raw_code(): a number that is no code becomes kUnknown.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      detail);
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status out(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  // A peer's bytes: attached only if they are what they claim to be.
  v1::ErrorDetail detail;
  if (status.error_details().empty() || !detail.ParseFromString(status.error_details())) {
    detail.Clear();
    detail.set_outcome(OutcomeOfTransportCode(out.code()));
  }
  Attach(detail, out);
  return out;
}

}  // namespace dfs
