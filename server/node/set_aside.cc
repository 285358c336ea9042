#include "server/node/set_aside.h"

#include <glog/logging.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs::node {
namespace {

constexpr std::string_view kOrder = "set-aside-order-";
constexpr std::string_view kFolder = "set-aside-";
constexpr char kIdentity[] = "meta";  // holds who this node was: it goes first
constexpr char kWhy[] = "why";

absl::Status Move(Disk& disk, const std::string& data_dir, const std::string& name,
                  const std::string& folder) {
  return disk.Rename(absl::StrCat(data_dir, "/", name), absl::StrCat(folder, "/", name));
}

absl::Status CarryOut(Disk& disk, const std::string& data_dir, const std::string& order) {
  const std::string folder =
      absl::StrCat(data_dir, "/", std::string(kFolder), order.substr(kOrder.size()));
  DFS_RETURN_IF_ERROR(disk.MakeFolder(folder));
  DFS_RETURN_IF_ERROR(disk.SyncFolder(data_dir));
  DFS_ASSIGN_OR_RETURN(const auto entries, disk.List(data_dir));
  const bool has_identity = std::any_of(entries.begin(), entries.end(), [](const DiskEntry& entry) {
    return entry.name == kIdentity;
  });
  if (has_identity) {
    // Never without its chunks under its old identity: that is gone for certain before anything
    // else moves.
    DFS_RETURN_IF_ERROR(Move(disk, data_dir, kIdentity, folder));
    DFS_RETURN_IF_ERROR(disk.SyncFolder(folder));
    DFS_RETURN_IF_ERROR(disk.SyncFolder(data_dir));
  }
  for (const auto& entry : entries) {
    if (entry.name == kIdentity || entry.name.starts_with(kFolder)) continue;
    DFS_RETURN_IF_ERROR(Move(disk, data_dir, entry.name, folder));
  }
  DFS_RETURN_IF_ERROR(disk.SyncFolder(folder));
  DFS_RETURN_IF_ERROR(disk.SyncFolder(data_dir));
  DFS_RETURN_IF_ERROR(
      disk.Rename(absl::StrCat(data_dir, "/", order), absl::StrCat(folder, "/", kWhy)));
  DFS_RETURN_IF_ERROR(disk.SyncFolder(data_dir));
  LOG(WARNING) << "the old data is kept in " << folder
               << "; remove it when nothing is missing from the cluster";
  return absl::OkStatus();
}

}  // namespace

absl::Status OrderSetAside(Disk& disk, const std::string& data_dir, const std::string& name,
                           const std::string& why) {
  DFS_ASSIGN_OR_RETURN(const auto file,
                       disk.Create(absl::StrCat(data_dir, "/", std::string(kOrder), name)));
  const std::string_view text = why;
  DFS_RETURN_IF_ERROR(file->Write(0, std::span(&text, 1)));
  DFS_RETURN_IF_ERROR(file->SyncData());
  return disk.SyncFolder(data_dir);
}

absl::Status CarryOutSetAside(Disk& disk, const std::string& data_dir) {
  const auto entries = disk.List(data_dir);
  if (!entries.ok()) {
    return entries.status().code() == absl::StatusCode::kNotFound ? absl::OkStatus()
                                                                  : entries.status();
  }
  for (const auto& entry : *entries) {
    if (!entry.is_folder && entry.name.starts_with(kOrder)) {
      DFS_RETURN_IF_ERROR(CarryOut(disk, data_dir, entry.name));
    }
  }
  return absl::OkStatus();
}

bool HasSetAside(Disk& disk, const std::string& data_dir) {
  const auto entries = disk.List(data_dir);
  return entries.ok() && std::any_of(entries->begin(), entries->end(), [](const DiskEntry& entry) {
           return entry.is_folder && entry.name.starts_with(kFolder);
         });
}

std::vector<std::string> SetAsideFolders(Disk& disk, const std::string& data_dir) {
  std::vector<std::string> folders;
  const auto entries = disk.List(data_dir);
  if (!entries.ok()) return folders;
  for (const auto& entry : *entries) {
    if (entry.is_folder && entry.name.starts_with(kFolder)) {
      folders.push_back(absl::StrCat(data_dir, "/", entry.name));
    }
  }
  // Their names end in the time.
  std::sort(folders.rbegin(), folders.rend());
  return folders;
}

}  // namespace dfs::node
