#include "common/name_pattern.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "common/utf8.h"

namespace dfs {
namespace {

constexpr std::string_view kAnyParts = "**";

// Nothing in the cluster is called so: it is not to be taken for what stands before it.
bool HasNul(std::string_view name) { return std::find(name.begin(), name.end(), '\0') != name.end(); }

using Token = NamePattern::Token;

std::vector<char32_t> CharactersOf(std::string_view text) {
  std::vector<char32_t> out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    // Names of local files may be anything: a byte that is no UTF-8 is a character that nothing else is.
    out.push_back(point.bytes > 0 ? point.value : 0xDC00u + static_cast<unsigned char>(text[0]));
    text.remove_prefix(std::max<std::size_t>(point.bytes, 1));
  }
  return out;
}

// The characters of a name, and where its components end.
struct Components {
  std::vector<char32_t> text;
  std::vector<std::size_t> ends;

  [[nodiscard]] std::size_t size() const { return ends.size(); }
  [[nodiscard]] std::span<const char32_t> at(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1] + 1;
    return std::span(text).subspan(begin, ends[i] - begin);
  }
};

Components ComponentsOf(std::string_view name) {
  Components out{CharactersOf(name), {}};
  for (std::size_t i = 0; i < out.text.size(); ++i) {
    if (out.text[i] == U'/') out.ends.push_back(i);
  }
  out.ends.push_back(out.text.size());
  return out;
}

// The character at *at, with the meaning that a backslash takes from it; *at is moved behind it. Nullopt: the text ends.
std::optional<char32_t> TakePlain(std::span<const char32_t> text, std::size_t* at) {
  if (*at < text.size() && text[*at] == U'\\') ++*at;
  if (*at >= text.size()) return std::nullopt;
  return text[(*at)++];
}

// The set that begins behind `[` at `at`, which is moved behind its `]`. False: there is none, and `[` means itself.
bool ReadSet(std::span<const char32_t> text, std::size_t* at, Token* token) {
  std::size_t i = *at;
  token->is_negated = i < text.size() && (text[i] == U'!' || text[i] == U'^');
  if (token->is_negated) ++i;
  for (bool is_first = true; i < text.size(); is_first = false) {
    if (text[i] == U']' && !is_first) {
      *at = i + 1;
      return true;
    }
    const auto low = TakePlain(text, &i);
    auto high = low;
    if (i + 1 < text.size() && text[i] == U'-' && text[i + 1] != U']') high = TakePlain(text, &++i);
    if (!low || !high) return false;
    token->ranges.emplace_back(*low, *high);
  }
  return false;
}

std::vector<Token> TokensOf(std::span<const char32_t> text) {
  std::vector<Token> out;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = text[i++];
    Token token;
    if (c == U'*') {
      if (!out.empty() && out.back().kind == Token::kAnyRun) continue;
      token.kind = Token::kAnyRun;
    } else if (c == U'?' || (c == U'[' && ReadSet(text, &i, &token))) {
      token.kind = Token::kSet;
      if (c == U'?') token.is_negated = true;  // of nothing
    } else {
      token.ranges.clear();
      token.is_negated = false;
      const char32_t meant = c == U'\\' && i < text.size() ? text[i++] : c;
      token.ranges.emplace_back(meant, meant);
    }
    out.push_back(std::move(token));
  }
  return out;
}

bool IsIn(const Token& set, char32_t c) {
  const bool is_in_range = std::any_of(set.ranges.begin(), set.ranges.end(),
                                       [c](const auto& range) { return range.first <= c && c <= range.second; });
  return is_in_range != set.is_negated;
}

// After a mismatch only what the last `*` stands for can be longer: no other choice is ever taken back.
bool MatchesOne(const std::vector<Token>& tokens, std::span<const char32_t> text, std::uint64_t* steps) {
  std::size_t token = 0;
  std::size_t at = 0;
  std::size_t after_run = std::string::npos;
  std::size_t resume = 0;
  while (at < text.size()) {
    *steps += 1 + (token < tokens.size() ? tokens[token].ranges.size() : 0);
    if (token < tokens.size() && tokens[token].kind == Token::kAnyRun) {
      after_run = ++token;
      resume = at;
    } else if (token < tokens.size() && IsIn(tokens[token], text[at])) {
      ++token;
      ++at;
    } else if (after_run != std::string::npos) {
      token = after_run;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (token < tokens.size() && tokens[token].kind == Token::kAnyRun) ++token;
  return token == tokens.size();
}

}  // namespace

bool HasPattern(std::string_view word) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\') {
      ++i;
    } else if (word[i] == '*' || word[i] == '?' || word[i] == '[') {
      return true;
    }
  }
  return false;
}

absl::StatusOr<NamePattern> NamePattern::Parse(std::string_view text) {
  if (text.size() > kBytesMax) return absl::InvalidArgumentError("the pattern is longer than a name may be");
  if (!IsUtf8(text)) return absl::InvalidArgumentError("the pattern is not UTF-8");
  NamePattern out;
  std::string plain_slashes;  // a slash ends a component, whatever stands before it
  bool is_literal = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (HasPattern(text.substr(i, 1))) is_literal = false;
    if (text[i] == '\\') {
      if (++i == text.size()) return absl::InvalidArgumentError("the pattern ends with a backslash");
      if (text[i] != '/') plain_slashes += '\\';
    }
    plain_slashes += text[i];
    if (is_literal) out.prefix_ += text[i];
  }
  const Components parts = ComponentsOf(plain_slashes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_any_parts = std::equal(parts.at(i).begin(), parts.at(i).end(), kAnyParts.begin(), kAnyParts.end());
    out.parts_.push_back({TokensOf(parts.at(i)), is_any_parts});
  }
  return out;
}

bool NamePattern::MatchesParts(std::string_view text, bool may_be_above, std::uint64_t* steps) const {
  std::uint64_t uncounted = 0;
  if (steps == nullptr) steps = &uncounted;
  if (HasNul(text)) return false;
  const Components name = ComponentsOf(text);
  std::size_t part = 0;
  std::size_t at = 0;
  std::size_t after_any = std::string::npos;  // the part behind the last `**`
  std::size_t resume = 0;                     // where what it stands for ends, if need be one further each time
  while (at < name.size()) {
    ++*steps;
    // What stands before `at` matches, and where a match begins first leaves most room: no later one is needed.
    if (may_be_above && part == parts_.size()) return true;
    if (part < parts_.size() && parts_[part].is_any_parts) {
      after_any = ++part;
      resume = at;
    } else if (part < parts_.size() && MatchesOne(parts_[part].tokens, name.at(at), steps)) {
      ++part;
      ++at;
    } else if (after_any != std::string::npos) {
      part = after_any;
      at = ++resume;
    } else {
      return false;
    }
  }
  // `a/**` is what is below a, and not a.
  return part == parts_.size();
}

bool NamePattern::Matches(std::string_view name, std::uint64_t* steps) const {
  return MatchesParts(name, /*may_be_above=*/false, steps);
}

bool NamePattern::MatchesAbove(std::string_view name, std::uint64_t* steps) const {
  return MatchesParts(name, /*may_be_above=*/true, steps);
}

}  // namespace dfs
