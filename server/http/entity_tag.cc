#include "server/http/entity_tag.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace dfs::http {
namespace {

constexpr std::size_t kTagsMax = 100;

absl::Status Malformed() { return absl::InvalidArgumentError("malformed list of entity tags"); }

void SkipSpace(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t out = 0;
  const bool is_number = !text.empty() && text.size() <= 19 &&
                         std::all_of(text.begin(), text.end(),
                                     [](char c) { return c >= '0' && c <= '9'; }) &&
                         absl::SimpleAtoi(std::string(text), &out);
  if (!is_number) return std::nullopt;
  return out;
}

}  // namespace

std::string EntityTagOf(const v1::FileInfo& file) {
  return absl::StrCat("\"", file.version(), "-", absl::BytesToHexString(file.content_hash()), "\"");
}

std::optional<std::uint64_t> VersionOfTag(std::string_view tag) {
  if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') return std::nullopt;
  tag = tag.substr(1, tag.size() - 2);
  const auto dash = tag.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  return ParseNumber(tag.substr(0, dash));
}

absl::StatusOr<TagList> ParseTagList(std::string_view text) {
  TagList out;
  SkipSpace(text);
  if (std::string_view rest = text; rest.starts_with('*')) {
    rest.remove_prefix(1);
    SkipSpace(rest);
    if (!rest.empty()) return Malformed();
    out.is_any = true;
    return out;
  }
  while (!text.empty()) {
    std::string tag;
    if (text.starts_with("W/")) {
      tag = "W/";
      text.remove_prefix(2);
    }
    const auto end = text.starts_with('"') ? text.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos || out.tags.size() == kTagsMax) return Malformed();
    out.tags.push_back(tag + std::string(text.substr(0, end + 1)));
    text.remove_prefix(end + 1);
    SkipSpace(text);
    if (text.empty()) break;
    if (text.front() != ',') return Malformed();
    text.remove_prefix(1);
    SkipSpace(text);
  }
  if (out.tags.empty()) return Malformed();
  return out;
}

bool MatchesWeakly(const TagList& list, std::string_view tag) {
  return list.is_any || std::any_of(list.tags.begin(), list.tags.end(), [&](std::string_view one) {
           return (one.starts_with("W/") ? one.substr(2) : one) == tag;
         });
}

bool MatchesStrongly(const TagList& list, std::string_view tag) {
  return list.is_any || std::any_of(list.tags.begin(), list.tags.end(),
                                    [&](std::string_view one) { return one == tag; });
}

std::optional<ByteRange> ParseRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes=";
  if (text.size() < kUnit.size() ||
      absl::AsciiStrToLower(std::string(text.substr(0, kUnit.size()))) != kUnit) {
    return std::nullopt;
  }
  text.remove_prefix(kUnit.size());
  SkipSpace(text);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  ByteRange out;
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = text.substr(dash + 1);
  if (!first.empty() && !(out.first = ParseNumber(first))) return std::nullopt;
  if (!last.empty() && !(out.last = ParseNumber(last))) return std::nullopt;
  if (!out.first && !out.last) return std::nullopt;
  if (out.first && out.last && *out.first > *out.last) return std::nullopt;
  return out;
}

std::optional<Span> Resolve(const ByteRange& range, std::uint64_t size) {
  if (!range.first) {
    const std::uint64_t length = std::min(*range.last, size);
    if (length == 0) return std::nullopt;
    return Span{size - length, length};
  }
  if (*range.first >= size) return std::nullopt;
  const std::uint64_t end = range.last && *range.last < size ? *range.last + 1 : size;
  return Span{*range.first, end - *range.first};
}

}  // namespace dfs::http
