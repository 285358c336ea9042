#include "server/http/error_answer.h"

#include "proto/error_detail.h"
#include "server/http/json_text.h"

namespace dfs::http {
namespace {

using v1::ErrorDetail;

int CodeOf(const absl::Status& status, ErrorDetail::Reason reason) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kFailedPrecondition:
      return reason == ErrorDetail::PRECONDITION ? 412 : 503;
    case absl::StatusCode::kOutOfRange:
      return 413;
    case absl::StatusCode::kResourceExhausted:
      return reason == ErrorDetail::NO_SPACE || reason == ErrorDetail::OVER_QUOTA ? 507 : 503;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    case absl::StatusCode::kUnimplemented:
      return 501;
    default:
      return 500;
  }
}

}  // namespace

Response AnswerOf(const absl::Status& status, bool is_change, const std::string& leader,
                  const std::vector<std::string>& stored) {
  const ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  ErrorFacts facts;
  facts.message = std::string(status.message());
  facts.stored = stored;
  Response out;
  out.code = CodeOf(status, detail.reason());
  if (is_change && OutcomeOf(status) == ErrorDetail::UNKNOWN) {
    out.code = 504;
    facts.is_outcome_unknown = true;
  }
  if (out.code == 503) {
    out.fields.emplace_back("Retry-After", "1");
    facts.tells_leader = true;
    facts.leader = detail.leader_address().empty() ? leader : detail.leader_address();
    facts.missing_nodes.assign(detail.missing_nodes().begin(), detail.missing_nodes().end());
  }
  if (detail.consistency() == v1::EVENTUAL) out.fields.emplace_back("X-Dfs-Consistency", "eventual");
  out.body = ErrorJson(facts);
  return out;
}

Response BodyError(const absl::Status& status, const std::vector<std::string>& stored) {
  ErrorFacts facts;
  facts.message = std::string(status.message());
  facts.stored = stored;
  Response out;
  out.code = status.code() == absl::StatusCode::kDeadlineExceeded    ? 408
             : status.code() == absl::StatusCode::kResourceExhausted ? 503
                                                                     : 400;
  out.body = ErrorJson(facts);
  return out;
}

Response PlainError(int code, std::string_view message) {
  Response out;
  out.code = code;
  out.body = ErrorJson(message);
  return out;
}

Response MethodNotAllowed(const std::string& allowed) {
  Response out = PlainError(405, "this method is not allowed here; allowed: " + allowed);
  out.fields.emplace_back("Allow", allowed);
  return out;
}

}  // namespace dfs::http
