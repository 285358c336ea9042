#include "membership/arrival_estimator.h"

#include <algorithm>
#include <cmath>

namespace dfs::membership {
namespace {

double PhiAt(double deviations) {
  return -std::log10(0.5 * std::erfc(deviations / std::sqrt(2.0)));
}

// Inverse of PhiAt by halving: it rises with its argument.
double DeviationsFor(double phi) {
  double low = 0;
  double high = 20;  // phi about 89
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (PhiAt(middle) < phi ? low : high) = middle;
  }
  return high;
}

}  // namespace

ArrivalEstimator::ArrivalEstimator(double phi) : deviations_(DeviationsFor(phi)) {}

void ArrivalEstimator::Record(MonotonicTime now) {
  const MonotonicTime last = last_;
  last_ = now;
  if (last == absl::InfinitePast() || now < last || now - last > kIntervalMax) return;
  const double sample = absl::ToDoubleMilliseconds(now - last);
  samples_.push_back(sample);
  sum_ += sample;
  sum_of_squares_ += sample * sample;
  if (samples_.size() > kSamplesMax) {
    const double oldest = samples_.front();
    samples_.pop_front();
    sum_ -= oldest;
    sum_of_squares_ -= oldest * oldest;
  }
}

absl::Duration ArrivalEstimator::Threshold() const {
  if (!HasEnough()) return absl::ZeroDuration();
  const auto count = static_cast<double>(samples_.size());
  const double mean = sum_ / count;
  const double variance = std::max(0.0, sum_of_squares_ / count - mean * mean);
  const double sigma = std::max(std::sqrt(variance), absl::ToDoubleMilliseconds(kSigmaFloor));
  return absl::Milliseconds(mean + deviations_ * sigma);
}

}  // namespace dfs::membership
