#include "common/operation_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace dfs {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] absl::Time WallNow() const override { return absl::UnixEpoch(); }
  MonotonicTime now = absl::UnixEpoch() + absl::Hours(1);
};

TEST(PhaseTimer, EachMomentBelongsToThePhaseEnteredLast) {
  SetClock clock;
  PhaseTimer timer(&clock);
  clock.now += absl::Seconds(1);  // nobody's
  {
    const InPhase transfer(&timer, Phase::kTransfer);
    clock.now += absl::Seconds(2);
    {
      const InPhase queue(&timer, Phase::kQueue);
      clock.now += absl::Seconds(4);
    }
    clock.now += absl::Seconds(8);
  }
  clock.now += absl::Seconds(16);  // nobody's
  timer.Enter(Phase::kCommit);
  timer.Enter(std::nullopt);
  EXPECT_EQ(timer.TimeIn(Phase::kTransfer), absl::Seconds(10));
  EXPECT_EQ(timer.TimeIn(Phase::kQueue), absl::Seconds(4));
  EXPECT_EQ(timer.TimeIn(Phase::kCommit), absl::ZeroDuration());
  EXPECT_EQ(timer.TimeIn(Phase::kSync), std::nullopt);
  const InPhase nothing(nullptr, Phase::kSync);
}

TEST(OperationMetrics, AnOperationIsCountedWithThePhasesThatItHad) {
  SetClock clock;
  OperationMetrics metrics;
  OperationTimer timer(&metrics, &clock, Door::kGrpc, Operation::kPut);
  timer.phases.Enter(Phase::kSync);
  clock.now += absl::Milliseconds(15);
  timer.phases.Enter(Phase::kCommit);
  clock.now += absl::Seconds(30);
  timer.bytes_in = 5;
  EXPECT_EQ(timer.End(absl::UnavailableError("no")).code(), absl::StatusCode::kUnavailable);

  const auto rows = metrics.Read();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].results, (std::array<std::uint64_t, 3>{0, 0, 1}));
  EXPECT_EQ(rows[0].bytes_in, 5u);
  EXPECT_DOUBLE_EQ(rows[0].latencies.seconds, 30.015);
  const auto phases = metrics.ReadPhases();
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[0].phase, Phase::kSync);
  EXPECT_EQ(OperationOf(phases[0].phase), Operation::kPut);
  EXPECT_DOUBLE_EQ(phases[0].latencies.seconds, 0.015);
  const auto bound = std::find(OperationMetrics::kBounds.begin(), OperationMetrics::kBounds.end(), 0.02);
  EXPECT_EQ(phases[0].latencies.buckets.at(static_cast<std::size_t>(bound - OperationMetrics::kBounds.begin())), 1u);
  EXPECT_EQ(phases[1].phase, Phase::kCommit);
  EXPECT_EQ(phases[1].latencies.buckets.back(), 1u) << "beyond all bounds";
}

}  // namespace
}  // namespace dfs
