#include "client/cli/verbs.h"

#include <algorithm>

#include "client/cli/exit_code.h"
#include "client/cli/text.h"

namespace dfs::client::cli {
namespace {

std::string NamesOf(const Verb& verb) {
  std::string out = verb.name;
  for (const auto& alias : verb.aliases) out += ", " + alias;
  return out;
}

std::string FlagsText(const CLI::App& app) {
  std::vector<std::vector<std::string>> rows;
  for (const CLI::Option* option : app.get_options()) {
    std::string name = option->get_name(false, true);
    if (option->get_positional()) name = option->get_name(true);
    const bool takes_value = option->get_expected_min() > 0 && !option->get_positional();
    std::string note;
    if (!option->get_default_str().empty()) note = " (default: " + option->get_default_str() + ")";
    rows.push_back({"  " + name + (takes_value ? " VALUE" : ""), option->get_description() + note});
  }
  return FormatTable(rows, "<<");
}

// In lines of 80.
std::string ExitText() {
  constexpr std::size_t kWidth = 74;
  std::string out;
  std::size_t column = 0;
  for (const auto& [code, meaning] : ExitCodes()) {
    const std::string one = std::to_string(code) + " " + meaning;
    if (column > 0 && column + one.size() + 2 > kWidth) {
      out += ",\n      ";
      column = 0;
    } else if (column > 0) {
      out += ", ";
    }
    out += one;
    column += one.size() + 2;
  }
  return out;
}

}  // namespace

const std::vector<Verb>& Verbs() {
  static const auto* const kVerbs = new std::vector<Verb>{
      PutVerb(),  GetVerb(),   RemoveVerb(), MvVerb(), LocateVerb(),  LsVerb(), FindFilesVerb(), LsHereVerb(),
      StatVerb(), ClearVerb(), UndeleteVerb(), MbVerb(), RbVerb(), BucketsVerb(), StatusVerb(), MembersVerb(), RepairVerb(),  ScrubVerb(), GcVerb(),
      CheckVerb(), ExplainVerb(), LeaveVerb(), DrainVerb(), ForgetVerb(), ReplaceVerb(), OkToStopVerb(),
      BackupVerb(), BenchVerb(), CertVerb(), ShellVerb(), ConfigVerb(), CompletionVerb(), VersionVerb()};
  return *kVerbs;
}

const Verb* FindVerb(const std::string& name) {
  for (const auto& verb : Verbs()) {
    const auto& aliases = verb.aliases;
    if (verb.name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return &verb;
    }
  }
  return nullptr;
}

std::string OverviewText(const CLI::App& app) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& verb : Verbs()) rows.push_back({"  " + NamesOf(verb), verb.summary});
  rows.push_back({"  help", "this text, or help VERB for one verb; help --man: a page for man(1)"});
  return "usage: dfs-cli [--endpoints=H:P,...] [--bucket=B] VERB ...\n\n"
         "Stores files on several machines: each is on three nodes, two of them before a put is\n"
         "answered.\n\nVERBS\n" +
         FormatTable(rows, "<<") + "\nFLAGS of every verb\n" + FlagsText(app) +
         "\nEvery flag may also come from the environment: --json from DFS_JSON, and so on; else from\n"
         "the file of --config. A flag wins. Data goes to standard output, everything else to standard error.\n\n"
         "EXIT  " + ExitText() + "\n";
}

std::string HelpText(const Verb& verb, const CLI::App& app) {
  std::string out = "EXAMPLES\n";
  int number = 0;
  for (const auto& example : verb.examples) {
    out += "  " + std::to_string(++number) + ". " + example + "\n";
  }
  out += "\nusage: dfs-cli " + verb.usage + "\n\n" + NamesOf(verb) + ": " + verb.summary + "\n";
  const std::string flags = FlagsText(app);
  if (!flags.empty()) out += "\n" + flags;
  return out + "\nFlags of every verb: dfs-cli help\n";
}

}  // namespace dfs::client::cli
