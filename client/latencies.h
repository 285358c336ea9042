// Times of many equal operations, and what is said of them. Pure.
#ifndef DFS_CLIENT_LATENCIES_H_
#define DFS_CLIENT_LATENCIES_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace dfs::client {

class Latencies {
 public:
  void Add(absl::Duration latency) { all_.push_back(latency); }
  void Add(const Latencies& other) {
    all_.insert(all_.end(), other.all_.begin(), other.all_.end());
  }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  // The smallest one that is not exceeded by this share of all (0 to 1). Zero if there is none.
  [[nodiscard]] absl::Duration Quantile(double share) const;
  [[nodiscard]] double QuantileMs(double share) const {
    return absl::ToDoubleMilliseconds(Quantile(share));
  }

 private:
  std::vector<absl::Duration> all_;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_LATENCIES_H_
