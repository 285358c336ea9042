// dfs::Disk over a FaultFileSystem: files of ours and those of a RocksDB lose power together.
#ifndef DFS_TESTS_SUPPORT_FAULT_DISK_H_
#define DFS_TESTS_SUPPORT_FAULT_DISK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/disk.h"
#include "common/sync.h"
#include "tests/support/fault_file_system.h"

namespace dfs::testing {

// Thread-safe.
class FaultDisk final : public Disk {
 public:
  explicit FaultDisk(FaultFileSystem* system) : system_(system) {}

  // What GetSpace says; writes do not change it. At first 1 TiB, all free.
  void SetSpace(DiskSpace space) ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on files of this disk (not the RocksDB's) take this many bytes; then kResourceExhausted, after part of
  // a Write.
  void SetRoom(std::uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::unique_ptr<DiskFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string& path) override;
  absl::Status Unlink(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status MakeFolder(const std::string& path) override;
  absl::Status SyncFolder(const std::string& path) override;
  absl::StatusOr<std::vector<DiskEntry>> List(const std::string& path) override;
  absl::StatusOr<DiskSpace> GetSpace(const std::string& path) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class File;
  // How many of `bytes` still fit.
  std::uint64_t TakeRoom(std::uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  FaultFileSystem* const system_;
  Mutex mutex_;
  DiskSpace space_ ABSL_GUARDED_BY(mutex_) = {std::uint64_t{1} << 40, std::uint64_t{1} << 40};
  std::uint64_t room_ ABSL_GUARDED_BY(mutex_) = std::uint64_t{1} << 40;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_FAULT_DISK_H_
