#include "client/cli/name_pattern.h"

#include <algorithm>
#include <utility>

#include "client/cli/text.h"
#include "common/status_macros.h"
#include "common/utf8.h"

namespace dfs::client::cli {
namespace {

constexpr std::size_t kPatternBytesMax = 1024;  // as names
constexpr char kAnyParts[] = "**";

std::vector<std::string> PartsOf(std::string_view text) {
  std::vector<std::string> out;
  for (;;) {
    const auto slash = text.find('/');
    out.emplace_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    text.remove_prefix(slash + 1);
  }
}

// Nothing in the cluster is called so: it is not to be taken for what stands before it.
bool HasNul(std::string_view name) { return std::find(name.begin(), name.end(), '\0') != name.end(); }

using Token = NamePattern::Token;

std::vector<char32_t> CharactersOf(std::string_view text) {
  std::vector<char32_t> out;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    // Names of local files may be anything: a byte that is no UTF-8 is a character that nothing else is.
    out.push_back(point.bytes > 0 ? point.value : 0xDC00u + static_cast<unsigned char>(text[0]));
    text.remove_prefix(std::max<std::size_t>(point.bytes, 1));
  }
  return out;
}

std::vector<std::vector<char32_t>> CharactersByPart(std::string_view name) {
  std::vector<std::vector<char32_t>> out;
  for (const std::string& part : PartsOf(name)) out.push_back(CharactersOf(part));
  return out;
}

// The set that begins behind `[` at `at`, which is moved behind its `]`. False: there is none, and `[` means itself.
bool ReadSet(const std::vector<char32_t>& text, std::size_t* at, Token* token) {
  std::size_t i = *at;
  token->is_negated = i < text.size() && (text[i] == U'!' || text[i] == U'^');
  if (token->is_negated) ++i;
  for (bool is_first = true; i < text.size(); is_first = false) {
    if (text[i] == U']' && !is_first) {
      *at = i + 1;
      return true;
    }
    if (text[i] == U'\\' && ++i == text.size()) return false;
    const char32_t low = text[i++];
    char32_t high = low;
    if (i + 1 < text.size() && text[i] == U'-' && text[i + 1] != U']') {
      high = text[i + 1];
      i += 2;
    }
    token->ranges.emplace_back(low, high);
  }
  return false;
}

std::vector<Token> TokensOf(const std::vector<char32_t>& text) {
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
bool MatchesOne(const std::vector<Token>& tokens, const std::vector<char32_t>& text) {
  std::size_t token = 0;
  std::size_t at = 0;
  std::size_t after_run = std::string::npos;
  std::size_t resume = 0;
  while (at < text.size()) {
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
  if (text.size() > kPatternBytesMax) return absl::InvalidArgumentError("the pattern is longer than a name may be");
  if (!IsUtf8(text)) return absl::InvalidArgumentError("the pattern is not UTF-8");
  NamePattern out;
  bool is_literal = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (HasPattern(text.substr(i, 1))) is_literal = false;
    if (text[i] == '\\' && ++i == text.size()) return absl::InvalidArgumentError("the pattern ends with a backslash");
    if (is_literal) out.prefix_ += text[i];
  }
  for (const std::string& part : PartsOf(text)) out.parts_.push_back({TokensOf(CharactersOf(part)), part == kAnyParts});
  return out;
}

bool NamePattern::MatchesParts(const std::vector<std::vector<char32_t>>& name, std::size_t count) const {
  std::size_t part = 0;
  std::size_t at = 0;
  std::size_t after_any = std::string::npos;  // the part behind the last `**`
  std::size_t resume = 0;                     // where what it stands for ends, if need be one further each time
  while (at < count) {
    if (part < parts_.size() && parts_[part].is_any_parts) {
      after_any = ++part;
      resume = at;
    } else if (part < parts_.size() && MatchesOne(parts_[part].tokens, name[at])) {
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

bool NamePattern::Matches(std::string_view name) const {
  if (HasNul(name)) return false;
  const auto parts = CharactersByPart(name);
  return MatchesParts(parts, parts.size());
}

bool NamePattern::MatchesAbove(std::string_view name) const {
  if (HasNul(name)) return false;
  const auto parts = CharactersByPart(name);
  for (std::size_t count = 1; count <= parts.size(); ++count) {
    if (MatchesParts(parts, count)) return true;
  }
  return false;
}

absl::StatusOr<std::vector<NameFilter::Rule>> NameFilter::RulesOf(const std::vector<std::string>& words) {
  std::vector<Rule> out;
  for (const std::string& word : words) {
    DFS_ASSIGN_OR_RETURN(NamePattern pattern, NamePattern::Parse(word));
    out.push_back({std::move(pattern), PartsOf(word).size() == 1});
  }
  return out;
}

absl::StatusOr<NameFilter> NameFilter::Make(const std::vector<std::string>& includes,
                                            const std::vector<std::string>& excludes) {
  NameFilter out;
  DFS_ASSIGN_OR_RETURN(out.includes_, RulesOf(includes));
  DFS_ASSIGN_OR_RETURN(out.excludes_, RulesOf(excludes));
  return out;
}

bool NameFilter::Takes(std::string_view path) const {
  const bool is_included =
      includes_.empty() || std::any_of(includes_.begin(), includes_.end(), [path](const Rule& rule) {
        return rule.is_of_one ? rule.pattern.Matches(BaseName(path)) : rule.pattern.MatchesAbove(path);
      });
  if (!is_included || excludes_.empty()) return is_included;
  const std::vector<std::string> parts = PartsOf(path);
  return std::none_of(excludes_.begin(), excludes_.end(), [&](const Rule& rule) {
    if (!rule.is_of_one) return rule.pattern.MatchesAbove(path);
    return std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return rule.pattern.Matches(part); });
  });
}

}  // namespace dfs::client::cli
