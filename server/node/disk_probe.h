// Tries this node's disk again and again, so that others know when it hangs.
#ifndef DFS_SERVER_NODE_DISK_PROBE_H_
#define DFS_SERVER_NODE_DISK_PROBE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/disk.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs::node {

// Writes and syncs a few bytes every kEvery on a thread of its own. A disk that fails is noticed by the stores; here it
// only looks as one that hangs. Thread-safe.
class DiskProbe {
 public:
  static constexpr absl::Duration kEvery = absl::Milliseconds(500);

  // `path` names a file of its own, which begins anew. The disk and the clock outlive the probe. Blocks on the disk.
  static absl::StatusOr<std::unique_ptr<DiskProbe>> Start(Disk* disk, const std::string& path,
                                                          const Clock* clock);
  ~DiskProbe();  // waits for the try under way

  // Since the last try that ended well began; at most kEvery and the time of a try while all is well. Never blocks.
  [[nodiscard]] absl::Duration Age() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  DiskProbe(std::unique_ptr<DiskFile> file, const Clock* clock);
  void Try() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<DiskFile> file_;
  const Clock* const clock_;
  mutable Mutex mutex_;
  MonotonicTime last_ ABSL_GUARDED_BY(mutex_);
  ThreadExecutor executor_;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_DISK_PROBE_H_
