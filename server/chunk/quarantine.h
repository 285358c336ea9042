// Damaged objects that a good copy has taken the place of: set aside for inspection, never read by the store.
#ifndef DFS_SERVER_CHUNK_QUARANTINE_H_
#define DFS_SERVER_CHUNK_QUARANTINE_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/disk.h"
#include "common/ids.h"
#include "common/sync.h"

namespace dfs::chunk {

// <folder>/<16 digits>: the file as it was, or the bytes of a small object. The greatest numbers are kept, at most
// kObjectsMax, so at most 1 GiB. Thread-safe; blocks on disk. A power cut may lose what was set aside.
class Quarantine {
 public:
  static constexpr std::size_t kObjectsMax = 16;

  Quarantine(Disk* disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  // Makes the folder, whose parent must exist. Call first.
  [[nodiscard]] absl::Status Prepare() ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves the file here. kNotFound: there is none.
  [[nodiscard]] absl::Status TakeFile(ObjectId id, const std::string& path)
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] absl::Status TakeBytes(ObjectId id, std::string_view bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::size_t count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  [[nodiscard]] std::string PathOf(ObjectId id) const;
  void Count(ObjectId id) ABSL_LOCKS_EXCLUDED(mutex_);

  Disk* const disk_;
  const std::string folder_;
  Mutex mutex_;
  std::set<ObjectId> objects_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_QUARANTINE_H_
