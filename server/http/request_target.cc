#include "server/http/request_target.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"

namespace dfs::http {
namespace {

constexpr std::size_t kParametersMax = 32;

int ValueOfHex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::StatusOr<std::string> DecodeText(std::string_view text, bool is_plus_space) {
  auto out = DecodePercent(text, is_plus_space);
  if (!out) return absl::InvalidArgumentError("malformed percent-encoding");
  if (!IsUtf8(*out)) return absl::InvalidArgumentError("the request's target is not valid UTF-8");
  return *std::move(out);
}

absl::Status ParseQuery(std::string_view text, RequestTarget* out) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    DFS_ASSIGN_OR_RETURN(std::string key, DecodeText(pair.substr(0, equals), true));
    DFS_ASSIGN_OR_RETURN(
        std::string value,
        DecodeText(pair.substr(std::min(pair.size(), equals + 1)), true));
    if (out->query.size() == kParametersMax) {
      return absl::InvalidArgumentError("too many parameters");
    }
    if (!out->query.emplace(std::move(key), std::move(value)).second) {
      return absl::InvalidArgumentError("a parameter that comes twice");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> DecodePercent(std::string_view text, bool is_plus_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && is_plus_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? ValueOfHex(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? ValueOfHex(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string EncodePercent(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

absl::StatusOr<RequestTarget> ParseTarget(std::string_view target) {
  // The absolute form, which proxies are sent: what matters begins after the authority.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (absl::AsciiStrToLower(std::string(target.substr(0, scheme.size()))) != scheme) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    break;
  }
  const bool is_plain = std::all_of(target.begin(), target.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && c != '#';
  });
  if (!is_plain) return absl::InvalidArgumentError("a character that may not stand in a target");
  RequestTarget out;
  const auto question = std::min(target.find('?'), target.size());
  DFS_ASSIGN_OR_RETURN(out.path, DecodeText(target.substr(0, question), false));
  if (out.path.empty()) out.path = "/";
  if (!out.path.starts_with('/')) {
    return absl::InvalidArgumentError("the request's target does not begin with \"/\"");
  }
  DFS_RETURN_IF_ERROR(ParseQuery(target.substr(std::min(target.size(), question + 1)), &out));
  return out;
}

}  // namespace dfs::http
