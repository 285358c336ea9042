// Spreads bytes over time. Pure.
#ifndef DFS_SERVER_CHUNK_BYTE_PACE_H_
#define DFS_SERVER_CHUNK_BYTE_PACE_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::chunk {

// Not thread-safe.
class BytePace {
 public:
  // 0: as fast as it goes.
  explicit BytePace(std::uint64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}

  [[nodiscard]] bool is_limited() const { return bytes_per_s_ > 0; }
  // So many bytes went at that time: how long the next must wait. Time in which nothing went is not made up for.
  [[nodiscard]] absl::Duration Spend(std::uint64_t bytes, MonotonicTime now) {
    if (!is_limited()) return absl::ZeroDuration();
    next_ = std::max(next_, now) + absl::Seconds(static_cast<double>(bytes) / static_cast<double>(bytes_per_s_));
    return next_ - now;
  }

 private:
  const std::uint64_t bytes_per_s_;
  MonotonicTime next_ = absl::InfinitePast();
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_BYTE_PACE_H_
