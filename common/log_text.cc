#include "common/log_text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "common/utf8.h"

namespace dfs {
namespace {

bool IsPlain(char c) { return c >= ' ' && c <= '~'; }

bool IsHidden(std::uint32_t point) {
  const auto is_within = [point](std::uint32_t first, std::uint32_t last) { return point >= first && point <= last; };
  return is_within(0x80, 0x9F) || is_within(0x200E, 0x200F) || is_within(0x2028, 0x202E) || is_within(0x2066, 0x2069) ||
         point == 0xFEFF;
}

void AppendEscaped(std::uint32_t point, std::string* out) {
  switch (point) {
    case '\n':
      out->append("\\n");
      break;
    case '\r':
      out->append("\\r");
      break;
    case '\t':
      out->append("\\t");
      break;
    default:
      if (point < 0x80) {
        absl::StrAppendFormat(out, "\\x%02x", point);
      } else {
        absl::StrAppendFormat(out, "\\u%04x", point);
      }
      break;
  }
}

}  // namespace

std::string OneLine(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), &IsPlain)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    const std::size_t bytes = point.bytes == 0 ? 1 : point.bytes;
    if (point.bytes == 0) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(text.front()));
    } else if (point.value < ' ' || point.value == 0x7F || IsHidden(point.value)) {
      AppendEscaped(point.value, &out);
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(bytes);
  }
  return out;
}

std::string QuotedForLog(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    // What is between two of them keeps its characters of several bytes whole.
    const std::size_t end = std::min(text.find_first_of("\"\\", at), text.size());
    out += OneLine(text.substr(at, end - at));
    if (end < text.size()) out += {'\\', text[end]};
    at = end + 1;
  }
  return out + "\"";
}

}  // namespace dfs
