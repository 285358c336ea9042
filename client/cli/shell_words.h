// The words of a line at the prompt of `dfs-cli shell`, and what may come next. Pure.
#ifndef DFS_CLIENT_CLI_SHELL_WORDS_H_
#define DFS_CLIENT_CLI_SHELL_WORDS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/verb_shape.h"

namespace dfs::client::cli {

// As a shell does it: blanks part words, quotes and backslashes take their meaning from blanks, `#` at the begin of a word
// begins a comment. Nothing is expanded. kInvalidArgument: a quote is not closed.
absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line);

// The same as one word of such a line.
std::string QuotedWord(const std::string& word);

// The names that begin with what is typed of it; may ask the cluster.
struct NameSources {
  std::function<std::vector<std::string>(const std::string& begin)> remote;
  std::function<std::vector<std::string>()> nodes;
};

struct Completion {
  std::string typed;                    // the word that is completed, as the line has it
  std::vector<std::string> candidates;  // as the line would have them; sorted, each once
  std::string common;                   // what all of them begin with
};
// Of the last word of `line`, which ends at the cursor.
Completion Complete(std::string_view line, const std::vector<VerbShape>& verbs,
                    const std::vector<FlagShape>& global, const NameSources& names);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_SHELL_WORDS_H_
