// Where this program keeps what it wants to find again.
#ifndef DFS_CLIENT_CLI_STATE_FOLDER_H_
#define DFS_CLIENT_CLI_STATE_FOLDER_H_

#include <string>
#include <string_view>

namespace dfs::client::cli {

// dfs, or `below` in it, in XDG_STATE_HOME or ~/.local/state; made if it is not there. Empty: there is no such place.
std::string StateFolder(std::string_view below = "");

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_STATE_FOLDER_H_
