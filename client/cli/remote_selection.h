// Which files of the cluster the words of a command line mean.
#ifndef DFS_CLIENT_CLI_REMOTE_SELECTION_H_
#define DFS_CLIENT_CLI_REMOTE_SELECTION_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/cli/transfer_plan.h"
#include "client/file_client.h"

namespace dfs::client::cli {

struct SelectionFlags {
  bool is_recursive = false;
  bool keeps_folder_names = false;  // of folders that -r means: files below `a/b` go to `b/…` and not to `…`
  bool is_literal = false;
  std::vector<std::string> includes;
  std::vector<std::string> excludes;
};

// -r, --literal, --include, --exclude.
void AddSelectionFlags(CLI::App& app, SelectionFlags& flags, const std::string& recursive_text);

// Whether these words can mean more than the files of exactly these names.
[[nodiscard]] bool MeansMany(const std::vector<std::string>& words, const SelectionFlags& flags);

// The name that a word without a pattern means: one that has *, ? and [ behind backslashes only is meant without these. A word
// with none of the three is a name as it stands, backslashes and all.
[[nodiscard]] std::string PlainNameOf(const std::string& word, const SelectionFlags& flags);
// What a word with a pattern asks the servers for: one that ends with a slash is of folders, and means what is below them.
// kInvalidArgument: that, and there is no -r.
[[nodiscard]] absl::StatusOr<std::string> PatternOf(const std::string& word, const SelectionFlags& flags);

struct Selection {
  std::vector<RemoteFile> files;  // ordered as the words, then by name; each once
  Failures failed;                // by word: what it means is not there, or could not be asked for
};

// A word with a pattern (name_pattern.h) means the file of exactly this name if there is one, else all that match; with -r also
// what is below a match. Another word with -r means the folder of this name, with all below it, and the file of this name; the empty
// word all files. The filters look at paths below that folder. More files than kTreeFilesMax are refused. Blocks.
// kInvalidArgument: a pattern is malformed.
absl::StatusOr<Selection> SelectRemote(FileClient& client, const std::vector<std::string>& words, const SelectionFlags& flags,
                                       v1::Consistency consistency);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_REMOTE_SELECTION_H_
