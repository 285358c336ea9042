// A backup that is read: the files that were asked for, some at a time.
#ifndef DFS_CLIENT_CLI_SELECTED_BACKUP_H_
#define DFS_CLIENT_CLI_SELECTED_BACKUP_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/backup_actions.h"
#include "client/cli/backup_reader.h"
#include "client/cli/backup_selection.h"
#include "client/cli/posix_backup_folder.h"

namespace dfs::client::cli {

// Not thread-safe. Blocks on the disk.
class SelectedBackup {
 public:
  // Goes through the manifest to see what the words mean. `bucket`: empty is all of them; kNotFound: the backup has none of this
  // name. Other errors as of BackupReader::Open and BackupSelection::Make.
  static absl::StatusOr<std::unique_ptr<SelectedBackup>> Open(const BackupFolder& folder, const BackupFlags& flags,
                                                              const std::string& bucket);

  [[nodiscard]] const BackupHeader& header() const { return reader_->header(); }
  [[nodiscard]] const BackupSelection& selection() const { return selection_; }
  // Of what is selected.
  [[nodiscard]] const BackupSum& sum() const { return sum_; }
  [[nodiscard]] const std::vector<std::string>& buckets() const { return buckets_; }
  // Whether a name alone does not say which file it is.
  [[nodiscard]] bool shows_bucket() const { return header().has_all_buckets; }

  // The next ones, kBackupBatch at most, in the place of what is there; none at the end.
  absl::Status NextBatch(std::vector<v1::FileInfo>* batch);

 private:
  SelectedBackup(std::unique_ptr<BackupReader> reader, BackupSelection selection)
      : reader_(std::move(reader)), selection_(std::move(selection)) {}
  absl::Status LookThrough();

  const std::unique_ptr<BackupReader> reader_;
  BackupSelection selection_;
  BackupSum sum_;
  std::vector<std::string> buckets_;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_SELECTED_BACKUP_H_
