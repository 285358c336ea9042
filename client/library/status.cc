#include "dfs/status.h"

namespace dfs {

const char* NameOf(Code code) noexcept {
  switch (code) {
    case Code::kOk:
      return "Ok";
    case Code::kInvalidArgument:
      return "InvalidArgument";
    case Code::kOutOfRange:
      return "OutOfRange";
    case Code::kNotFound:
      return "NotFound";
    case Code::kAlreadyExists:
      return "AlreadyExists";
    case Code::kPreconditionFailed:
      return "PreconditionFailed";
    case Code::kConflict:
      return "Conflict";
    case Code::kNoQuorum:
      return "NoQuorum";
    case Code::kUnavailable:
      return "Unavailable";
    case Code::kNoSpace:
      return "NoSpace";
    case Code::kUnreachable:
      return "Unreachable";
    case Code::kTimeout:
      return "Timeout";
    case Code::kDenied:
      return "Denied";
    case Code::kBadData:
      return "BadData";
    case Code::kLocal:
      return "Local";
    case Code::kInternal:
      break;
  }
  return "Internal";
}

std::string Status::ToString() const {
  if (ok()) return "Ok";
  std::string out = std::string(NameOf(code_)) + ": " + message_;
  for (std::size_t i = 0; i < missing_nodes_.size(); ++i) {
    out += (i == 0 ? "; no answer from " : ", ") + missing_nodes_[i];
  }
  if (outcome_ == Outcome::kUnknown) out += " (it may or may not have happened)";
  return out;
}

}  // namespace dfs
