#include "client/latencies.h"

#include <algorithm>
#include <cmath>

namespace dfs::client {

absl::Duration Latencies::Quantile(double share) const {
  if (all_.empty()) return absl::ZeroDuration();
  std::vector<absl::Duration> sorted = all_;
  const auto rank =
      static_cast<std::ptrdiff_t>(std::clamp(std::ceil(share * static_cast<double>(sorted.size())),
                                             1.0, static_cast<double>(sorted.size())));
  const auto at = sorted.begin() + (rank - 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

}  // namespace dfs::client
