// Asking the person at the terminal.
#ifndef DFS_CLIENT_CLI_TERMINAL_H_
#define DFS_CLIENT_CLI_TERMINAL_H_

#include <string>

#include "absl/time/time.h"

namespace dfs::client::cli {

// Whether somebody is there to be asked: standard input and standard error are a terminal.
[[nodiscard]] bool HasTerminal();
// Asks on standard error and waits so long for a line on standard input. True only if it begins
// with y or Y; silence is no.
[[nodiscard]] bool IsConfirmed(const std::string& question, absl::Duration patience);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_TERMINAL_H_
