// What the table of verbs looks like from outside: for completion files and man pages. Pure.
#ifndef DFS_CLIENT_CLI_VERB_SHAPE_H_
#define DFS_CLIENT_CLI_VERB_SHAPE_H_

#include <string>
#include <vector>

#include "client/cli/verbs.h"

namespace dfs::client::cli {

struct FlagShape {
  std::string name;         // with its dashes
  std::string short_name;   // with its dash, or empty
  bool takes_value = false;
  std::string description;
  std::string default_value;
};
// Of an application of CLI11, in its order; positional arguments and --help are left out.
std::vector<FlagShape> FlagsOf(const CLI::App& app);

struct VerbShape {
  const Verb* verb = nullptr;
  std::vector<FlagShape> flags;
  // What its arguments are, by the words of its usage.
  bool takes_remote = false;  // names of files in the cluster
  bool takes_local = false;   // files of this machine
  bool takes_nodes = false;
  std::vector<std::string> choices;  // words in place of an argument ("init|issue|show")
};
std::vector<VerbShape> ShapesOfVerbs();

// A script for "bash", "zsh" or "fish"; empty for others. `global`: flags of every verb.
std::string CompletionScript(const std::string& shell, const std::vector<FlagShape>& global);
// dfs-cli(1), for man(1).
std::string ManPage(const std::vector<FlagShape>& global);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_VERB_SHAPE_H_
