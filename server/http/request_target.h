// Path and query of a request. Pure.
#ifndef DFS_SERVER_HTTP_REQUEST_TARGET_H_
#define DFS_SERVER_HTTP_REQUEST_TARGET_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dfs::http {

struct RequestTarget {
  std::string path;  // decoded; begins with "/"; never normalised
  std::map<std::string, std::string> query;  // decoded; "+" is a space

  [[nodiscard]] std::optional<std::string> Find(const std::string& key) const {
    const auto found = query.find(key);
    if (found == query.end()) return std::nullopt;
    return found->second;
  }
};

// "/a%20b?c=d" or "http://host/a%20b?c=d". kInvalidArgument: malformed, a "%" without two hexadecimal digits, a byte
// that may not stand in a target, bytes that are no UTF-8, a parameter that comes twice.
absl::StatusOr<RequestTarget> ParseTarget(std::string_view target);

// "%" and two hexadecimal digits are one byte. nullopt: malformed.
std::optional<std::string> DecodePercent(std::string_view text, bool is_plus_space);
// All but letters, digits and "-._~" become "%" and digits (RFC 5987's attr-char, nearly).
std::string EncodePercent(std::string_view text);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_REQUEST_TARGET_H_
