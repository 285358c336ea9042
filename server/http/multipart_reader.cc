#include "server/http/multipart_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs::http {
namespace {

// RFC 2046, section 5.1.1.
constexpr std::size_t kBoundaryBytesMax = 70;

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("malformed multipart body: ", std::string(what)));
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "a; b=c; d=\"e\"": the first word in lower case, then names in lower case with their values. A backslash hides a quote
// or a backslash and is itself otherwise: some clients send paths of Windows.
struct Parameters {
  std::string word;
  std::vector<std::pair<std::string, std::string>> values;

  [[nodiscard]] std::optional<std::string> Find(std::string_view name) const {
    for (const auto& [key, value] : values) {
      if (key == name) return value;
    }
    return std::nullopt;
  }
};

std::optional<std::string> TakeValue(std::string_view* text) {
  std::string out;
  if (!text->starts_with('"')) {
    const std::string_view value = Trim(text->substr(0, text->find(';')));
    text->remove_prefix(std::min(text->find(';'), text->size()));
    return std::string(value);
  }
  for (std::size_t i = 1; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c == '"') {
      text->remove_prefix(i + 1);
      return out;
    }
    const bool hides = c == '\\' && i + 1 < text->size() &&
                       ((*text)[i + 1] == '"' || (*text)[i + 1] == '\\');
    out += hides ? (*text)[++i] : c;
  }
  return std::nullopt;
}

std::optional<Parameters> ParseParameters(std::string_view text) {
  Parameters out;
  out.word = absl::AsciiStrToLower(std::string(Trim(text.substr(0, text.find(';')))));
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    text = Trim(text.substr(1));
    if (text.empty()) break;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::string key = absl::AsciiStrToLower(std::string(Trim(text.substr(0, equals))));
    text = Trim(text.substr(equals + 1));
    auto value = TakeValue(&text);
    text = Trim(text);
    if (!value || out.Find(key) || (!text.empty() && text.front() != ';')) return std::nullopt;
    out.values.emplace_back(std::move(key), *std::move(value));
  }
  return out;
}

}  // namespace

std::optional<std::string> BoundaryOf(std::string_view content_type) {
  const std::string word =
      absl::AsciiStrToLower(std::string(Trim(content_type.substr(0, content_type.find(';')))));
  if (word != "multipart/form-data") return std::nullopt;
  const auto parameters = ParseParameters(content_type);
  const std::string boundary = parameters ? parameters->Find("boundary").value_or("") : "";
  const bool is_fit = boundary.size() <= kBoundaryBytesMax &&
                      std::all_of(boundary.begin(), boundary.end(),
                                  [](char c) { return c >= ' ' && c <= '~'; });
  return is_fit ? boundary : "";
}

MultipartReader::MultipartReader(std::string_view boundary, More more)
    : delimiter_(absl::StrCat("\r\n--", std::string(boundary))), more_(std::move(more)) {}

absl::Status MultipartReader::Fill() {
  DFS_ASSIGN_OR_RETURN(const Slices piece, more_());
  if (piece.empty()) return Malformed("it ends before its last boundary");
  for (const auto view : piece.Views()) buffer_.append(view);
  return absl::OkStatus();
}

// A line of the head of a part, without its end.
absl::StatusOr<std::string> MultipartReader::ReadLine(std::size_t* left) {
  while (true) {
    const auto end = buffer_.find("\r\n");
    if (std::min(end, buffer_.size()) > *left) return Malformed("the head of a part is too long");
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      *left -= std::min(*left, end + 2);
      return line;
    }
    DFS_RETURN_IF_ERROR(Fill());
  }
}

absl::StatusOr<MultipartReader::Part> MultipartReader::ReadPartHead() {
  std::size_t left = kPartHeadBytesMax;
  Part out;
  bool has_disposition = false;
  while (true) {
    DFS_ASSIGN_OR_RETURN(const std::string line, ReadLine(&left));
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string::npos) return Malformed("a header field of a part has no colon");
    if (!absl::EqualsIgnoreCase(line.substr(0, colon), "content-disposition")) continue;
    const auto parameters = ParseParameters(std::string_view(line).substr(colon + 1));
    if (!parameters || parameters->word != "form-data" || std::exchange(has_disposition, true)) {
      return Malformed("the Content-Disposition of a part");
    }
    out.name = parameters->Find("name").value_or("");
    out.filename = parameters->Find("filename");
  }
  if (!has_disposition) return Malformed("a part without Content-Disposition");
  return out;
}

absl::StatusOr<std::optional<MultipartReader::Part>> MultipartReader::NextPart() {
  while (is_in_part_) {
    DFS_ASSIGN_OR_RETURN(const Slices passed_over, ReadPart(std::size_t{1} << 20));
    if (passed_over.empty()) break;
  }
  if (is_over_) return std::nullopt;
  while (buffer_.size() < 2) {
    DFS_RETURN_IF_ERROR(Fill());
  }
  if (buffer_.starts_with("--")) {
    is_over_ = true;
    return std::nullopt;
  }
  std::size_t left = kPartHeadBytesMax;
  DFS_ASSIGN_OR_RETURN(const std::string padding, ReadLine(&left));
  if (!Trim(padding).empty()) return Malformed("bytes after a boundary");
  if (++parts_ > kPartsMax) return Malformed("too many parts");
  DFS_ASSIGN_OR_RETURN(Part part, ReadPartHead());
  is_in_part_ = true;
  return std::optional<Part>(std::move(part));
}

absl::StatusOr<Slices> MultipartReader::ReadPart(std::size_t bytes_max) {
  while (is_in_part_) {
    const auto at = buffer_.find(delimiter_);
    const std::size_t known =
        at != std::string::npos ? at : buffer_.size() - std::min(buffer_.size(), delimiter_.size() - 1);
    if (known > 0) {
      Slices out = Slices::CopyOf(std::string_view(buffer_).substr(0, std::min(known, bytes_max)));
      buffer_.erase(0, out.size());
      return out;
    }
    if (at == 0) {
      buffer_.erase(0, delimiter_.size());
      is_in_part_ = false;
      break;
    }
    DFS_RETURN_IF_ERROR(Fill());
  }
  return Slices();
}

}  // namespace dfs::http
