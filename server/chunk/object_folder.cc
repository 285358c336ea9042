#include "server/chunk/object_folder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <glog/logging.h>

#include "common/status_macros.h"

namespace dfs::chunk {
namespace {

std::string HexDigits(std::uint64_t value, int digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out(static_cast<std::size_t>(digits), '0');
  for (auto at = out.rbegin(); at != out.rend(); ++at, value >>= 4) *at = kDigits[value & 15];
  return out;
}

}  // namespace

std::string ObjectName(ObjectId id) { return HexDigits(id.value(), 16); }

std::optional<ObjectId> ParseObjectName(const std::string& name) {
  if (name.size() != 16) return std::nullopt;
  const auto bits = ParseHex128(std::string(16, '0') + name);
  if (!bits) return std::nullopt;
  return ObjectId(bits->second);
}

// 256 objects in a row share a folder, and so the sync of its names.
std::string ObjectFolder::OuterOf(ObjectId id) const {
  return root_ + "/" + HexDigits(id.value() >> 16, 2);
}
std::string ObjectFolder::FolderOf(ObjectId id) const {
  return OuterOf(id) + "/" + HexDigits(id.value() >> 8, 2);
}
std::string ObjectFolder::PathOf(ObjectId id) const {
  return FolderOf(id) + "/" + ObjectName(id);
}

absl::Status ObjectFolder::Prepare() {
  DFS_RETURN_IF_ERROR(disk_->MakeFolder(root_));
  // Folders that an earlier process made may be in the page cache only: the machine went on, the process
  // did not.
  DFS_ASSIGN_OR_RETURN(const auto outer, disk_->List(root_));
  for (const auto& entry : outer) {
    if (entry.is_folder) DFS_RETURN_IF_ERROR(disk_->SyncFolder(root_ + "/" + entry.name));
  }
  return disk_->SyncFolder(root_);
}

absl::StatusOr<std::vector<ObjectId>> ObjectFolder::List() {
  std::vector<ObjectId> out;
  DFS_ASSIGN_OR_RETURN(const auto outer, disk_->List(root_));
  for (const auto& first : outer) {
    if (!first.is_folder) continue;
    DFS_ASSIGN_OR_RETURN(const auto inner, disk_->List(root_ + "/" + first.name));
    for (const auto& second : inner) {
      if (!second.is_folder) continue;
      const std::string folder = root_ + "/" + first.name + "/" + second.name;
      DFS_ASSIGN_OR_RETURN(const auto files, disk_->List(folder));
      for (const auto& file : files) {
        const auto id = ParseObjectName(file.name);
        if (!id || file.is_folder || PathOf(*id) != folder + "/" + file.name) {
          LOG(WARNING) << "not an object of the chunk store, left alone: " << folder << "/"
                       << file.name;
          continue;
        }
        out.push_back(*id);
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

absl::Status ObjectFolder::MakeFolderOf(ObjectId id) {
  const std::string outer = OuterOf(id);
  const std::string folder = FolderOf(id);
  {
    MutexLock lock(&mutex_);
    if (durable_folders_.contains(folder)) return absl::OkStatus();
  }
  // Several callers may do this at once; each syncs before it goes on, so none relies on another.
  DFS_RETURN_IF_ERROR(disk_->MakeFolder(outer));
  DFS_RETURN_IF_ERROR(disk_->SyncFolder(root_));
  DFS_RETURN_IF_ERROR(disk_->MakeFolder(folder));
  DFS_RETURN_IF_ERROR(disk_->SyncFolder(outer));
  MutexLock lock(&mutex_);
  durable_folders_.insert(folder);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DiskFile>> ObjectFolder::Create(ObjectId id) {
  DFS_RETURN_IF_ERROR(MakeFolderOf(id));
  return disk_->Create(PathOf(id));
}

absl::StatusOr<std::unique_ptr<DiskFile>> ObjectFolder::Open(ObjectId id) {
  return disk_->Open(PathOf(id));
}

absl::Status ObjectFolder::Unlink(ObjectId id) { return disk_->Unlink(PathOf(id)); }

absl::Status ObjectFolder::SyncNameOf(ObjectId id) {
  const std::string folder = FolderOf(id);
  mutex_.Lock();
  SyncState& state = syncs_[folder];
  ++state.users;
  // A sync that runs already may have begun before the name was there: wait for one after it.
  const std::uint64_t wanted = state.begun + 1;
  while (state.ended < wanted && failed_.ok()) {
    if (state.is_running) {
      sync_ended_.Wait(&mutex_);
      continue;
    }
    state.is_running = true;
    const std::uint64_t number = ++state.begun;
    mutex_.Unlock();
    absl::Status status = disk_->SyncFolder(folder);
    mutex_.Lock();
    state.is_running = false;
    state.ended = number;
    if (failed_.ok()) failed_ = std::move(status);
    sync_ended_.SignalAll();
  }
  if (--state.users == 0) syncs_.erase(folder);
  absl::Status result = failed_;
  mutex_.Unlock();
  return result;
}

}  // namespace dfs::chunk
