#include "client/cli/remote_selection.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "client/cli/text.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

std::string WithoutSlashes(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

RemoteFile FileOf(const v1::FileInfo& file, std::string relative) {
  RemoteFile out;
  out.name = file.name();
  out.relative = std::move(relative);
  out.size = file.size();
  out.version = file.version();
  out.crc32c = file.crc32c();
  out.content_hash = file.content_hash();
  out.is_eventual = file.consistency() == v1::EVENTUAL;
  return out;
}

absl::Status NothingMatches() { return absl::NotFoundError("no such file"); }

class Selector {
 public:
  Selector(FileClient& client, const SelectionFlags& flags, NameFilter filter, v1::Consistency consistency)
      : client_(client), flags_(flags), filter_(std::move(filter)), consistency_(consistency) {}

  absl::Status Add(const std::string& said, std::vector<RemoteFile>& out) {
    const bool is_pattern = !flags_.is_literal && HasPattern(said);
    const std::string word = is_pattern ? said : PlainNameOf(said, flags_);
    std::vector<RemoteFile> found;
    has_any_ = false;
    // A name that looks like a pattern is a name first: what else it matches was not meant.
    bool is_found = false;
    if (!word.empty() && !word.ends_with('/')) {
      DFS_ASSIGN_OR_RETURN(is_found, AddExact(word, found));
    }
    if (is_pattern && !is_found) {
      DFS_ASSIGN_OR_RETURN(const std::string pattern, PatternOf(word, flags_));
      DFS_RETURN_IF_ERROR(AddMatches(pattern, found));
    } else if (flags_.is_recursive) {
      DFS_RETURN_IF_ERROR(AddFolder(WithoutSlashes(word), found));
    }
    if (!has_any_) return NothingMatches();
    std::move(found.begin(), found.end(), std::back_inserter(out));
    return out.size() > kTreeFilesMax ? absl::ResourceExhaustedError("more than 1000000 files: name parts of them")
                                      : absl::OkStatus();
  }

 private:
  // `above`: what stands before `path` in its place below the target.
  void Take(const v1::FileInfo& file, const std::string& path, std::vector<RemoteFile>& found, const std::string& above = "") {
    has_any_ = true;
    if (filter_.Takes(path)) found.push_back(FileOf(file, above + path));
  }

  absl::StatusOr<bool> AddExact(const std::string& word, std::vector<RemoteFile>& found) {
    const auto file = client_.Stat(word, consistency_);
    if (absl::IsNotFound(file.status())) return false;
    DFS_RETURN_IF_ERROR(file.status());
    Take(*file, BaseName(word), found);
    return true;
  }

  absl::Status AddMatches(const std::string& word, std::vector<RemoteFile>& found) {
    DFS_ASSIGN_OR_RETURN(const NamePattern pattern, NamePattern::Parse(word));
    const std::size_t folder = pattern.folder().size();
    ListOptions options;
    options.pattern = word;
    options.pattern_above = flags_.is_recursive;
    return List(std::move(options), found, [&](const v1::FileInfo& file) {
      // No server of ours says otherwise; what is removed depends on it.
      const bool is_meant = flags_.is_recursive ? pattern.MatchesAbove(file.name()) : pattern.Matches(file.name());
      if (is_meant) Take(file, file.name().substr(folder), found);
    });
  }

  absl::Status AddFolder(const std::string& folder, std::vector<RemoteFile>& found) {
    ListOptions options;
    options.prefix = folder.empty() ? "" : folder + "/";
    const std::size_t prefix = options.prefix.size();
    const std::string above = flags_.keeps_folder_names && !folder.empty() ? BaseName(folder) + "/" : "";
    return List(std::move(options), found, [&](const v1::FileInfo& file) {
      if (file.name().size() > prefix) Take(file, file.name().substr(prefix), found, above);
    });
  }

  absl::Status List(ListOptions options, const std::vector<RemoteFile>& found,
                    absl::FunctionRef<void(const v1::FileInfo&)> take) {
    options.consistency = consistency_;
    return client_.ListWhile(options, [&](const v1::FileInfo& file) {
      // As above.
      if (file.name().starts_with(options.prefix)) take(file);
      return found.size() <= kTreeFilesMax;
    });
  }

  FileClient& client_;
  const SelectionFlags& flags_;
  const NameFilter filter_;
  const v1::Consistency consistency_;
  bool has_any_ = false;  // of the word at hand, whatever the filter says
};

}  // namespace

void AddSelectionFlags(CLI::App& app, SelectionFlags& flags, const std::string& recursive_text) {
  app.add_flag("-r,-R,--recursive", flags.is_recursive, recursive_text);
  app.add_flag("--literal", flags.is_literal, "*, ?, [ and backslashes in names mean themselves");
  app.add_option("--include", flags.includes,
                 "of what -r or a pattern means only what matches this pattern (may be repeated)")
      ->allow_extra_args(false);
  app.add_option("--exclude", flags.excludes, "not what matches this pattern (may be repeated)")->allow_extra_args(false);
}

bool MeansMany(const std::vector<std::string>& words, const SelectionFlags& flags) {
  return flags.is_recursive ||
         (!flags.is_literal && std::any_of(words.begin(), words.end(), [](const auto& word) { return HasPattern(word); }));
}

std::string PlainNameOf(const std::string& word, const SelectionFlags& flags) {
  const bool has_escape = !flags.is_literal && !HasPattern(word) && word.find_first_of("*?[") != std::string::npos;
  if (!has_escape) return word;
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\' && i + 1 < word.size()) ++i;
    out += word[i];
  }
  return out;
}

absl::StatusOr<std::string> PatternOf(const std::string& word, const SelectionFlags& flags) {
  if (!word.ends_with('/')) return word;
  if (flags.is_recursive) return WithoutSlashes(word) + "/**";
  return absl::InvalidArgumentError(
      "a pattern that ends with a slash is of folders: say -r for what is below them, or leave the slash out");
}

absl::StatusOr<Selection> SelectRemote(FileClient& client, const std::vector<std::string>& words, const SelectionFlags& flags,
                                       v1::Consistency consistency) {
  DFS_ASSIGN_OR_RETURN(NameFilter filter, NameFilter::Make(flags.includes, flags.excludes));
  for (const std::string& word : words) {
    if (!flags.is_literal && HasPattern(word)) DFS_RETURN_IF_ERROR(NamePattern::Parse(word).status());
  }
  Selector selector(client, flags, std::move(filter), consistency);
  Selection out;
  for (const std::string& word : words) {
    if (const absl::Status status = selector.Add(word, out.files); !status.ok()) out.failed.emplace_back(word, status);
  }
  std::unordered_set<std::string> seen;
  std::erase_if(out.files, [&](const RemoteFile& file) { return !seen.insert(file.name).second; });
  return out;
}

}  // namespace dfs::client::cli
