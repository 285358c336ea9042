// The rule on names. Only bytes decide: no normalisation, no locale, no table of Unicode classes
// but that of control characters (category Cc), which will never change.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "common/utf8.h"
#include "server/metadata/limits.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::metadata {
namespace {

bool IsControl(std::uint32_t value) { return value < 0x20 || (value >= 0x7F && value <= 0x9F); }

absl::Status CheckCharacters(std::string_view name) {
  for (std::size_t i = 0; i < name.size();) {
    const CodePoint point = DecodeUtf8(name.substr(i));
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
