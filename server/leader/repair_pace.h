// How fast repair may go: as fast as the hardware while no client is at work, a part of that while one is. Pure.
#ifndef DFS_SERVER_LEADER_REPAIR_PACE_H_
#define DFS_SERVER_LEADER_REPAIR_PACE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::leader {

// A byte budget. While clients work it fills at an eighth of the fastest rate that repair has reached, copies may
// use it up into debt by one, and the bytes of each copy are spread over time; else there is no budget. Not thread-safe.
class RepairPace {
 public:
  static constexpr absl::Duration kClientWindow = absl::Seconds(2);  // a client is at work so long after its call
  static constexpr std::uint64_t kBytesPerSecondMin = 16'000'000;    // so that repair ends however busy clients are
  static constexpr std::uint64_t kYieldedPart = 8;
  static constexpr absl::Duration kRateWindow = absl::Seconds(10);
  static constexpr absl::Duration kRateStep = absl::Milliseconds(100);
  static constexpr std::size_t kInFlightYielding = 4;  // many small ones: the budget bounds large ones
  // No copy is slower than that: 64 MiB end well within the time an order has.
  static constexpr std::uint64_t kCopyBytesPerSecondMin = 16'000'000;

  // A client's call was seen last at that time.
  void RecordClient(MonotonicTime at) { last_client_ = std::max(last_client_, at); }
  // A copy was made.
  void RecordMade(std::uint64_t bytes, MonotonicTime now);

  [[nodiscard]] bool IsYielding(MonotonicTime now) const;
  // Whether a copy may start now; if so its bytes are taken from the budget.
  [[nodiscard]] bool TryStart(std::uint64_t bytes, MonotonicTime now);
  // How many copies may be under way at once, of at most `limit`.
  [[nodiscard]] std::size_t InFlightMax(std::size_t limit, MonotonicTime now) const;
  // What one of those copies may read from its source, so that all of them take what the budget has; 0: as fast as it goes.
  [[nodiscard]] std::uint64_t CopyBytesPerSecond(MonotonicTime now) const;
  // Over the last kRateWindow.
  [[nodiscard]] std::uint64_t BytesPerSecond(MonotonicTime now) const;

 private:
  void Refill(MonotonicTime now);
  // While clients work.
  [[nodiscard]] std::uint64_t YieldedRate() const { return std::max(kBytesPerSecondMin, fastest_ / kYieldedPart); }

  MonotonicTime last_client_ = absl::InfinitePast();
  MonotonicTime refilled_ = absl::InfinitePast();
  double budget_bytes_ = 0;
  std::uint64_t fastest_ = 0;  // bytes a second, while nobody was yielded to
  std::deque<std::pair<MonotonicTime, std::uint64_t>> made_;  // of the last kRateWindow, summed up by kRateStep
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_PACE_H_
