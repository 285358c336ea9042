// Patterns of names in the cluster, as a shell has them for files. Pure.
#ifndef DFS_CLIENT_CLI_NAME_PATTERN_H_
#define DFS_CLIENT_CLI_NAME_PATTERN_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace dfs::client::cli {

// Whether `word` has a *, ? or [ that no backslash stands before.
[[nodiscard]] bool HasPattern(std::string_view word);

// `*` and `?` match within a component, [a-z] a character of it, `**` as a whole component any number of components (none, too), a
// backslash takes the meaning from what follows. Characters, not bytes. A leading dot is nothing special.
class NamePattern {
 public:
  // kInvalidArgument: longer than a name may be, no UTF-8, or ends with a backslash.
  static absl::StatusOr<NamePattern> Parse(std::string_view text);

  [[nodiscard]] bool Matches(std::string_view name) const;
  // Also if it matches what the name has before one of its slashes: if the name is below a folder that matches.
  [[nodiscard]] bool MatchesAbove(std::string_view name) const;
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
  [[nodiscard]] bool MatchesParts(const std::vector<std::vector<char32_t>>& name, std::size_t count) const;

  std::vector<Part> parts_;
  std::string prefix_;
};

// Which of many files are meant, by their paths below the folder that was named. A pattern without a slash is held against one
// component: --include's against the last, --exclude's against each (`--exclude=.git` means all below it, too). Others are held
// against the path, and what is below a match is meant as well.
class NameFilter {
 public:
  // A file is taken if one of `includes` matches (or there are none), and none of `excludes`.
  static absl::StatusOr<NameFilter> Make(const std::vector<std::string>& includes,
                                         const std::vector<std::string>& excludes);
  NameFilter() = default;  // takes all
  [[nodiscard]] bool Takes(std::string_view path) const;

 private:
  struct Rule {
    NamePattern pattern;
    bool is_of_one = false;  // component
  };
  static absl::StatusOr<std::vector<Rule>> RulesOf(const std::vector<std::string>& words);

  std::vector<Rule> includes_;
  std::vector<Rule> excludes_;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_NAME_PATTERN_H_
