// From words to a verb that can run, or to the text that says why not.
#ifndef DFS_CLIENT_CLI_COMMAND_LINE_H_
#define DFS_CLIENT_CLI_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "client/cli/session.h"
#include "client/cli/verbs.h"

namespace dfs::client::cli {

struct CommandLine {
  RunVerb run;         // empty: print and end
  GlobalFlags flags;   // if there is nothing to run: is_json only
  int exit_code = 0;   // if there is nothing to run
  std::string output;  // for standard output (help)
  std::string error;   // for standard error (usage)
};

// `words`: the arguments without the program's name. Reads the environment (DFS_ and the flag's
// name in upper case with `_` for `-`). A word in brackets is that word, brackets included. An empty word is a usage error, unless
// it says something there (`ls ''`).
CommandLine ParseCommandLine(const std::vector<std::string>& words);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_COMMAND_LINE_H_
