#include "membership/suspicion.h"

#include <algorithm>
#include <cmath>

#include "common/mutant.h"

namespace dfs::membership {

Suspicion::Suspicion(MonotonicTime started, absl::Duration min, absl::Duration max,
                     std::size_t expected_confirmations)
    : started_(started), min_(min), max_(max), expected_(expected_confirmations) {}

MonotonicTime Suspicion::Deadline(std::size_t confirmations) const {
  if (expected_ == 0) return started_ + min_;
  if (DFS_MUTANT(710, "confirmations do not shorten the window")) return started_ + max_;
  const double share = std::log(static_cast<double>(confirmations) + 1) /
                       std::log(static_cast<double>(expected_) + 1);
  return started_ + std::max(min_, max_ - (max_ - min_) * share);
}

}  // namespace dfs::membership
