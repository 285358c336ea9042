// The folder of a backup on the local disk: what lies where, and in which order it becomes durable.
#ifndef DFS_CLIENT_CLI_POSIX_BACKUP_FOLDER_H_
#define DFS_CLIENT_CLI_POSIX_BACKUP_FOLDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/backup_manifest.h"

namespace dfs::client::cli {

// Which objects are to stay: 8 bytes for each. Two names that hash to the same stay both.
class KeptObjects {
 public:
  void Add(const std::string& object_name);
  // Before the first Has.
  void Sort();
  [[nodiscard]] bool Has(std::string_view object_name) const;

 private:
  std::vector<std::uint64_t> hashes_;
};

// manifest.jsonl, dfs-backup.lock, and objects/00 to objects/ff.
//
// Objects are never written in place, and are there, under their names, before the manifest that names them; those that no
// manifest names are removed after it. So at every moment the manifest that is there is whole, and all that it names.
//
// Thread-safe but for Lock: the paths do not change.
class BackupFolder {
 public:
  explicit BackupFolder(std::string path);
  ~BackupFolder();  // gives the lock back
  BackupFolder(const BackupFolder&) = delete;
  BackupFolder& operator=(const BackupFolder&) = delete;

  // For the one that writes: makes what is missing, and removes what an earlier one left of a manifest. kFailedPrecondition: it has
  // something else in it, nothing changed. kResourceExhausted: another process uses it. Local errors.
  [[nodiscard]] absl::Status LockToWrite();
  // kNotFound: there is no backup in it. kResourceExhausted: one is being made there. Where locks cannot be had, on a disk that is
  // mounted to be read only, it does without.
  [[nodiscard]] absl::Status LockToRead();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string ManifestPath() const;
  [[nodiscard]] std::string PathOf(const v1::FileInfo& file) const { return path_ + "/" + ObjectPathOf(ObjectNameOf(file)); }
  // OK; kNotFound: there is none.
  [[nodiscard]] absl::Status CheckHasManifest() const;
  // Whether there is an object of this file with its length.
  [[nodiscard]] bool Has(const v1::FileInfo& file) const;

  // All names in it become durable. Blocks.
  [[nodiscard]] absl::Status Sync() const;
  // Removes objects, and what is left of interrupted ones, but those to keep; how many, and their bytes. Nothing else is touched.
  struct Removed {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] absl::StatusOr<Removed> RemoveObjectsBut(const KeptObjects& kept) const;

 private:
  [[nodiscard]] absl::Status CheckIsOurs() const;
  [[nodiscard]] absl::Status MakeFolders() const;
  void RemoveLeftManifests() const;

  const std::string path_;
  int lock_ = -1;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_POSIX_BACKUP_FOLDER_H_
