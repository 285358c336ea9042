#include "client/cli/selected_backup.h"

#include <utility>

#include "common/status_macros.h"

namespace dfs::client::cli {

absl::StatusOr<std::unique_ptr<SelectedBackup>> SelectedBackup::Open(const BackupFolder& folder, const BackupFlags& flags,
                                                                     const std::string& bucket) {
  DFS_ASSIGN_OR_RETURN(BackupSelection selection, BackupSelection::Make(flags.words, flags.is_literal, bucket));
  DFS_ASSIGN_OR_RETURN(auto reader, BackupReader::Open(folder.ManifestPath()));
  if (!bucket.empty() && reader->header().Find(bucket) == nullptr) {
    return absl::NotFoundError("the backup in " + folder.path() + " has no bucket " + bucket);
  }
  auto out = std::unique_ptr<SelectedBackup>(new SelectedBackup(std::move(reader), std::move(selection)));
  DFS_RETURN_IF_ERROR(out->LookThrough());
  return out;
}

absl::Status SelectedBackup::LookThrough() {
  v1::FileInfo file;
  if (selection_.has_words()) {
    for (;;) {
      DFS_ASSIGN_OR_RETURN(const bool has_one, reader_->Next(&file));
      if (!has_one) break;
      selection_.See(file);
    }
    DFS_RETURN_IF_ERROR(reader_->Rewind());
  }
  for (;;) {
    DFS_ASSIGN_OR_RETURN(const bool has_one, reader_->Next(&file));
    if (!has_one) break;
    if (!selection_.Takes(file)) continue;
    ++sum_.files;
    sum_.bytes += file.size();
    if (buckets_.empty() || buckets_.back() != file.bucket()) buckets_.push_back(file.bucket());
  }
  return reader_->Rewind();
}

absl::Status SelectedBackup::NextBatch(std::vector<v1::FileInfo>* batch) {
  batch->clear();
  v1::FileInfo file;
  while (batch->size() < kBackupBatch) {
    DFS_ASSIGN_OR_RETURN(const bool has_one, reader_->Next(&file));
    if (!has_one) break;
    if (selection_.Takes(file)) batch->push_back(std::move(file));
    file.Clear();
  }
  return absl::OkStatus();
}

}  // namespace dfs::client::cli
