// Hybrid logical clocks (Kulkarni et al. 2014): times of nodes that order what depends on each other, and stay near the
// clock on the wall. Pure.
#ifndef DFS_SERVER_GOSSIP_STORE_HYBRID_CLOCK_H_
#define DFS_SERVER_GOSSIP_STORE_HYBRID_CLOCK_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "common/ids.h"

namespace dfs::gossip_store {

// Milliseconds since the Unix epoch in the upper 48 bits, a counter in the lower 16.
using HybridTime = StrongId<struct HybridTimeTag, std::uint64_t>;

inline constexpr int kCounterBits = 16;

// The first of that millisecond; before 1970 as 1970.
inline HybridTime HybridTimeAt(absl::Time wall) {
  return HybridTime(static_cast<std::uint64_t>(std::max<std::int64_t>(0, absl::ToUnixMillis(wall)))
                    << kCounterBits);
}
inline absl::Time WallOf(HybridTime time) {
  return absl::FromUnixMillis(static_cast<std::int64_t>(time.value() >> kCounterBits));
}

// Not thread-safe.
class HybridClock {
 public:
  // All that it gives is greater than `floor`.
  explicit HybridClock(HybridTime floor) : last_(floor) {}

  // Greater than all that it gave and saw.
  HybridTime Next(absl::Time wall) { return last_ = std::max(last_.Next(), HybridTimeAt(wall)); }
  // A time of another node.
  void Record(HybridTime seen) { last_ = std::max(last_, seen); }
  [[nodiscard]] HybridTime last() const { return last_; }

 private:
  HybridTime last_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_HYBRID_CLOCK_H_
