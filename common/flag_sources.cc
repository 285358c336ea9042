#include "common/flag_sources.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace dfs {
namespace {

std::optional<std::string> FromEnvironment(std::string_view flag) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): when a program starts, before its threads do
  const char* value = std::getenv(EnvironmentNameOf(flag).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

bool IsOfSources(const CLI::Option& option) {
  if (option.get_lnames().empty()) return false;
  const std::string& name = option.get_lnames()[0];
  return name != "help" && name != "version" && name != "config";
}

bool Gives(const std::string& word, const CLI::Option& option) {
  const bool has_long = std::any_of(option.get_lnames().begin(), option.get_lnames().end(), [&](const auto& name) {
    return word == "--" + name || word.starts_with("--" + name + "=");
  });
  if (has_long) return true;
  const bool is_short = word.size() > 1 && word[0] == '-' && word[1] != '-';
  return is_short && std::any_of(option.get_snames().begin(), option.get_snames().end(), [&](const auto& name) {
    return word.find(name, 1) != std::string::npos;
  });
}

bool IsGiven(const std::vector<std::string>& words, const CLI::Option& option) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::any_of(words.begin(), end, [&](const std::string& word) { return Gives(word, option); });
}

const CLI::Option* FindFlag(const CLI::App& app, const std::string& name) {
  for (const CLI::Option* option : app.get_options()) {
    const auto& names = option->get_lnames();
    if (IsOfSources(*option) && std::find(names.begin(), names.end(), name) != names.end()) return option;
  }
  return nullptr;
}

// Any of the flag's names may stand in the file.
const std::string* InFile(const FlagFile& file, const std::string& section, const CLI::Option& option) {
  for (const auto& name : option.get_lnames()) {
    if (const std::string* value = file.Find(section, name)) return value;
  }
  return nullptr;
}

// The name of the variable that says something, and what.
std::optional<std::pair<std::string, std::string>> InEnvironment(const CLI::Option& option) {
  for (const auto& name : option.get_lnames()) {
    if (auto value = FromEnvironment(name)) return std::pair(EnvironmentNameOf(name), *std::move(value));
  }
  return std::nullopt;
}

}  // namespace

std::string EnvironmentNameOf(std::string_view flag) {
  std::string name = "DFS_";
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

absl::StatusOr<FlagFile> FlagFile::Read(const std::string& path) {
  const auto unreadable = [&](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat("the configuration file ", path, " cannot be read: ", why,
                                                   "; --config or DFS_CONFIG names it"));
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return unreadable("it is a directory");
  errno = 0;
  std::ifstream stream(path);
  if (!stream) return unreadable(errno == 0 ? "it does not open" : std::generic_category().message(errno));
  FlagFile file;
  file.path_ = path;
  try {
    for (const CLI::ConfigItem& item : CLI::ConfigINI().from_config(stream)) {
      if (item.name == "++" || item.name == "--") continue;  // CLI11's marks of begin and end of a section
      file.values_[{absl::StrJoin(item.parents, "."), item.name}] = absl::StrJoin(item.inputs, ",");
    }
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  return file;
}

const std::string* FlagFile::Find(const std::string& section, const std::string& flag) const {
  const auto found = values_.find({section, flag});
  return found == values_.end() ? nullptr : &found->second;
}

absl::Status FlagFile::Check(const std::map<std::string, const CLI::App*>& apps_by_section) const {
  for (const auto& [key, value] : values_) {
    const auto& [section, flag] = key;
    const auto app = apps_by_section.find(section);
    if (app == apps_by_section.end()) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": there is no section [", section, "]"));
    }
    if (FindFlag(*app->second, flag) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": there is no flag --", flag,
                                                     section.empty() ? "" : " of " + section));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> ImpliedWords(const CLI::App& app, const std::string& section,
                                      const std::vector<std::string>& words, const FlagFile& file) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options()) {
    if (!IsOfSources(*option) || IsGiven(words, *option)) continue;
    const std::string flag = "--" + option->get_lnames()[0] + "=";
    if (const auto set = InEnvironment(*option)) {
      out.push_back(flag + set->second);
    } else if (const std::string* value = InFile(file, section, *option)) {
      out.push_back(flag + *value);
    }
  }
  return out;
}

std::vector<FlagValue> ListFlags(const CLI::App& app, const std::string& section,
                                 const std::vector<std::string>& words, const FlagFile& file) {
  std::vector<FlagValue> out;
  for (const CLI::Option* option : app.get_options()) {
    if (!IsOfSources(*option)) continue;
    FlagValue& value = out.emplace_back();
    value.flag = "--" + option->get_lnames()[0];
    if (IsGiven(words, *option)) {
      value.value = absl::StrJoin(option->results(), ",");
      value.origin = "flag";
    } else if (const auto set = InEnvironment(*option)) {
      value.value = set->second;
      value.origin = "environment";
      value.where = set->first;
    } else if (const std::string* said = InFile(file, section, *option)) {
      value.value = *said;
      value.origin = "file";
      value.where = file.path();
    } else {
      value.value = option->get_default_str();
      value.origin = "default";
    }
  }
  return out;
}

std::string EarlyValueOf(std::string_view flag, const std::vector<std::string>& words) {
  const std::string name = "--" + std::string(flag);
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (words[i] == name && i + 1 < words.size()) return words[i + 1];
    if (words[i].starts_with(name + "=")) return words[i].substr(name.size() + 1);
  }
  return FromEnvironment(flag).value_or("");
}

}  // namespace dfs
