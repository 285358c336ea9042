#include "tests/support/fault_disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/status_macros.h"

namespace dfs::testing {
namespace {

const rocksdb::IOOptions kOptions;

absl::Status FromRocks(const rocksdb::IOStatus& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound() || status.IsPathNotFound()) return absl::NotFoundError(status.ToString());
  return absl::DataLossError(status.ToString());
}

}  // namespace

class FaultDisk::File final : public DiskFile {
 public:
  File(FaultDisk* disk, std::unique_ptr<rocksdb::FSRandomRWFile> file, std::string path)
      : disk_(disk), file_(std::move(file)), path_(std::move(path)) {}

  absl::Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    // One operation, as one system call is.
    std::string all;
    for (const auto piece : pieces) all.append(piece);
    const std::uint64_t room = disk_->TakeRoom(all.size());
    const bool is_full = room < all.size();
    DFS_RETURN_IF_ERROR(
        FromRocks(file_->Write(offset, {all.data(), static_cast<std::size_t>(room)}, kOptions, nullptr)));
    if (is_full) return absl::ResourceExhaustedError("no space left: " + path_);
    return absl::OkStatus();
  }
  absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
    rocksdb::Slice result;
    DFS_RETURN_IF_ERROR(
        FromRocks(file_->Read(offset, out.size(), kOptions, &result, out.data(), nullptr)));
    if (result.size() < out.size()) return absl::OutOfRangeError(path_ + " is too short");
    if (result.data() != out.data()) std::memmove(out.data(), result.data(), result.size());
    return absl::OkStatus();
  }
  void StartWriteback(std::uint64_t /*offset*/, std::uint64_t /*length*/) override {}
  absl::Status SyncData() override { return FromRocks(file_->Sync(kOptions, nullptr)); }
  absl::Status SetMode(std::uint32_t /*mode*/) override { return absl::OkStatus(); }

 private:
  FaultDisk* const disk_;
  const std::unique_ptr<rocksdb::FSRandomRWFile> file_;
  const std::string path_;
};

void FaultDisk::SetSpace(DiskSpace space) {
  MutexLock lock(&mutex_);
  space_ = space;
}

void FaultDisk::SetRoom(std::uint64_t bytes) {
  MutexLock lock(&mutex_);
  room_ = bytes;
}

std::uint64_t FaultDisk::TakeRoom(std::uint64_t bytes) {
  MutexLock lock(&mutex_);
  const std::uint64_t taken = std::min(bytes, room_);
  room_ -= taken;
  return taken;
}

absl::StatusOr<std::unique_ptr<DiskFile>> FaultDisk::Create(const std::string& path) {
  if (system_->FileExists(path, kOptions, nullptr).ok()) return absl::AlreadyExistsError(path);
  std::unique_ptr<rocksdb::FSWritableFile> created;
  DFS_RETURN_IF_ERROR(FromRocks(system_->NewWritableFile(path, {}, &created, nullptr)));
  return Open(path);
}

absl::StatusOr<std::unique_ptr<DiskFile>> FaultDisk::Open(const std::string& path) {
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  DFS_RETURN_IF_ERROR(FromRocks(system_->NewRandomRWFile(path, {}, &file, nullptr)));
  return std::make_unique<File>(this, std::move(file), path);
}

absl::Status FaultDisk::Unlink(const std::string& path) {
  return FromRocks(system_->DeleteFile(path, kOptions, nullptr));
}

absl::Status FaultDisk::Rename(const std::string& from, const std::string& to) {
  return FromRocks(system_->RenameFile(from, to, kOptions, nullptr));
}

absl::Status FaultDisk::MakeFolder(const std::string& path) {
  return FromRocks(system_->CreateDirIfMissing(path, kOptions, nullptr));
}

absl::Status FaultDisk::SyncFolder(const std::string& path) {
  std::unique_ptr<rocksdb::FSDirectory> folder;
  DFS_RETURN_IF_ERROR(FromRocks(system_->NewDirectory(path, kOptions, &folder, nullptr)));
  return FromRocks(folder->Fsync(kOptions, nullptr));
}

absl::StatusOr<std::vector<DiskEntry>> FaultDisk::List(const std::string& path) {
  std::vector<std::string> names;
  DFS_RETURN_IF_ERROR(FromRocks(system_->GetChildren(path, kOptions, &names, nullptr)));
  std::vector<DiskEntry> out;
  for (const auto& name : names) {
    bool is_folder = false;
    DFS_RETURN_IF_ERROR(
        FromRocks(system_->IsDirectory(path + "/" + name, kOptions, &is_folder, nullptr)));
    out.push_back({name, is_folder});
  }
  return out;
}

absl::StatusOr<DiskSpace> FaultDisk::GetSpace(const std::string& /*path*/) {
  MutexLock lock(&mutex_);
  return space_;
}

}  // namespace dfs::testing
