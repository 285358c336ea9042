#include "client/cli/backup_selection.h"

#include <algorithm>
#include <utility>

#include "client/cli/remote_selection.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

bool IsAtOrBelow(std::string_view name, std::string_view folder) {
  return name.starts_with(folder) && (name.size() == folder.size() || name[folder.size()] == '/');
}

}  // namespace

absl::StatusOr<BackupSelection> BackupSelection::Make(const std::vector<std::string>& words, bool is_literal, std::string bucket) {
  BackupSelection out;
  out.bucket_ = std::move(bucket);
  SelectionFlags flags;
  flags.is_recursive = true;
  flags.is_literal = is_literal;
  for (const std::string& said : words) {
    Word& word = out.words_.emplace_back();
    word.said = said;
    word.name = said;
    if (!is_literal && HasPattern(said)) {
      DFS_ASSIGN_OR_RETURN(const std::string text, PatternOf(said, flags));
      DFS_ASSIGN_OR_RETURN(NamePattern pattern, NamePattern::Parse(text));
      word.pattern.push_back(std::move(pattern));
      continue;
    }
    word.name = PlainNameOf(said, flags);
    while (word.name.ends_with('/')) word.name.pop_back();
  }
  return out;
}

bool BackupSelection::Matches(const Word& word, const v1::FileInfo& file) {
  if (word.pattern.empty()) return IsAtOrBelow(file.name(), word.name);
  return word.is_name ? file.name() == word.name : word.pattern[0].MatchesAbove(file.name());
}

void BackupSelection::See(const v1::FileInfo& file) {
  if (!bucket_.empty() && file.bucket() != bucket_) return;
  for (Word& word : words_) {
    if (!word.pattern.empty() && file.name() == word.name) word.is_name = true;
    if (!word.has_match) word.has_match = Matches(word, file);
  }
}

bool BackupSelection::Takes(const v1::FileInfo& file) const {
  if (!bucket_.empty() && file.bucket() != bucket_) return false;
  return words_.empty() || std::any_of(words_.begin(), words_.end(), [&](const Word& word) { return Matches(word, file); });
}

Failures BackupSelection::Unmatched() const {
  Failures out;
  for (const Word& word : words_) {
    if (!word.has_match) out.emplace_back(word.said, absl::NotFoundError("no such file in the backup"));
  }
  return out;
}

}  // namespace dfs::client::cli
