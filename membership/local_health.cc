#include "membership/local_health.h"

#include <algorithm>

namespace dfs::membership {

void LocalHealth::Worsen(MonotonicTime now, std::uint32_t by) {
  score_ = std::min(kScoreMax, score_ + by);
  next_fall_ = now + kCalm;
}

void LocalHealth::Advance(MonotonicTime now) {
  while (score_ > 0 && now >= next_fall_) {
    --score_;
    next_fall_ += kCalm;
  }
}

}  // namespace dfs::membership
