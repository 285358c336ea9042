// Whether this node itself is the slow one.
#ifndef DFS_MEMBERSHIP_LOCAL_HEALTH_H_
#define DFS_MEMBERSHIP_LOCAL_HEALTH_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::membership {

// Lifeguard's local health multiplier (Dadgar et al. 2018): rises with each sign that this node runs late
// or accuses wrongly, falls by one for each calm second. A node in bad health accuses later. Pure.
class LocalHealth {
 public:
  static constexpr std::uint32_t kScoreMax = 8;
  static constexpr absl::Duration kCalm = absl::Seconds(1);

  void Worsen(MonotonicTime now, std::uint32_t by = 1);
  // Call now and then.
  void Advance(MonotonicTime now);
  [[nodiscard]] std::uint32_t score() const { return score_; }
  // `base` times 1 (well) to 2.
  [[nodiscard]] absl::Duration Stretch(absl::Duration base) const {
    return base + base * score_ / kScoreMax;
  }

 private:
  std::uint32_t score_ = 0;
  MonotonicTime next_fall_ = absl::InfiniteFuture();
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_LOCAL_HEALTH_H_
