// What `backup` does, by its first word.
#ifndef DFS_CLIENT_CLI_BACKUP_ACTIONS_H_
#define DFS_CLIENT_CLI_BACKUP_ACTIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "client/cli/session.h"
#include "client/cli/transfer_board.h"

namespace dfs::client::cli {

struct BackupFlags {
  std::string action;
  std::string folder;
  std::vector<std::string> words;  // verify, ls, restore: which files
  bool is_literal = false;
  bool has_all_buckets = false;    // create
  bool reads_kept = false;         // create
  std::string into;                // restore: the bucket
  bool overwrites = false;         // restore
  bool is_long = false;            // ls
  bool is_dry_run = false;         // create, restore
  std::size_t jobs = kJobsDefault;
};

// Files that are listed, read and put down together: so much of a backup is in memory at a time, some 400 bytes each.
inline constexpr std::size_t kBackupBatch = 100'000;

// Each returns the exit code. backup_create.cc
int CreateBackup(Session& session, const BackupFlags& flags);
// backup_verify.cc
int VerifyBackup(Session& session, const BackupFlags& flags);
int ListBackup(Session& session, const BackupFlags& flags);
// backup_restore.cc
int RestoreBackup(Session& session, const BackupFlags& flags);

// How a file of a backup is called in front of people: with its bucket if it is a backup of all.
inline std::string ShownName(const v1::FileInfo& file, bool shows_bucket) {
  return shows_bucket ? file.bucket() + ":" + file.name() : file.name();
}

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_ACTIONS_H_
