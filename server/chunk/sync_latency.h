// How long recent syncs took.
#ifndef DFS_SERVER_CHUNK_SYNC_LATENCY_H_
#define DFS_SERVER_CHUNK_SYNC_LATENCY_H_

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/time/time.h"
#include "common/sync.h"

namespace dfs::chunk {

// Thread-safe.
class SyncLatency {
 public:
  static constexpr std::size_t kRecent = 512;

  void Record(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    recent_[count_ % kRecent] = duration;
    ++count_;
  }
  // Of the last kRecent; zero if there were none.
  [[nodiscard]] absl::Duration P99() const ABSL_LOCKS_EXCLUDED(mutex_) {
    std::array<absl::Duration, kRecent> copy;
    std::size_t count = 0;
    {
      MutexLock lock(&mutex_);
      copy = recent_;
      count = std::min(count_, kRecent);
    }
    if (count == 0) return absl::ZeroDuration();
    const auto at = copy.begin() + static_cast<std::ptrdiff_t>((count - 1) * 99 / 100);
    std::nth_element(copy.begin(), at, copy.begin() + static_cast<std::ptrdiff_t>(count));
    return *at;
  }

 private:
  mutable Mutex mutex_;
  std::array<absl::Duration, kRecent> recent_ ABSL_GUARDED_BY(mutex_);
  std::size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_SYNC_LATENCY_H_
