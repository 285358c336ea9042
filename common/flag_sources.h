// Where the values of flags come from: the command line, else the environment (DFS_ and the flag's name in upper case, `_` for
// `-`), else a configuration file, else the default. One rule for all programs and all flags.
#ifndef DFS_COMMON_FLAG_SOURCES_H_
#define DFS_COMMON_FLAG_SOURCES_H_

#include <CLI/App.hpp>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dfs {

[[nodiscard]] std::string EnvironmentNameOf(std::string_view flag);

// Lines `flag = value`; after a line `[section]` for that section only. `#` and `;` begin comments.
class FlagFile {
 public:
  FlagFile() = default;  // says nothing
  // kInvalidArgument: it cannot be read, or is no such file.
  static absl::StatusOr<FlagFile> Read(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  // Null: nothing is said.
  [[nodiscard]] const std::string* Find(const std::string& section, const std::string& flag) const;
  // kInvalidArgument: it names a section or a flag that is none of these.
  [[nodiscard]] absl::Status Check(const std::map<std::string, const CLI::App*>& apps_by_section) const;

 private:
  std::string path_;
  std::map<std::pair<std::string, std::string>, std::string> values_;  // by section and flag
};

// Words `--flag=value` for the flags of `app` that `words` do not give, but environment or file (its `section`) do: to be
// parsed together with `words`. Flags named help, version and config are left out.
[[nodiscard]] std::vector<std::string> ImpliedWords(const CLI::App& app, const std::string& section,
                                                    const std::vector<std::string>& words,
                                                    const FlagFile& file);

struct FlagValue {
  std::string flag;
  std::string value;
  std::string origin;  // "flag", "environment", "file", "default"
  std::string where;   // name of the variable, path of the file; empty for the others
};
// Of all flags of `app`, once it has been parsed (with `words`, if these are not empty).
[[nodiscard]] std::vector<FlagValue> ListFlags(const CLI::App& app, const std::string& section,
                                               const std::vector<std::string>& words, const FlagFile& file);

// What `words`, else the environment, say of a flag that is wanted before all others are parsed. Empty: nothing.
[[nodiscard]] std::string EarlyValueOf(std::string_view flag, const std::vector<std::string>& words);

}  // namespace dfs

#endif  // DFS_COMMON_FLAG_SOURCES_H_
