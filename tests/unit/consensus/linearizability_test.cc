#include "tests/support/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "common/random.h"

namespace dfs {
namespace {

using Kind = RegisterOperation::Kind;

RegisterOperation Write(std::uint64_t value, std::int64_t start, std::int64_t end) {
  return {Kind::kWrite, value, start, end, false, 0};
}
RegisterOperation Maybe(std::uint64_t value, std::int64_t start) {
  return {Kind::kWrite, value, start, 0, true, 0};
}
RegisterOperation Read(std::uint64_t value, std::int64_t start, std::int64_t end) {
  return {Kind::kRead, value, start, end, false, 1};
}
bool IsLinearizable(const std::vector<RegisterOperation>& history) {
  return CheckLinearizable(history).ok();
}

TEST(Linearizability, EmptyAndSequentialHistoriesPass) {
  EXPECT_TRUE(IsLinearizable({}));
  EXPECT_TRUE(IsLinearizable({Read(0, 1, 2), Write(5, 3, 4), Read(5, 5, 6)}));
}

TEST(Linearizability, AStaleReadIsRefused) {
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Write(6, 3, 4), Read(5, 5, 6)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Read(0, 3, 4)}));
}

TEST(Linearizability, AReadBesideAWriteMaySeeEither) {
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 4), Read(0, 2, 3)}));
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 4), Read(5, 2, 3)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 6), Read(5, 2, 3), Read(0, 4, 5)}));
}

TEST(Linearizability, AnUnknownWriteMayHappenLateOrNever) {
  EXPECT_TRUE(IsLinearizable({Maybe(5, 1), Read(0, 2, 3), Read(5, 4, 5)}));
  EXPECT_TRUE(IsLinearizable({Maybe(5, 1), Read(0, 2, 3), Read(0, 4, 5)}));
  EXPECT_FALSE(IsLinearizable({Maybe(5, 1), Read(5, 2, 3), Read(0, 4, 5)}));
  EXPECT_FALSE(IsLinearizable({Maybe(5, 3), Read(5, 1, 2)})) << "read before it was asked for";
}

TEST(Linearizability, AValueThatNobodyWroteIsRefused) {
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Read(7, 3, 4)}));
}

TEST(Linearizability, RemovalsAndEqualValuesAreSearched) {
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), Read(0, 5, 6)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), Read(5, 5, 6)}));
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), Write(5, 5, 6), Read(5, 7, 8)}));
}

// By definition: some order that keeps real time explains all answers.
bool IsLinearizableByTrial(const std::vector<RegisterOperation>& history) {
  std::vector<std::size_t> order(history.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    bool is_legal = true;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < order.size() && is_legal; ++i) {
      const RegisterOperation& op = history[order[i]];
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        if (history[order[j]].end < op.start) is_legal = false;
      }
      if (op.kind == Kind::kWrite) value = op.value;
      if (op.kind == Kind::kRead && op.value != value) is_legal = false;
    }
    if (is_legal) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(Linearizability, ZonesAndSearchAgreeWithTheDefinition) {
  Random random(7);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t count = 2 + random.Below(5);
    std::vector<std::int64_t> times(2 * count);
    std::iota(times.begin(), times.end(), 1);
    for (std::size_t i = times.size() - 1; i > 0; --i)
      std::swap(times[i], times[random.Below(i + 1)]);
    std::vector<RegisterOperation> history;
    std::uint64_t written = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto [start, end] = std::minmax(times[2 * i], times[2 * i + 1]);
      if (random.OneIn(1, 2)) {
        history.push_back(Write(++written, start, end));
      } else {
        history.push_back(Read(random.Below(3), start, end));
      }
    }
    const bool expected = IsLinearizableByTrial(history);
    refused += expected ? 0 : 1;
    ASSERT_EQ(CheckLinearizable(history).ok(), expected) << "round " << round;
    ASSERT_EQ(SearchLinearization(history).ok(), expected) << "round " << round;
  }
  EXPECT_GT(refused, 500);
  EXPECT_LT(refused, 2900);
}

}  // namespace
}  // namespace dfs
