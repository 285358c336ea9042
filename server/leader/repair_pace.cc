#include "server/leader/repair_pace.h"

#include <algorithm>

namespace dfs::leader {

void RepairPace::RecordMade(std::uint64_t bytes, MonotonicTime now) {
  if (!made_.empty() && now - made_.back().first < kRateStep) {
    made_.back().second += bytes;
  } else {
    made_.emplace_back(now, bytes);
  }
  while (now - made_.front().first > kRateWindow) made_.pop_front();
  if (!IsYielding(now)) fastest_ = std::max(fastest_, BytesPerSecond(now));
}

bool RepairPace::IsYielding(MonotonicTime now) const {
  return last_client_ != absl::InfinitePast() && now - last_client_ <= kClientWindow;
}

void RepairPace::Refill(MonotonicTime now) {
  const auto rate = static_cast<double>(YieldedRate());
  const double seconds =
      refilled_ == absl::InfinitePast() ? 1 : absl::ToDoubleSeconds(now - refilled_);
  // A second's worth at most: what was not used while there was nothing to do is not made up for.
  budget_bytes_ = std::min(rate, budget_bytes_ + rate * seconds);
  refilled_ = now;
}

bool RepairPace::TryStart(std::uint64_t bytes, MonotonicTime now) {
  if (!IsYielding(now)) return true;
  Refill(now);
  if (budget_bytes_ <= 0) return false;
  budget_bytes_ -= static_cast<double>(bytes);
  return true;
}

std::size_t RepairPace::InFlightMax(std::size_t limit, MonotonicTime now) const {
  return IsYielding(now) ? std::min(limit, kInFlightYielding) : limit;
}

std::uint64_t RepairPace::CopyBytesPerSecond(MonotonicTime now) const {
  return IsYielding(now) ? std::max(kCopyBytesPerSecondMin, YieldedRate() / kInFlightYielding) : 0;
}

std::uint64_t RepairPace::BytesPerSecond(MonotonicTime now) const {
  std::uint64_t bytes = 0;
  MonotonicTime first = now;
  for (const auto& [at, count] : made_) {
    if (now - at > kRateWindow) continue;
    bytes += count;
    first = std::min(first, at);
  }
  if (bytes == 0) return 0;
  const absl::Duration time = std::clamp(now - first, absl::Seconds(1), kRateWindow);
  return static_cast<std::uint64_t>(static_cast<double>(bytes) / absl::ToDoubleSeconds(time));
}

}  // namespace dfs::leader
