// Trees of local files: what is in them, and folders made for files that come.
#ifndef DFS_CLIENT_CLI_POSIX_TREE_H_
#define DFS_CLIENT_CLI_POSIX_TREE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace dfs::client::cli {

struct LocalFile {
  std::string path;      // as it can be opened
  std::string relative;  // below the folder that was named; of a file that was named itself: its last component
  std::uint64_t size = 0;
};

// What stands below one path.
struct LocalTree {
  std::vector<LocalFile> files;  // regular ones, ordered by path, folder by folder
  std::vector<std::pair<std::string, std::string>> skipped;   // path, and why: links, sockets, devices …
  std::vector<std::pair<std::string, absl::Status>> failed;   // what could not be read: local errors
  std::uint64_t empty_folders = 0;
};

// More files than this are refused: they would take too much memory.
inline constexpr std::size_t kTreeFilesMax = 1'000'000;

// Reads folders only, no file. A symbolic link is skipped unless `follows_links`; `path` itself is always followed. Loops of links
// are failures. Partial files that a get left behind are left out.
[[nodiscard]] LocalTree ReadTree(const std::string& path, bool follows_links);

// Makes the folders between `root` and the file `relative` below it, and `root` itself, where they are missing. A local error: one
// of them, or the file, is a symbolic link (unless `follows_links`), or not what it should be; so that names of the cluster lead
// nowhere but below `root`.
[[nodiscard]] absl::Status MakeFoldersFor(const std::string& root, const std::string& relative, bool follows_links);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_POSIX_TREE_H_
