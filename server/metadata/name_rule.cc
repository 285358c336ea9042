// The rule on names. Only bytes decide: no normalisation, no locale, no table of Unicode classes
// but that of control characters (category Cc), which will never change.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "server/metadata/limits.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::metadata {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;  // 0: not valid UTF-8
};

// Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t length = 0;
  std::uint32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    value = lead & 0x1Fu;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    value = lead & 0x0Fu;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    value = lead & 0x07u;
  }
  if (length == 0 || text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  const bool is_overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (is_overlong || is_surrogate || value > 0x10FFFF) return {};
  return {value, length};
}

bool IsControl(std::uint32_t value) { return value < 0x20 || (value >= 0x7F && value <= 0x9F); }

absl::Status CheckCharacters(std::string_view name) {
  for (std::size_t i = 0; i < name.size();) {
    const CodePoint point = Decode(name.substr(i));
    if (point.bytes == 0) return absl::InvalidArgumentError("the name is not valid UTF-8");
    if (IsControl(point.value)) {
      return absl::InvalidArgumentError("the name contains a control character");
    }
    i += point.bytes;
  }
  return absl::OkStatus();
}

absl::Status CheckComponents(std::string_view name) {
  if (name.front() == '/') return absl::InvalidArgumentError("the name begins with \"/\"");
  if (name.back() == '/') return absl::InvalidArgumentError("the name ends with \"/\"");
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view component = name.substr(begin, end - begin);
    if (component.empty()) return absl::InvalidArgumentError("the name contains \"//\"");
    if (component == "." || component == "..") {
      return absl::InvalidArgumentError("a part of the name is \".\" or \"..\"");
    }
    begin = end + 1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckWriter(std::string_view writer) {
  if (writer.size() > kWriterBytesMax) {
    return absl::InvalidArgumentError("the writer's name is longer than 128 bytes");
  }
  return CheckCharacters(writer);
}

absl::Status CheckName(std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("the name is empty");
  if (name.size() > kNameBytesMax) {
    return absl::InvalidArgumentError("the name is longer than 1,024 bytes");
  }
  if (const absl::Status status = CheckCharacters(name); !status.ok()) return status;
  return CheckComponents(name);
}

}  // namespace dfs::metadata
