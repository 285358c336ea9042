#include "client/cli/shell_words.h"

#include <algorithm>

namespace dfs::client::cli {
namespace {

// A scan of a line; stops behind the last word, or in it.
struct Scan {
  std::vector<std::string> words;
  std::size_t last_begin = 0;  // where the last word begins; the end of the line if it ends with a blank
  bool is_in_word = false;
  char open_quote = 0;
};

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

Scan ScanLine(std::string_view line) {
  Scan scan;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (scan.open_quote == 0 && IsBlank(c)) {
      scan.is_in_word = false;
      continue;
    }
    if (!scan.is_in_word) {
      if (c == '#') break;
      scan.is_in_word = true;
      scan.last_begin = i;
      scan.words.emplace_back();
    }
    std::string& word = scan.words.back();
    if (scan.open_quote != 0 && c == scan.open_quote) {
      scan.open_quote = 0;
    } else if (scan.open_quote == 0 && (c == '\'' || c == '"')) {
      scan.open_quote = c;
    } else if (c == '\\' && scan.open_quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
    } else {
      word += c;
    }
  }
  if (!scan.is_in_word) scan.last_begin = line.size();
  return scan;
}

std::vector<std::string> Beginning(const std::vector<std::string>& all, const std::string& begin) {
  std::vector<std::string> out;
  for (const auto& one : all) {
    if (one.starts_with(begin)) out.push_back(one);
  }
  return out;
}

std::vector<std::string> NamesOfFlags(const std::vector<FlagShape>& flags) {
  std::vector<std::string> out;
  for (const auto& flag : flags) out.push_back(flag.name);
  return out;
}

bool HasName(const VerbShape& shape, const std::string& name) {
  const auto& aliases = shape.verb->aliases;
  return shape.verb->name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end();
}

// The verb among the words before the last.
const VerbShape* VerbOf(const std::vector<std::string>& words, const std::vector<VerbShape>& verbs,
                        const std::vector<FlagShape>& global, bool* is_named) {
  *is_named = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto flag = std::find_if(global.begin(), global.end(), [&](const auto& f) { return f.name == words[i]; });
    if (flag != global.end() && flag->takes_value) {
      ++i;
      *is_named = i == words.size();  // the last word is its value, and no verb
    } else if (!words[i].starts_with("-")) {
      *is_named = true;
      const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const auto& s) { return HasName(s, words[i]); });
      return found == verbs.end() ? nullptr : &*found;
    }
  }
  return nullptr;
}

std::vector<std::string> Choices(const VerbShape& shape, const std::string& begin, const NameSources& names) {
  std::vector<std::string> out = Beginning(shape.choices, begin);
  const auto add = [&out](const std::vector<std::string>& more) { out.insert(out.end(), more.begin(), more.end()); };
  if (shape.takes_remote && names.remote) add(Beginning(names.remote(begin), begin));
  if (shape.takes_nodes && names.nodes) add(Beginning(names.nodes(), begin));
  return out;
}

std::string CommonOf(const std::vector<std::string>& words) {
  std::string common = words.empty() ? "" : words[0];
  for (const auto& word : words) {
    const auto differ = std::mismatch(common.begin(), common.end(), word.begin(), word.end());
    common.erase(differ.first, common.end());
  }
  return common;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  Scan scan = ScanLine(line);
  if (scan.open_quote != 0) return absl::InvalidArgumentError("a quote is not closed");
  return std::move(scan.words);
}

std::string QuotedWord(const std::string& word) {
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (IsBlank(c) || c == '\'' || c == '"' || c == '\\' || (c == '#' && i == 0)) out += '\\';
    out += c;
  }
  return out;
}

Completion Complete(std::string_view line, const std::vector<VerbShape>& verbs,
                    const std::vector<FlagShape>& global, const NameSources& names) {
  Scan scan = ScanLine(line);
  Completion out;
  out.typed = std::string(line.substr(scan.last_begin));
  std::string begin;
  if (scan.is_in_word) {
    begin = scan.words.back();
    scan.words.pop_back();
  }
  bool is_named = false;
  const VerbShape* verb = VerbOf(scan.words, verbs, global, &is_named);
  std::vector<std::string> found;
  if (begin.starts_with("-")) {
    found = Beginning(NamesOfFlags(global), begin);
    if (verb != nullptr) {
      const auto own = Beginning(NamesOfFlags(verb->flags), begin);
      found.insert(found.end(), own.begin(), own.end());
    }
  } else if (verb != nullptr) {
    found = Choices(*verb, begin, names);
  } else if (!is_named || scan.words.back() == "help") {
    std::vector<std::string> all = {"exit", "help"};
    for (const auto& shape : verbs) all.push_back(shape.verb->name);
    found = Beginning(all, begin);
  }
  for (auto& word : found) out.candidates.push_back(QuotedWord(word));
  std::sort(out.candidates.begin(), out.candidates.end());
  out.candidates.erase(std::unique(out.candidates.begin(), out.candidates.end()), out.candidates.end());
  out.common = CommonOf(out.candidates);
  return out;
}

}  // namespace dfs::client::cli
