#include "client/cli/verb_shape.h"

#include <algorithm>
#include <sstream>

namespace dfs::client::cli {
namespace {

bool HasWord(const std::string& usage, const std::string& word) {
  std::istringstream words(usage);
  for (std::string one; words >> one;) {
    one.erase(std::remove_if(one.begin(), one.end(), [](char c) { return c == '[' || c == ']' || c == '.'; }),
              one.end());
    if (one == word) return true;
  }
  return false;
}

// "init|issue|show" in the usage.
std::vector<std::string> ChoicesIn(const Verb& verb) {
  if (verb.name == "config") return {"show"};
  std::vector<std::string> out;
  std::istringstream words(verb.usage);
  for (std::string one; words >> one;) {
    if (one.find('|') == std::string::npos || one[0] == '[') continue;
    std::istringstream parts(one);
    for (std::string part; std::getline(parts, part, '|');) out.push_back(part);
  }
  return out;
}

std::string Joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string NamesOf(const std::vector<FlagShape>& flags) {
  std::vector<std::string> names;
  for (const auto& flag : flags) names.push_back(flag.name);
  return Joined(names, " ");
}

// Global flags whose value is a word of its own, for a pattern of the shells.
std::string ValueFlags(const std::vector<FlagShape>& global) {
  std::vector<std::string> names;
  for (const auto& flag : global) {
    if (flag.takes_value) names.push_back(flag.name);
  }
  return Joined(names, "|");
}

std::vector<std::string> AllNamesOf(const Verb& verb) {
  std::vector<std::string> names = {verb.name};
  names.insert(names.end(), verb.aliases.begin(), verb.aliases.end());
  return names;
}

// In single quotes of a shell.
std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

constexpr char kRemoteNames[] = "dfs-cli -q --timeout=2s ls --limit=200";
constexpr char kNodeNames[] =
    R"sed(dfs-cli -q --timeout=2s --json members 2>/dev/null | sed -n 's/.*"name":"\([^"]*\)".*/\1/p')sed";

// What bash and zsh share: a case of each verb that sets what it takes.
std::string Cases() {
  std::string out;
  for (const VerbShape& shape : ShapesOfVerbs()) {
    out += "    " + Joined(AllNamesOf(*shape.verb), "|") + ") flags='" + NamesOf(shape.flags) + "'";
    if (!shape.choices.empty()) out += "; choices='" + Joined(shape.choices, " ") + "'";
    if (shape.takes_remote) out += "; remote=1";
    if (shape.takes_local) out += "; files=1";
    if (shape.takes_nodes) out += "; nodes=1";
    out += " ;;\n";
  }
  return out;
}

std::vector<std::string> AllVerbs() {
  std::vector<std::string> out = {"help"};
  for (const auto& verb : Verbs()) {
    const auto names = AllNamesOf(verb);
    out.insert(out.end(), names.begin(), names.end());
  }
  return out;
}

std::string BashScript(const std::vector<FlagShape>& global) {
  const std::string verbs = Joined(AllVerbs(), " ");
  return "# dfs-cli completion for bash: source it, or make it\n"
         "# ~/.local/share/bash-completion/completions/dfs-cli.\n"
         "_dfs_cli() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} verb='' flags='' choices='' remote='' files='' nodes='' i line\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in\n"
         "      " + ValueFlags(global) + ") ((++i)); [[ ${COMP_WORDS[i]} == = ]] && ((++i)) ;;\n"
         "      -*) ;;\n"
         "      *) verb=${COMP_WORDS[i]}; break ;;\n"
         "    esac\n"
         "  done\n"
         "  COMPREPLY=()\n"
         "  case $verb in\n"
         "    '') choices='" + verbs + "' ;;\n"
         "    help) choices='" + verbs + "' ;;\n" + Cases() +
         "  esac\n"
         "  if [[ $cur == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$flags " + NamesOf(global) + "\" -- \"$cur\")\n"
         "    return\n"
         "  fi\n"
         "  if [[ -n $choices ]]; then mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$cur\"); fi\n"
         "  if [[ -n $remote ]]; then\n"
         "    while IFS= read -r line; do COMPREPLY+=(\"$(printf '%q' \"$line\")\"); done \\\n"
         "      < <(" + kRemoteNames + " -- \"$cur\" 2>/dev/null)\n"
         "  fi\n"
         "  if [[ -n $nodes ]]; then\n"
         "    while IFS= read -r line; do [[ $line == \"$cur\"* ]] && COMPREPLY+=(\"$line\"); done \\\n"
         "      < <(" + std::string(kNodeNames) + ")\n"
         "  fi\n"
         "  if [[ -n $files ]]; then\n"
         "    while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"$cur\")\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _dfs_cli dfs-cli\n";
}

std::string ZshScript(const std::vector<FlagShape>& global) {
  std::string described = "    'help:this help, or that of a verb'\n";
  for (const auto& verb : Verbs()) described += "    " + Quoted(verb.name + ":" + verb.summary) + "\n";
  return "#compdef dfs-cli\n"
         "# dfs-cli completion for zsh: put it into a folder of $fpath under the name _dfs-cli, or source it.\n"
         "_dfs_cli() {\n"
         "  local cur=${words[CURRENT]} verb='' flags='' choices='' remote='' files='' nodes='' i\n"
         "  local -a verbs\n"
         "  verbs=(\n" + described + "  )\n"
         "  for ((i = 2; i < CURRENT; i++)); do\n"
         "    case ${words[i]} in\n"
         "      " + ValueFlags(global) + ") ((++i)) ;;\n"
         "      -*) ;;\n"
         "      *) verb=${words[i]}; break ;;\n"
         "    esac\n"
         "  done\n"
         "  case $verb in\n" + Cases() +
         "  esac\n"
         "  if [[ $cur == -* ]]; then\n"
         "    compadd -- ${=flags} " + NamesOf(global) + "\n"
         "    return\n"
         "  fi\n"
         "  if [[ -z $verb || $verb == help ]]; then _describe -t verbs verb verbs; fi\n"
         "  if [[ -n $choices ]]; then compadd -- ${=choices}; fi\n"
         "  if [[ -n $remote ]]; then compadd -- ${(f)\"$(" + kRemoteNames + " -- \"$cur\" 2>/dev/null)\"}; fi\n"
         "  if [[ -n $nodes ]]; then compadd -- ${(f)\"$(" + std::string(kNodeNames) + ")\"}; fi\n"
         "  if [[ -n $files ]]; then _files; fi\n"
         "}\n"
         "if [[ $funcstack[1] == _dfs-cli ]]; then _dfs_cli \"$@\"; else compdef _dfs_cli dfs-cli; fi\n";
}

std::string FishFlags(const std::vector<FlagShape>& flags, const std::string& condition) {
  std::string out;
  for (const auto& flag : flags) {
    out += "complete -c dfs-cli" + condition + " -l " + flag.name.substr(2);
    if (!flag.short_name.empty()) out += " -s " + flag.short_name.substr(1);
    if (flag.takes_value) out += " -r";
    out += " -d " + Quoted(flag.description) + "\n";
  }
  return out;
}

// fish's own function takes the value of a flag for the verb.
std::string FishWantsVerb(const std::vector<FlagShape>& global) {
  std::vector<std::string> with_value;
  for (const auto& flag : global) {
    if (flag.takes_value) with_value.push_back(flag.name);
  }
  return "function __dfs_cli_wants_verb\n"
         "  set -l is_value 0\n"
         "  for word in (commandline -opc)[2..-1]\n"
         "    if test $is_value = 1\n"
         "      set is_value 0\n"
         "    else if contains -- $word " + Joined(with_value, " ") + "\n"
         "      set is_value 1\n"
         "    else if not string match -q -- '-*' $word\n"
         "      return 1\n"
         "    end\n"
         "  end\n"
         "end\n";
}

std::string FishScript(const std::vector<FlagShape>& global) {
  const std::string wanted = "complete -c dfs-cli -n __dfs_cli_wants_verb -a ";
  std::string out = "# dfs-cli completion for fish: put it into ~/.config/fish/completions/dfs-cli.fish.\n" +
                    FishWantsVerb(global) + "complete -c dfs-cli -f\n" + wanted + "help -d 'this help, or that of a verb'\n" +
                    FishFlags(global, "");
  for (const VerbShape& shape : ShapesOfVerbs()) {
    const std::string seen = " -n '__fish_seen_subcommand_from " + Joined(AllNamesOf(*shape.verb), " ") + "'";
    out += wanted + shape.verb->name + " -d " + Quoted(shape.verb->summary) + "\n" + FishFlags(shape.flags, seen);
    if (!shape.choices.empty()) out += "complete -c dfs-cli" + seen + " -a '" + Joined(shape.choices, " ") + "'\n";
    if (shape.takes_remote) {
      out += "complete -c dfs-cli" + seen + " -a '(" + kRemoteNames + " -- (commandline -ct) 2>/dev/null)'\n";
    }
    if (shape.takes_nodes) {
      out += "complete -c dfs-cli" + seen + " -a " + Quoted("(" + std::string(kNodeNames) + ")") + "\n";
    }
    if (shape.takes_local) out += "complete -c dfs-cli" + seen + " -F\n";
  }
  return out;
}

// Text that means nothing to roff.
std::string Roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += std::string("\\&") + c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string RoffFlags(const std::vector<FlagShape>& flags) {
  std::string out;
  for (const auto& flag : flags) {
    out += ".TP\n.B " + Roff((flag.short_name.empty() ? "" : flag.short_name + ", ") + flag.name) +
           (flag.takes_value ? " \\fIVALUE\\fR" : "") + "\n" + Roff(flag.description);
    if (!flag.default_value.empty()) out += " (default: " + Roff(flag.default_value) + ")";
    out += "\n";
  }
  return out;
}

}  // namespace

std::vector<FlagShape> FlagsOf(const CLI::App& app) {
  std::vector<FlagShape> out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option->get_lnames()[0] == "help") continue;
    FlagShape& flag = out.emplace_back();
    flag.name = "--" + option->get_lnames()[0];
    if (!option->get_snames().empty()) flag.short_name = "-" + option->get_snames()[0];
    flag.takes_value = option->get_expected_min() > 0;
    flag.description = option->get_description();
    flag.default_value = option->get_default_str();
  }
  return out;
}

std::vector<VerbShape> ShapesOfVerbs() {
  std::vector<VerbShape> out;
  for (const Verb& verb : Verbs()) {
    CLI::App app;
    verb.set_up(app);
    VerbShape& shape = out.emplace_back();
    shape.verb = &verb;
    shape.flags = FlagsOf(app);
    shape.takes_remote = HasWord(verb.usage, "REMOTE") || HasWord(verb.usage, "PREFIX");
    shape.takes_local = HasWord(verb.usage, "LOCAL") || verb.name == "cert" || verb.name == "backup";
    shape.takes_nodes = HasWord(verb.usage, "NODE");
    shape.choices = ChoicesIn(verb);
  }
  return out;
}

std::string CompletionScript(const std::string& shell, const std::vector<FlagShape>& global) {
  if (shell == "bash") return BashScript(global);
  if (shell == "zsh") return ZshScript(global);
  return shell == "fish" ? FishScript(global) : "";
}

std::string ManPage(const std::vector<FlagShape>& global) {
  std::string out = ".TH DFS\\-CLI 1 \"\" \"dfs " DFS_VERSION "\" \"User Commands\"\n"
                    ".SH NAME\ndfs\\-cli \\- files of a dfs cluster\n"
                    ".SH SYNOPSIS\n.B dfs\\-cli\n[\\fIFLAG\\fR...] \\fIVERB\\fR [\\fIARGUMENT\\fR...]\n"
                    ".SH DESCRIPTION\nStores files on several machines: each is on three nodes, two of them before a "
                    "put is answered. Data goes to standard output, everything else to standard error.\n"
                    ".SH VERBS\n";
  for (const VerbShape& shape : ShapesOfVerbs()) {
    out += ".SS " + Roff(shape.verb->usage) + "\n" + Roff(shape.verb->summary);
    if (!shape.verb->aliases.empty()) out += " (also: " + Roff(Joined(shape.verb->aliases, ", ")) + ")";
    out += "\n.PP\n.nf\n";
    for (const auto& example : shape.verb->examples) out += Roff(example) + "\n";
    out += ".fi\n" + RoffFlags(shape.flags);
  }
  out += ".SH FLAGS OF EVERY VERB\n" + RoffFlags(global) + ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : ExitCodes()) {
    out += ".TP\n.B " + std::to_string(code) + "\n" + Roff(meaning) + "\n";
  }
  return out + ".SH ENVIRONMENT\nEvery flag may come from the environment: \\fBDFS_\\fR and its name in upper case, with "
               "_ for \\-: \\fBDFS_ENDPOINTS\\fR, \\fBDFS_JSON=true\\fR. A flag that is given wins.\n"
               ".SH FILES\n.TP\n.I ~/.config/dfs/config\nLines \\fIflag\\fR = \\fIvalue\\fR; behind a line [\\fIverb\\fR] "
               "for that verb only. The environment wins.\n";
}

}  // namespace dfs::client::cli
