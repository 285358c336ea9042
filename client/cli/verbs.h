// The table of verbs: parsing, help and "did you mean" are made from it.
#ifndef DFS_CLIENT_CLI_VERBS_H_
#define DFS_CLIENT_CLI_VERBS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "client/cli/session.h"

namespace dfs::client::cli {

// Does the work; returns the exit code.
using RunVerb = std::function<int(Session&)>;

struct Verb {
  std::string name;
  std::vector<std::string> aliases;
  std::string usage;                  // after "dfs-cli ", for example "put LOCAL [REMOTE]"
  std::string summary;                // one line
  std::vector<std::string> examples;  // each a command line, with a comment after two spaces or not
  // Adds the verb's own flags and arguments; what it returns is called after a successful parse.
  std::function<RunVerb(CLI::App&)> set_up;
  bool is_local = false;  // asks no server
};

// put_verb.cc
Verb PutVerb();
// get_verb.cc
Verb GetVerb();
// file_verbs.cc
Verb RemoveVerb();
Verb MvVerb();
Verb ClearVerb();
// bucket_verbs.cc
Verb MbVerb();
Verb RbVerb();
Verb BucketsVerb();
// trash_verbs.cc
Verb UndeleteVerb();
Verb GcVerb();
// listing_verbs.cc
Verb LocateVerb();
Verb LsVerb();
Verb LsHereVerb();
Verb StatVerb();
// find_verb.cc
Verb FindFilesVerb();
// cluster_verbs.cc
Verb StatusVerb();
Verb MembersVerb();
Verb VersionVerb();
// scrub_verb.cc
Verb ScrubVerb();
// check_verb.cc
Verb CheckVerb();
// upkeep_verbs.cc
Verb RepairVerb();
Verb ExplainVerb();
Verb LeaveVerb();
Verb DrainVerb();
Verb ForgetVerb();
Verb ReplaceVerb();
Verb OkToStopVerb();
// shell_verb.cc
Verb ShellVerb();
// completion_verb.cc
Verb CompletionVerb();
// config_verb.cc
Verb ConfigVerb();
// backup_verb.cc
Verb BackupVerb();
// cert_verb.cc
Verb CertVerb();
// bench_verb.cc
Verb BenchVerb();

// In the order of the help.
const std::vector<Verb>& Verbs();
// nullptr if there is none of that name or alias.
const Verb* FindVerb(const std::string& name);

// The text of `dfs-cli help`, and of `dfs-cli help VERB` with `app` being the verb's.
std::string OverviewText(const CLI::App& app);
std::string HelpText(const Verb& verb, const CLI::App& app);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_VERBS_H_
