#include "client/cli/posix_backup_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "client/posix_byte_stream.h"
#include "client/posix_partial_file.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"

namespace dfs::client::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kManifest[] = "manifest.jsonl";
constexpr char kLock[] = "dfs-backup.lock";
constexpr char kObjects[] = "objects";
constexpr int kFolders = 256;

std::uint64_t HashOf(std::string_view object_name) { return Xxh3(object_name.data(), object_name.size()).low; }

std::string NameOfFolder(int number) {
  constexpr char kDigits[] = "0123456789abcdef";
  return {kDigits[number >> 4], kDigits[number & 15]};
}

absl::Status SyncFolder(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return LocalError("open", path, errno);
  const bool is_synced = ::fsync(descriptor) == 0;
  const int error_number = errno;
  ::close(descriptor);
  return is_synced ? absl::OkStatus() : LocalError("sync", path, error_number);
}

bool IsThere(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// Of ".NAME.<tag>.partial" NAME, else all of it.
std::string_view WithoutPartialEnds(std::string_view name) {
  if (!IsPartialName(name)) return name;
  name.remove_prefix(1);
  name = name.substr(0, name.rfind('.'));
  return name.substr(0, name.rfind('.'));
}

// Calls `take` with each name in the folder.
template <class Take>
absl::Status ForEachName(const std::string& path, Take take) {
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    DFS_RETURN_IF_ERROR(take(it->path().filename().string()));
  }
  return error ? LocalError("read", path, error.value()) : absl::OkStatus();
}

}  // namespace

void KeptObjects::Add(const std::string& object_name) { hashes_.push_back(HashOf(object_name)); }

void KeptObjects::Sort() { std::sort(hashes_.begin(), hashes_.end()); }

bool KeptObjects::Has(std::string_view object_name) const {
  return std::binary_search(hashes_.begin(), hashes_.end(), HashOf(object_name));
}

BackupFolder::BackupFolder(std::string path) : path_([&path] {
        while (path.size() > 1 && path.ends_with('/')) path.pop_back();
        return std::move(path);
      }()) {}

BackupFolder::~BackupFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::string BackupFolder::ManifestPath() const { return path_ + "/" + kManifest; }

absl::Status BackupFolder::CheckIsOurs() const {
  if (IsThere(ManifestPath()) || IsThere(path_ + "/" + kLock)) return absl::OkStatus();
  return ForEachName(path_, [this](const std::string& name) {
    if (name == "lost+found") return absl::OkStatus();
    return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                           path_ + " is no backup and not empty: name an empty folder, or one that is not there yet",
                           v1::ErrorDetail::PRECONDITION);
  });
}

absl::Status BackupFolder::MakeFolders() const {
  const std::string objects = path_ + "/" + kObjects;
  if (::mkdir(objects.c_str(), 0777) != 0 && errno != EEXIST) return LocalError("create", objects, errno);
  for (int i = 0; i < kFolders; ++i) {
    const std::string folder = objects + "/" + NameOfFolder(i);
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return LocalError("create", folder, errno);
  }
  return absl::OkStatus();
}

void BackupFolder::RemoveLeftManifests() const {
  // Of what cannot be removed nothing depends.
  ForEachName(path_, [this](const std::string& name) {
    if (IsPartialName(name) && WithoutPartialEnds(name) == kManifest) ::unlink((path_ + "/" + name).c_str());
    return absl::OkStatus();
  }).IgnoreError();
}

absl::Status BackupFolder::LockToWrite() {
  std::error_code error;
  if (fs::create_directories(path_, error)) {
    // An empty folder more or less does no harm: whoever cannot sync the one above has said so nowhere else either.
    SyncFolder(fs::absolute(path_, error).parent_path().string()).IgnoreError();
  }
  if (error) return LocalError("create", path_, error.value());
  DFS_RETURN_IF_ERROR(CheckIsOurs());
  const std::string path = path_ + "/" + kLock;
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (lock_ < 0) return LocalError("open", path, errno);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return LocalError("lock", path, errno);
    return absl::ResourceExhaustedError(path_ + " is in use by another `dfs-cli backup`: try again when that has ended");
  }
  RemoveLeftManifests();
  return MakeFolders();
}

absl::Status BackupFolder::LockToRead() {
  DFS_RETURN_IF_ERROR(CheckHasManifest());
  const std::string path = path_ + "/" + kLock;
  lock_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (lock_ < 0 || ::flock(lock_, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return absl::OkStatus();
  return absl::ResourceExhaustedError("a backup is being made in " + path_ + ": try again when it has ended");
}

absl::Status BackupFolder::CheckHasManifest() const {
  const std::string path = ManifestPath();
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return absl::OkStatus();
  if (errno != ENOENT && errno != ENOTDIR) return LocalError("read", path, errno);
  return absl::NotFoundError(IsThere(path_ + "/" + kLock)
                                 ? "the backup in " + path_ + " was never finished: dfs-cli backup create goes on with it"
                                 : "there is no backup in " + path_);
}

bool BackupFolder::Has(const v1::FileInfo& file) const {
  struct stat status {};
  return ::lstat(PathOf(file).c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == file.size();
}

absl::Status BackupFolder::Sync() const {
  const std::string objects = path_ + "/" + kObjects;
  for (int i = 0; i < kFolders; ++i) DFS_RETURN_IF_ERROR(SyncFolder(objects + "/" + NameOfFolder(i)));
  DFS_RETURN_IF_ERROR(SyncFolder(objects));
  return SyncFolder(path_);
}

absl::StatusOr<BackupFolder::Removed> BackupFolder::RemoveObjectsBut(const KeptObjects& kept) const {
  Removed out;
  for (int i = 0; i < kFolders; ++i) {
    const std::string folder = path_ + "/" + kObjects + "/" + NameOfFolder(i);
    std::vector<std::string> gone;  // names
    DFS_RETURN_IF_ERROR(ForEachName(folder, [&](const std::string& name) {
      const std::string_view object = WithoutPartialEnds(name);
      if (IsObjectName(object) && !kept.Has(object)) gone.push_back(name);
      return absl::OkStatus();
    }));
    for (const std::string& name : gone) {
      const std::string path = std::string(folder).append("/").append(name);
      struct stat status {};
      const bool is_file = ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
      if (!is_file) continue;
      if (::unlink(path.c_str()) != 0) return LocalError("remove", path, errno);
      ++out.objects;
      out.bytes += static_cast<std::uint64_t>(status.st_size);
    }
  }
  return out;
}

}  // namespace dfs::client::cli
