#include "server/chunk/quarantine.h"

#include <glog/logging.h>

#include <array>
#include <optional>

#include "common/status_macros.h"
#include "server/chunk/object_folder.h"

namespace dfs::chunk {

std::string Quarantine::PathOf(ObjectId id) const { return folder_ + "/" + ObjectName(id); }

absl::Status Quarantine::Prepare() {
  DFS_RETURN_IF_ERROR(disk_->MakeFolder(folder_));
  DFS_ASSIGN_OR_RETURN(const auto files, disk_->List(folder_));
  for (const auto& file : files) {
    if (const auto id = ParseObjectName(file.name); id && !file.is_folder) Count(*id);
  }
  return absl::OkStatus();
}

absl::Status Quarantine::TakeFile(ObjectId id, const std::string& path) {
  DFS_RETURN_IF_ERROR(disk_->Rename(path, PathOf(id)));
  Count(id);
  return absl::OkStatus();
}

absl::Status Quarantine::TakeBytes(ObjectId id, std::string_view bytes) {
  DFS_ASSIGN_OR_RETURN(const auto file, disk_->Create(PathOf(id)));
  DFS_RETURN_IF_ERROR(file->Write(0, std::array<std::string_view, 1>{bytes}));
  Count(id);
  return absl::OkStatus();
}

std::size_t Quarantine::count() {
  MutexLock lock(&mutex_);
  return objects_.size();
}

void Quarantine::Count(ObjectId id) {
  std::optional<ObjectId> oldest;
  {
    MutexLock lock(&mutex_);
    objects_.insert(id);
    if (objects_.size() > kObjectsMax) {
      oldest = *objects_.begin();
      objects_.erase(objects_.begin());
    }
  }
  if (!oldest) return;
  const absl::Status status = disk_->Unlink(PathOf(*oldest));
  LOG_IF(WARNING, !status.ok()) << "quarantine: " << status;
}

}  // namespace dfs::chunk
