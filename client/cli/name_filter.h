// Which of many files are meant. Pure.
#ifndef DFS_CLIENT_CLI_NAME_FILTER_H_
#define DFS_CLIENT_CLI_NAME_FILTER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/name_pattern.h"

namespace dfs::client::cli {

// By their paths below the folder that was named. A pattern without a slash is held against one
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

#endif  // DFS_CLIENT_CLI_NAME_FILTER_H_
