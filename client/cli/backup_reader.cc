#include "client/cli/backup_reader.h"

#include <utility>

#include "client/posix_byte_stream.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"

namespace dfs::client::cli {

absl::StatusOr<std::unique_ptr<BackupReader>> BackupReader::Open(const std::string& path) {
  DFS_ASSIGN_OR_RETURN(auto source, OpenFileSource(path));
  auto reader = std::unique_ptr<BackupReader>(new BackupReader(path, std::move(source)));
  if (const absl::Status status = reader->Check(); !status.ok()) {
    return absl::IsDataLoss(status) ? reader->Damaged(status) : status;
  }
  DFS_RETURN_IF_ERROR(reader->Rewind());
  return reader;
}

absl::Status BackupReader::Damaged(const absl::Status& why) const {
  return ErrorWithReason(absl::StatusCode::kDataLoss,
                         path_ + " is damaged or cut off (" + std::string(why.message()) +
                             "): take it from a copy of the folder; or, while the cluster has the files, remove it, and "
                             "`dfs-cli backup create --check` with this folder makes it anew without reading again what is whole",
                         v1::ErrorDetail::BAD_CHECKSUM);
}

absl::StatusOr<bool> BackupReader::NextLine(std::string* line) {
  for (;;) {
    const auto end = buffer_.find('\n', at_);
    if (end != std::string::npos) {
      line->assign(buffer_, at_, end - at_);
      at_ = end + 1;
      return true;
    }
    if (buffer_.size() - at_ > kManifestLineBytesMax) return absl::DataLossError("a line of it is too long");
    DFS_ASSIGN_OR_RETURN(const Slices bytes, source_->Read(kLocalReadBytes));
    if (bytes.empty()) return at_ == buffer_.size() ? absl::StatusOr<bool>(false) : absl::DataLossError("its last line has no end");
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_ += bytes.ToString();
  }
}

// Nothing is believed of what stands before the last line until that has said so.
absl::Status BackupReader::Check() {
  Xxh3Stream hash;
  std::string before;
  std::string line;
  std::uint64_t lines = 0;
  for (;; ++lines) {
    DFS_ASSIGN_OR_RETURN(const bool has_line, NextLine(&line));
    if (!has_line) break;
    if (lines > 0) {
      before += '\n';
      hash.Update(before.data(), before.size());
    }
    // A later format may have another end.
    if (lines == 0) {
      DFS_ASSIGN_OR_RETURN(header_, ParseBackupHeader(line));
    }
    before.swap(line);
  }
  if (lines < 2) return absl::DataLossError("it has no end");
  sum_.files = lines - 2;
  DFS_RETURN_IF_ERROR(Rewind());
  v1::FileInfo file;
  v1::FileInfo last;
  const Hash128 digest = hash.Digest();
  while (files_left_ > 0) {
    DFS_RETURN_IF_ERROR(Next(&file).status());
    const bool is_first = files_left_ + 1 == sum_.files;
    if (!is_first && !IsBefore(last, file)) return absl::DataLossError("its lines are not in their order");
    if (header_.Find(file.bucket()) == nullptr) return absl::DataLossError("it has a file of a bucket that it does not name");
    sum_.bytes += file.size();
    last = file;
  }
  return before == EndLineOf(sum_, digest) ? absl::OkStatus() : absl::DataLossError("its checksum is another");
}

absl::Status BackupReader::Rewind() {
  if (!source_->Rewind()) return absl::DataLossError("it is no regular file");
  buffer_.clear();
  at_ = 0;
  is_held_ = false;
  files_left_ = sum_.files;
  std::string line;
  return NextLine(&line).status();  // the header
}

absl::StatusOr<bool> BackupReader::Next(v1::FileInfo* file) {
  if (files_left_ == 0) return false;
  std::string line;
  DFS_ASSIGN_OR_RETURN(const bool has_line, NextLine(&line));
  if (!has_line) return absl::DataLossError("it became shorter");
  DFS_ASSIGN_OR_RETURN(*file, ParseBackupFile(line));
  --files_left_;
  return true;
}

absl::StatusOr<bool> BackupReader::Find(const v1::FileInfo& wanted, v1::FileInfo* file) {
  while (!is_held_ || IsBefore(held_, wanted)) {
    DFS_ASSIGN_OR_RETURN(is_held_, Next(&held_));
    if (!is_held_) return false;
  }
  if (IsBefore(wanted, held_)) return false;
  *file = held_;
  return true;
}

}  // namespace dfs::client::cli
