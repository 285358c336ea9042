#include "client/cli/name_filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "client/cli/text.h"
#include "common/status_macros.h"

namespace dfs::client::cli {

absl::StatusOr<std::vector<NameFilter::Rule>> NameFilter::RulesOf(const std::vector<std::string>& words) {
  std::vector<Rule> out;
  for (const std::string& word : words) {
    DFS_ASSIGN_OR_RETURN(NamePattern pattern, NamePattern::Parse(word));
    out.push_back({std::move(pattern), word.find('/') == std::string::npos});
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
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(path.data(), path.size()), '/');
  return std::none_of(excludes_.begin(), excludes_.end(), [&](const Rule& rule) {
    if (!rule.is_of_one) return rule.pattern.MatchesAbove(path);
    return std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return rule.pattern.Matches(part); });
  });
}

}  // namespace dfs::client::cli
