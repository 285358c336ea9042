// Where the lines of `dfs-cli shell` come from.
#ifndef DFS_CLIENT_CLI_LINE_SOURCE_H_
#define DFS_CLIENT_CLI_LINE_SOURCE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/cli/shell_words.h"

namespace dfs::client::cli {

// Not thread-safe.
class LineSource {
 public:
  virtual ~LineSource() = default;
  // Without its end. Nothing: there are no more.
  virtual std::optional<std::string> Next() = 0;
};

// Standard input as it is.
std::unique_ptr<LineSource> PlainLines();

// A person at a terminal: prompt on standard error, editing, history (kept in `history_path`, if that is not empty), Tab.
// ^C ends the program, with the terminal as it was. Null: the terminal cannot be used so.
using Completer = std::function<Completion(std::string_view line)>;
std::unique_ptr<LineSource> EditedLines(const std::string& history_path, Completer complete);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_LINE_SOURCE_H_
