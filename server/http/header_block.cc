#include "server/http/header_block.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace dfs::http {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && text.size() <= 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::Status CheckLine(std::string_view line, bool is_request_line) {
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\0') return absl::InvalidArgumentError("a NUL in the header");
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      return absl::InvalidArgumentError("a control character in the header");
    }
  }
  if (is_request_line) return absl::OkStatus();
  if (line.front() == ' ' || line.front() == '\t') {
    return absl::InvalidArgumentError("a folded header field");
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return absl::InvalidArgumentError("a header field without a name");
  }
  if (line[colon - 1] == ' ' || line[colon - 1] == '\t') {
    return absl::InvalidArgumentError("a space before the colon of a header field");
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::size_t> FindHeadEnd(std::string_view bytes) {
  for (auto at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    const std::string_view rest = bytes.substr(at + 1);
    if (rest.starts_with("\r\n")) return at + 3;
    if (rest.starts_with('\n')) return at + 2;
  }
  return std::nullopt;
}

absl::Status CheckHeaderBlock(std::string_view block) {
  std::size_t fields = 0;
  for (bool is_first = true;; is_first = false) {
    const auto end = block.find('\n');
    if (end == std::string_view::npos) return absl::InvalidArgumentError("a header without an end");
    if (end == 0 || block[end - 1] != '\r') {
      return absl::InvalidArgumentError("a line of the header that does not end with CR LF");
    }
    const std::string_view line = block.substr(0, end - 1);
    block.remove_prefix(end + 1);
    if (line.empty() && !is_first) break;
    if (line.find('\r') != std::string_view::npos) {
      return absl::InvalidArgumentError("a bare CR in the header");
    }
    if (line.empty()) return absl::InvalidArgumentError("an empty request line");
    if (const auto status = CheckLine(line, is_first); !status.ok()) return status;
    if (++fields > kFieldsMax + 1) return absl::InvalidArgumentError("too many header fields");
  }
  if (!block.empty()) return absl::InvalidArgumentError("bytes after the header's empty line");
  return absl::OkStatus();
}

absl::Status CheckFields(const RequestHead& head) {
  const std::size_t lengths = head.CountOf("content-length");
  const std::size_t codings = head.CountOf("transfer-encoding");
  if (lengths > 0 && codings > 0) {
    return absl::InvalidArgumentError("both Content-Length and Transfer-Encoding");
  }
  if (lengths > 1) return absl::InvalidArgumentError("more than one Content-Length");
  if (lengths == 1 && !IsDigits(*head.Find("content-length"))) {
    return absl::InvalidArgumentError("Content-Length is not a number");
  }
  if (codings > 1) return absl::InvalidArgumentError("more than one Transfer-Encoding");
  if (codings == 1) {
    if (!head.is_http_1_1) return absl::InvalidArgumentError("Transfer-Encoding in HTTP/1.0");
    if (!absl::EqualsIgnoreCase(*head.Find("transfer-encoding"), "chunked")) {
      return absl::UnimplementedError("the only Transfer-Encoding known here is chunked");
    }
  }
  if (head.CountOf("host") > 1) return absl::InvalidArgumentError("more than one Host");
  if (head.is_http_1_1 && head.CountOf("host") == 0) {
    return absl::InvalidArgumentError("HTTP/1.1 without Host");
  }
  if (const auto expect = head.Find("expect");
      expect && !absl::EqualsIgnoreCase(*expect, "100-continue")) {
    return absl::UnimplementedError("the only expectation known here is 100-continue");
  }
  return absl::OkStatus();
}

}  // namespace dfs::http
