#include "client/cli/command_line.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>

#include "client/cli/text.h"

namespace dfs::client::cli {
namespace {

// DFS_ and the long name of each option, in upper case.
void NameEnvironment(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option->get_lnames()[0] == "help") continue;
    std::string name = "DFS_" + option->get_lnames()[0];
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return c == '-' ? '_' : static_cast<char>(std::toupper(c));
    });
    option->envname(name);
  }
}

void AddGlobalFlags(CLI::App& app, GlobalFlags& flags) {
  app.add_option("--endpoints", flags.endpoints, "nodes to ask, host:port, separated by commas")
      ->capture_default_str();
  app.add_option("--bucket", flags.bucket, "bucket (default: default)");
  app.add_option("--timeout", flags.timeout, "give up after this long without progress")
      ->capture_default_str();
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

// The words that are neither a global flag nor the value of one.
std::vector<std::string> PlainWords(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--endpoints" || word == "--bucket" || word == "--timeout" || word == "--tls-cert" ||
        word == "--tls-key" || word == "--tls-ca") {
      ++i;
    } else if (word.empty() || word[0] != '-') {
      out.push_back(word);
    }
  }
  return out;
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

struct Parser {
  CLI::App app{"", "dfs-cli"};
  GlobalFlags flags;
  bool wants_version = false;
  std::map<const CLI::App*, const Verb*> verbs;
  std::map<const CLI::App*, RunVerb> runs;

  Parser() {
    app.set_help_flag("--help", "this text");
    AddGlobalFlags(app, flags);
    app.add_flag("--version", wants_version, "print the version of this program");
    for (const auto& verb : Verbs()) {
      CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
      for (const auto& alias : verb.aliases) sub->alias(alias);
      sub->fallthrough();
      sub->set_help_flag("--help", "this text");
      runs[sub] = verb.set_up(*sub);
      verbs[sub] = &verb;
      NameEnvironment(*sub);
    }
    NameEnvironment(app);
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

CommandLine Finish(const std::shared_ptr<Parser>& parser, CommandLine line) {
  line.flags = parser->flags;
  const CLI::App* used = parser->Used();
  if (used == nullptr && parser->wants_version) {
    line.output = "dfs-cli " DFS_VERSION "\n";
    return line;
  }
  if (used == nullptr) return UsageError(std::move(line), OverviewText(parser->app));
  line.flags.is_local = parser->verbs[used]->is_local;
  // The parser owns what the verb's flags are bound to.
  line.run = [parser, run = parser->runs[used]](Session& session) { return run(session); };
  return line;
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& words) {
  const auto parser = std::make_shared<Parser>();
  CommandLine line;
  const std::vector<std::string> plain = PlainWords(words);
  const std::string first = plain.empty() ? "" : plain[0];
  line.flags.is_json = std::find(words.begin(), words.end(), "--json") != words.end();
  if (first == "help") {
    const std::string topic = plain.size() > 1 ? plain[1] : "help";
    if (topic != "help" && FindVerb(topic) == nullptr) return NoSuchVerb(std::move(line), topic);
    line.output = parser->HelpOf(topic);
    return line;
  }
  if (!first.empty() && FindVerb(first) == nullptr) return NoSuchVerb(std::move(line), first);
  try {
    // CLI11 wants the words from last to first.
    parser->app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    line.output = parser->HelpOf(first);
    return line;
  } catch (const CLI::ParseError& error) {
    return UsageError(std::move(line), std::string(error.what()) + " (dfs-cli help" +
                                           (first.empty() ? "" : " " + first) + ")");
  }
  return Finish(parser, std::move(line));
}

}  // namespace dfs::client::cli
