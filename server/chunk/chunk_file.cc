#include "server/chunk/chunk_file.h"

#include <array>
#include <string>

#include <glog/logging.h>

#include "common/mutant.h"
#include "common/status_macros.h"
#include "server/chunk/index_format.h"

namespace dfs::chunk {

absl::StatusOr<std::unique_ptr<ChunkFile>> ChunkFile::Create(ObjectFolder* folder, ObjectId object,
                                                             const ChunkId& birth) {
  DFS_ASSIGN_OR_RETURN(auto disk_file, folder->Create(object));
  std::unique_ptr<ChunkFile> file(new ChunkFile(folder, object, std::move(disk_file)));
  const std::string header = Encode(FileHeader{object, birth});
  DFS_RETURN_IF_ERROR(file->Append(std::array<std::string_view, 1>{header}));
  return file;
}

ChunkFile::~ChunkFile() {
  if (is_kept_) return;
  // Should this fail, the sweep at the next start takes it.
  const absl::Status status = folder_->Unlink(object_);
  LOG_IF(WARNING, !status.ok()) << status;
}

absl::Status ChunkFile::Append(std::span<const std::string_view> pieces) {
  DFS_RETURN_IF_ERROR(file_->Write(end_, pieces));
  for (const auto piece : pieces) end_ += piece.size();
  if (end_ - writeback_from_ >= kWritebackBytes) {
    file_->StartWriteback(writeback_from_, end_ - writeback_from_);
    writeback_from_ = end_;
  }
  return absl::OkStatus();
}

absl::Status ChunkFile::Sync() {
  DFS_RETURN_IF_ERROR(file_->SetMode(0400));
  absl::Status status = file_->SyncData();
  if (DFS_MUTANT(881, "a failed sync of a chunk's file is tried again") && !status.ok()) {
    status = file_->SyncData();
  }
  DFS_RETURN_IF_ERROR(status);
  if (DFS_MUTANT(883, "a chunk's file is acknowledged before its name is durable")) return status;
  return folder_->SyncNameOf(object_);
}

}  // namespace dfs::chunk
