// One file of the cluster into the folder of a backup.
#ifndef DFS_CLIENT_CLI_BACKUP_FETCH_H_
#define DFS_CLIENT_CLI_BACKUP_FETCH_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "client/cli/posix_backup_folder.h"
#include "client/cli/transfer_board.h"

namespace dfs::client::cli {

// One file of the listing, and what became of it. Each is one worker's.
struct BackupItem {
  v1::FileInfo file;  // the version whose bytes are there, if it is held
  enum class State {
    kFailed,   // until it is something else
    kHeld,     // its object is there
    kRemoved,  // from the cluster, meanwhile
  } state = State::kFailed;
};

// Thread-safe. `folder` outlives this.
class BackupFetch {
 public:
  struct Options {
    bool reads_kept = false;  // an object counts as there only if all its bytes are right
    bool shows_bucket = false;
    bool is_human = false;
  };
  BackupFetch(const BackupFolder& folder, Options options) : folder_(folder), options_(options) {}

  // Whether the folder has this version.
  [[nodiscard]] bool IsHeld(const v1::FileInfo& file, const OnProgress& on_progress) const;
  // Gets the version that was listed or, if that is gone, the one that is there now: whole and durable before it has its name,
  // which is durable when the folder has been synced. Errors as of a get; the item stays kFailed.
  absl::StatusOr<FileDone> Fetch(FileClient& client, BackupItem& item, const OnProgress& on_progress);

  // Of any file so far: the disk is full, for example.
  [[nodiscard]] bool has_local_failure() const { return has_local_failure_.load(); }

 private:
  absl::StatusOr<FileDone> TryFetch(FileClient& client, BackupItem& item, const OnProgress& on_progress) const;

  const BackupFolder& folder_;
  const Options options_;
  std::atomic<bool> has_local_failure_ = false;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_FETCH_H_
