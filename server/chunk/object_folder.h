// The files of large objects: <root>/ab/cd/<object id>, named by nothing but the object's number.
#ifndef DFS_SERVER_CHUNK_OBJECT_FOLDER_H_
#define DFS_SERVER_CHUNK_OBJECT_FOLDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/disk.h"
#include "common/ids.h"
#include "common/sync.h"

namespace dfs::chunk {

// An object's file name: 16 hexadecimal digits. nullopt for any other.
[[nodiscard]] std::string ObjectName(ObjectId id);
[[nodiscard]] std::optional<ObjectId> ParseObjectName(const std::string& name);

// Thread-safe. All calls block on the disk. Errors are those of Disk.
class ObjectFolder {
 public:
  ObjectFolder(Disk* disk, std::string root) : disk_(disk), root_(std::move(root)) {}

  // Makes the root, whose parent must be durable. Call first. What an earlier process made without syncing is
  // durable afterwards, as far as folders go.
  [[nodiscard]] absl::Status Prepare();
  // The objects that have a file, in order. Names that this class would not give are left alone and logged.
  [[nodiscard]] absl::StatusOr<std::vector<ObjectId>> List();

  // Its folders are durable when this returns, its name is not: SyncNameOf.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<DiskFile>> Create(ObjectId id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<DiskFile>> Open(ObjectId id);
  [[nodiscard]] absl::Status Unlink(ObjectId id);
  [[nodiscard]] std::string PathOf(ObjectId id) const;
  // Makes the file's name durable. Callers that wait for the same folder share one sync. After an
  // error every later call for any folder fails too.
  [[nodiscard]] absl::Status SyncNameOf(ObjectId id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Syncs of one folder are numbered; one runs at a time.
  struct SyncState {
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
    bool is_running = false;
    int users = 0;
  };
  [[nodiscard]] std::string OuterOf(ObjectId id) const;   // <root>/ab
  [[nodiscard]] std::string FolderOf(ObjectId id) const;  // <root>/ab/cd
  absl::Status MakeFolderOf(ObjectId id) ABSL_LOCKS_EXCLUDED(mutex_);

  Disk* const disk_;
  const std::string root_;

  Mutex mutex_;
  CondVar sync_ended_;
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> durable_folders_ ABSL_GUARDED_BY(mutex_);  // at most 65,536
  std::map<std::string, SyncState> syncs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_OBJECT_FOLDER_H_
