#include "client/cli/command_line.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "client/cli/text.h"
#include "client/cli/verb_shape.h"
#include "common/flag_sources.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

void AddGlobalFlags(CLI::App& app, GlobalFlags& flags) {
  app.add_option("--endpoints", flags.endpoints, "nodes to ask, host:port, separated by commas")
      ->capture_default_str();
  app.add_option("--bucket", flags.bucket, "bucket of the files that are named (default: default)");
  app.add_option("--writer", flags.writer,
                 "what others are told who wrote a file (default: user@host)");
  app.add_option("--timeout", flags.timeout, "give up after this long without progress")
      ->capture_default_str();
  app.add_option("--retries", flags.retries, "try again at most so often, at this node or another (0: never); a large put that broke may be gone on with as often")
      ->check(CLI::Range(0, 1'000))
      ->capture_default_str();
  app.add_option("--config", flags.config,
                 "file of lines `flag = value`, after [VERB] for that verb only (default: dfs/config below XDG_CONFIG_HOME or ~/.config)");
  app.add_option("--tls-cert", flags.tls.cert, "TLS: this client's certificate (PEM)");
  app.add_option("--tls-key", flags.tls.key, "TLS: its key (PEM)");
  app.add_option("--tls-ca", flags.tls.ca, "TLS: who signs the certificates of the cluster (PEM)");
  app.add_flag("--json", flags.is_json, "one JSON object a line, errors too");
  app.add_flag("-q,--quiet", flags.is_quiet, "say nothing but data and errors");
  app.add_flag("-P,--progress", flags.shows_progress,
               "show progress also if standard error is no terminal");
  app.add_flag("--no-color", flags.has_no_color, "no colours (also NO_COLOR)");
  app.add_flag("-h,--human-readable", flags.is_human, "sizes as 1.205 KiB");
}

bool TakesValue(const CLI::App& app, const std::string& word) {
  if (!word.starts_with("--")) return false;
  const CLI::Option* option = app.get_option_no_throw(word);
  return option != nullptr && option->get_expected_min() > 0;
}

// Places of the words that are neither a global flag nor the value of one: the first is the verb's.
std::vector<std::size_t> PlainWords(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (TakesValue(app, words[i])) {
      ++i;
    } else if (words[i].empty() || words[i][0] != '-') {
      out.push_back(i);
    }
  }
  return out;
}

// Empty: there is none, and none was asked for.
std::string ConfigPath(const std::vector<std::string>& words) {
  if (std::string path = EarlyValueOf("config", words); !path.empty()) return path;
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here sets variables
  const char* base = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  // NOLINTEND(concurrency-mt-unsafe)
  std::string path;
  if (base != nullptr && *base == '/') {
    path = std::string(base) + "/dfs/config";
  } else if (home != nullptr && *home == '/') {
    path = std::string(home) + "/.config/dfs/config";
  }
  std::error_code error;
  return !path.empty() && std::filesystem::is_regular_file(path, error) ? path : "";
}

std::vector<std::string> AllNames() {
  std::vector<std::string> out = {"help"};
  for (const auto& verb : Verbs()) {
    out.push_back(verb.name);
    out.insert(out.end(), verb.aliases.begin(), verb.aliases.end());
  }
  return out;
}

CommandLine UsageError(CommandLine line, const std::string& text) {
  line.exit_code = kExitUsage;
  line.error = text;
  return line;
}

CommandLine NoSuchVerb(CommandLine line, const std::string& word) {
  const std::string nearest = NearestWord(word, AllNames());
  return UsageError(std::move(line),
                    "there is no verb \"" + word + "\"" +
                        (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
                        " (dfs-cli help lists them)");
}

// The parser takes the next word for the value of `--bucket=`, be it the verb. Empty: there is none such.
std::string FlagWithoutValue(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") break;
    const bool is_flag = word.starts_with("--") && word.size() > 3 && word.find('=') == word.size() - 1;
    if (is_flag) return word + " has no value (a variable that is not set?)";
  }
  return "";
}

// -1 would be taken for the greatest number that there is.
void RefuseNegativeNumbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_type_name() != "UINT") continue;
    option->check([](const std::string& value) {
      return value.starts_with('-') ? "not a number of 0 or more: " + value : std::string();
    });
  }
}

// CLI11 takes `[a,b]` for a list of words where several may stand, brackets off; here it is a name, or a pattern. With this mark
// before it, which no argument of a program can have, it is a word like others.
constexpr char kBracketMark = '\0';

std::vector<std::string> WithBracketMarks(std::vector<std::string> words) {
  for (std::string& word : words) {
    if (word.starts_with('[') && word.ends_with(']')) word.insert(word.begin(), kBracketMark);
  }
  return words;
}

void StripBracketMarks(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0) continue;  // a flag
    option->transform([](std::string word) { return word.starts_with(kBracketMark) ? word.substr(1) : word; }, "");
  }
}

// Where an empty word says something: all names. Elsewhere it would be taken for the default, which nobody says so.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kMayBeEmpty = {
    {{"ls", "PREFIX"}, {"ls", "--after"}, {"get", "REMOTE"}}};

// What is wrong with the options of `app`, which has been parsed (`verb`: whose it is); empty: nothing.
std::string EmptyValueIn(const CLI::App& app, std::string_view verb) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_positional() ? option->get_single_name() : option->get_name();
    const auto& values = option->results();
    if (option->get_items_expected_max() == 0 || std::find(values.begin(), values.end(), "") == values.end()) continue;
    if (std::find(kMayBeEmpty.begin(), kMayBeEmpty.end(), std::pair(verb, std::string_view(name))) != kMayBeEmpty.end()) continue;
    return name + " is empty (a variable that is not set?); leave it out if that is what you mean";
  }
  return "";
}

struct Parser {
  CLI::App app{"", "dfs-cli"};
  GlobalFlags flags;
  bool wants_version = false;
  std::map<const CLI::App*, const Verb*> verbs;
  std::map<const CLI::App*, RunVerb> runs;
  FlagFile file;

  Parser() {
    app.set_help_flag("--help", "this text");
    AddGlobalFlags(app, flags);
    app.add_flag("--version", wants_version, "print the version of this program");
    StripBracketMarks(app);
    for (const auto& verb : Verbs()) {
      CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
      for (const auto& alias : verb.aliases) sub->alias(alias);
      sub->fallthrough();
      sub->set_help_flag("--help", "this text");
      runs[sub] = verb.set_up(*sub);
      RefuseNegativeNumbers(*sub);
      StripBracketMarks(*sub);
      verbs[sub] = &verb;
    }
  }

  // What the file may speak of.
  [[nodiscard]] std::map<std::string, const CLI::App*> Sections() const {
    std::map<std::string, const CLI::App*> out = {{"", &app}};
    for (const auto& [sub, verb] : verbs) out[verb->name] = sub;
    return out;
  }
  absl::Status ReadFile(const std::vector<std::string>& words) {
    const std::string path = ConfigPath(words);
    if (path.empty()) return absl::OkStatus();
    DFS_ASSIGN_OR_RETURN(file, FlagFile::Read(path));
    return file.Check(Sections());
  }
  // `words`, and behind the verb (at `at`, if there is one) what environment and file say.
  [[nodiscard]] std::vector<std::string> WithSources(std::vector<std::string> words, const Verb* verb,
                                                     std::size_t at) const {
    std::vector<std::string> implied = ImpliedWords(app, "", words, file);
    if (verb != nullptr) {
      const auto more = ImpliedWords(*Sections().at(verb->name), verb->name, words, file);
      implied.insert(implied.end(), more.begin(), more.end());
      ++at;
    }
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), implied.begin(), implied.end());
    return words;
  }
  // Every flag that all verbs have, and those of single verbs that are said somewhere.
  [[nodiscard]] std::vector<std::pair<std::string, FlagValue>> Settings(const std::vector<std::string>& words) const {
    std::vector<std::pair<std::string, FlagValue>> out;
    for (const auto& [section, its_app] : Sections()) {
      for (auto& value : ListFlags(*its_app, section, section.empty() ? words : std::vector<std::string>(), file)) {
        if (section.empty() || value.origin != "default") out.emplace_back(section, std::move(value));
      }
    }
    return out;
  }

  [[nodiscard]] const CLI::App* Used() const {
    const auto used = app.get_subcommands();
    return used.empty() ? nullptr : used.front();
  }
  [[nodiscard]] std::string HelpOf(const std::string& name) const {
    const Verb* verb = FindVerb(name);
    for (const auto& [sub, its_verb] : verbs) {
      if (its_verb == verb) return HelpText(*verb, *sub);
    }
    return OverviewText(app);
  }
};

CommandLine Finish(const std::shared_ptr<Parser>& parser, const std::vector<std::string>& words, CommandLine line) {
  line.flags = parser->flags;
  line.flags.settings = parser->Settings(words);
  const CLI::App* used = parser->Used();
  if (used == nullptr && parser->wants_version) {
    line.output = "dfs-cli " DFS_VERSION "\n";
    return line;
  }
  if (used == nullptr) return UsageError(std::move(line), OverviewText(parser->app));
  for (const CLI::App* app : {static_cast<const CLI::App*>(&parser->app), used}) {
    const std::string error = EmptyValueIn(*app, app == used ? parser->verbs[used]->name : "");
    if (!error.empty()) return UsageError(std::move(line), error + " (dfs-cli help " + parser->verbs[used]->name + ")");
  }
  line.flags.is_local = parser->verbs[used]->is_local;
  line.flags.is_shell = parser->verbs[used]->name == "shell";
  // The parser owns what the verb's flags are bound to.
  line.run = [parser, run = parser->runs[used]](Session& session) { return run(session); };
  return line;
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& words) {
  const auto parser = std::make_shared<Parser>();
  CommandLine line;
  const std::vector<std::size_t> plain = PlainWords(parser->app, words);
  const std::string first = plain.empty() ? "" : words[plain[0]];
  line.flags.is_json = std::find(words.begin(), words.end(), "--json") != words.end();
  if (std::string error = FlagWithoutValue(words); !error.empty()) return UsageError(std::move(line), error);
  if (first == "help" && std::find(words.begin(), words.end(), "--man") != words.end()) {
    line.output = ManPage(FlagsOf(parser->app));
    return line;
  }
  if (first == "help") {
    const std::string topic = plain.size() > 1 ? words[plain[1]] : "help";
    if (topic != "help" && FindVerb(topic) == nullptr) return NoSuchVerb(std::move(line), topic);
    line.output = parser->HelpOf(topic);
    return line;
  }
  const Verb* verb = first.empty() ? nullptr : FindVerb(first);
  if (!first.empty() && verb == nullptr) return NoSuchVerb(std::move(line), first);
  if (const auto read = parser->ReadFile(words); !read.ok()) {
    return UsageError(std::move(line), std::string(read.message()));
  }
  const std::vector<std::string> all = parser->WithSources(words, verb, verb == nullptr ? 0 : plain[0]);
  // What the configuration file says, too.
  if (std::string error = FlagWithoutValue(all); !error.empty()) return UsageError(std::move(line), error);
  try {
    std::vector<std::string> marked = WithBracketMarks(all);
    std::reverse(marked.begin(), marked.end());  // CLI11 wants the words from last to first
    parser->app.parse(std::move(marked));
  } catch (const CLI::CallForHelp&) {
    line.output = parser->HelpOf(first);
    return line;
  } catch (const CLI::ParseError& error) {
    return UsageError(std::move(line), std::string(error.what()) + " (dfs-cli help" +
                                           (first.empty() ? "" : " " + first) + ")");
  }
  return Finish(parser, words, std::move(line));
}

}  // namespace dfs::client::cli
