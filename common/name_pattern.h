// Patterns of names in the cluster, as a shell has them for files. Pure.
#ifndef DFS_COMMON_NAME_PATTERN_H_
#define DFS_COMMON_NAME_PATTERN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace dfs {

// Whether `word` has a *, ? or [ that no backslash stands before.
[[nodiscard]] bool HasPattern(std::string_view word);

// `*` and `?` match within a component, [a-z] a character of it, `**` as a whole component any number of components (none, too), a
// backslash takes the meaning from what follows, but not from a slash. Characters, not bytes. A leading dot is nothing special.
//
// A match costs at most (length of the pattern) x (length of the name) steps, whatever the two are: patterns come from strangers.
class NamePattern {
 public:
  static constexpr std::size_t kBytesMax = 1'024;  // as a name

  // kInvalidArgument: longer than kBytesMax, no UTF-8, or ends with a backslash.
  static absl::StatusOr<NamePattern> Parse(std::string_view text);

  // `steps`, if there is one, grows by what the answer cost: comparisons of a character with a character or a range.
  [[nodiscard]] bool Matches(std::string_view name, std::uint64_t* steps = nullptr) const;
  // Also if it matches what the name has before one of its slashes: if the name is below a folder that matches.
  [[nodiscard]] bool MatchesAbove(std::string_view name, std::uint64_t* steps = nullptr) const;
  // What every name that matches begins with.
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  // The part of it up to its last slash, with it: names that match are told apart by what follows.
  [[nodiscard]] std::string folder() const { return prefix_.substr(0, prefix_.rfind('/') + 1); }

  // Of a component: a run of any characters, or one character of a set.
  struct Token {
    enum Kind { kSet, kAnyRun };
    Kind kind = kSet;
    bool is_negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;
  };

 private:
  struct Part {
    std::vector<Token> tokens;
    bool is_any_parts = false;
  };
  bool MatchesParts(std::string_view name, bool may_be_above, std::uint64_t* steps) const;

  std::vector<Part> parts_;
  std::string prefix_;
};

}  // namespace dfs

#endif  // DFS_COMMON_NAME_PATTERN_H_
