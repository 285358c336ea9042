// How long a neighbour's silence is still normal.
#ifndef DFS_MEMBERSHIP_ARRIVAL_ESTIMATOR_H_
#define DFS_MEMBERSHIP_ARRIVAL_ESTIMATOR_H_

#include <cstddef>
#include <deque>

#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::membership {

// Phi-accrual (Hayashibara et al. 2004) over the last kSamplesMax intervals between heartbeats, taken as
// normally distributed: phi = -log10(probability that a heartbeat still comes). Deterministic; pure.
class ArrivalEstimator {
 public:
  static constexpr std::size_t kSamplesMax = 200;
  static constexpr std::size_t kSamplesMin = 5;  // fewer say nothing
  static constexpr absl::Duration kSigmaFloor = absl::Milliseconds(20);
  // Longer gaps are outages, not the rhythm of a live member, and are not learnt.
  static constexpr absl::Duration kIntervalMax = absl::Seconds(1);

  explicit ArrivalEstimator(double phi);

  void Record(MonotonicTime now);
  // The next arrival closes no interval (after a pause of our own, or a restart of the other).
  void Interrupt() { last_ = absl::InfinitePast(); }

  [[nodiscard]] bool HasEnough() const { return samples_.size() >= kSamplesMin; }
  // Silence at which phi is reached; zero unless HasEnough().
  [[nodiscard]] absl::Duration Threshold() const;

 private:
  double deviations_;  // standard deviations above the mean at which phi is reached
  MonotonicTime last_ = absl::InfinitePast();
  std::deque<double> samples_;  // milliseconds
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_ARRIVAL_ESTIMATOR_H_
