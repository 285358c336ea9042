// Files and folders, behind an interface so that crash tests can stop at every operation and lose
// what was not synced.
#ifndef DFS_COMMON_DISK_H_
#define DFS_COMMON_DISK_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dfs {

// An open file. Closed when destroyed. Reads may run at once from several threads; one writer.
//
// Errors of all calls: kResourceExhausted (disk or quota full), kDataLoss (the device failed).
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Writes all pieces one after another from `offset`. Not durable until SyncData. After an error
  // part of it may be written.
  [[nodiscard]] virtual absl::Status Write(std::uint64_t offset,
                                           std::span<const std::string_view> pieces) = 0;
  // Fills `out` from `offset`. kOutOfRange: the file ends before.
  [[nodiscard]] virtual absl::Status Read(std::uint64_t offset, std::span<char> out) const = 0;
  // Asks the system to begin writing this range to the device. Promises nothing; does not wait for the device.
  virtual void StartWriteback(std::uint64_t offset, std::uint64_t length) = 0;
  // Makes the bytes and the length durable (not the name: SyncFolder). After an error their fate is
  // unknown and a later success means nothing: never retry.
  [[nodiscard]] virtual absl::Status SyncData() = 0;
  // Permission bits, as of chmod.
  [[nodiscard]] virtual absl::Status SetMode(std::uint32_t mode) = 0;
};

struct DiskEntry {
  std::string name;
  bool is_folder = false;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // for this process
};

// Thread-safe. All calls block on the disk.
//
// Errors besides those of DiskFile: kNotFound, kAlreadyExists, kPermissionDenied, kUnavailable (out of
// file descriptors or memory; nothing happened).
class Disk {
 public:
  virtual ~Disk() = default;
  // A new file for writing and reading, mode 0600. kAlreadyExists: nothing changed. Durable only after SyncFolder of its folder.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<DiskFile>> Create(
      const std::string& path) = 0;
  // For reading.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string& path) = 0;
  // Readers that have the file open keep it.
  [[nodiscard]] virtual absl::Status Unlink(const std::string& path) = 0;
  [[nodiscard]] virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // OK if the folder is there already. Mode 0700.
  [[nodiscard]] virtual absl::Status MakeFolder(const std::string& path) = 0;
  // What was created, renamed and unlinked in the folder so far becomes durable. As SyncData after an error.
  [[nodiscard]] virtual absl::Status SyncFolder(const std::string& path) = 0;
  // In no order, without "." and "..".
  [[nodiscard]] virtual absl::StatusOr<std::vector<DiskEntry>> List(const std::string& path) = 0;
  [[nodiscard]] virtual absl::StatusOr<DiskSpace> GetSpace(const std::string& path) = 0;
};

}  // namespace dfs

#endif  // DFS_COMMON_DISK_H_
