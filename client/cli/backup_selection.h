// Which files of a backup the words of a command line mean.
#ifndef DFS_CLIENT_CLI_BACKUP_SELECTION_H_
#define DFS_CLIENT_CLI_BACKUP_SELECTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/transfer_plan.h"
#include "common/name_pattern.h"
#include "dfs/v1/types.pb.h"

namespace dfs::client::cli {

// As `get -r` reads its words: a name is the file of this name and all below it, a pattern what matches and what is below a match,
// but a file of exactly that name comes first. No word: all files. Not thread-safe while it is told what there is.
class BackupSelection {
 public:
  // `bucket`: of this one only; empty: of all. kInvalidArgument: a pattern is malformed.
  static absl::StatusOr<BackupSelection> Make(const std::vector<std::string>& words, bool is_literal, std::string bucket);

  // Called for every file there is, before all else: what a word means depends on it.
  void See(const v1::FileInfo& file);
  [[nodiscard]] bool Takes(const v1::FileInfo& file) const;
  // Words that mean nothing of what was seen: kNotFound.
  [[nodiscard]] Failures Unmatched() const;
  [[nodiscard]] bool has_words() const { return !words_.empty(); }

 private:
  struct Word {
    std::string said;
    std::string name;  // what it means if it is no pattern, without slashes at its end
    std::vector<NamePattern> pattern;  // one or none
    bool is_name = false;     // there is a file of just this name
    bool has_match = false;
  };
  [[nodiscard]] static bool Matches(const Word& word, const v1::FileInfo& file);

  std::vector<Word> words_;
  std::string bucket_;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_SELECTION_H_
