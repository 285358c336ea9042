#include "tests/support/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
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

RegisterOperation RemoveOf(std::uint64_t value, std::int64_t start, std::int64_t end) {
  return {Kind::kWrite, 0, start, end, false, 0, value};
}

TEST(Linearizability, AWriteHappensOverWhatItIsKnownToHaveReplaced) {
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 2), RemoveOf(5, 3, 4), Read(0, 5, 6)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Write(6, 3, 4), RemoveOf(5, 5, 6)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), RemoveOf(5, 3, 4), RemoveOf(5, 5, 6)})) << "twice";
  EXPECT_TRUE(IsLinearizable({Maybe(5, 1), RemoveOf(5, 3, 4), Read(0, 5, 6)}))
      << "whoever removed it shows that it was there";
  EXPECT_FALSE(IsLinearizable({Maybe(5, 1), RemoveOf(5, 3, 4), Read(5, 5, 6)})) << "back again";
}

TEST(Linearizability, ARemovalOfUnknownOutcomeHappensOnceAtMost) {
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 2), Maybe(0, 3), Read(5, 4, 5), Read(0, 6, 7)}));
  EXPECT_FALSE(IsLinearizable(
      {Write(5, 1, 2), Maybe(0, 3), Read(0, 4, 5), Write(6, 6, 7), Read(0, 8, 9)}));
  EXPECT_TRUE(IsLinearizable(
      {Write(5, 1, 2), Maybe(0, 3), Maybe(0, 4), Read(0, 5, 6), Write(6, 7, 8), Read(0, 9, 10)}));
}

RegisterOperation BringBack(std::uint64_t value, std::int64_t start, std::int64_t end) {
  return {Kind::kWrite, value, start, end, false, 0, std::nullopt, true};
}

TEST(Linearizability, OnlyWhatWasThereAndIsThereNoMoreIsBroughtBack) {
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), BringBack(5, 5, 6), Read(5, 7, 8)}));
  EXPECT_TRUE(IsLinearizable({Write(5, 1, 2), Write(6, 3, 4), BringBack(5, 5, 6), Read(5, 7, 8)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), BringBack(6, 5, 6)})) << "never put";
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), BringBack(5, 3, 4)})) << "still there";
  EXPECT_FALSE(IsLinearizable({Write(0, 1, 2), BringBack(5, 3, 4), Write(5, 5, 6)})) << "put later";
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), BringBack(5, 5, 6), Read(0, 7, 8)}));
  EXPECT_FALSE(IsLinearizable({Write(5, 1, 2), Write(0, 3, 4), BringBack(5, 5, 6),
                               BringBack(5, 7, 8)})) << "twice";
  EXPECT_TRUE(IsLinearizable({Maybe(5, 1), Write(0, 2, 3), BringBack(5, 4, 5), Read(5, 6, 7)}))
      << "whoever brought it back shows that it was there";
}

// By definition: some order that keeps real time explains all answers.
bool IsExplained(const std::vector<RegisterOperation>& history) {
  std::vector<std::size_t> order(history.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    bool is_legal = true;
    std::uint64_t value = 0;
    std::set<std::uint64_t> written;
    for (std::size_t i = 0; i < order.size() && is_legal; ++i) {
      const RegisterOperation& op = history[order[i]];
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        const RegisterOperation& later = history[order[j]];
        if (!later.is_outcome_unknown && later.end < op.start) is_legal = false;
      }
      if (op.over && *op.over != value) is_legal = false;
      if (op.brings_back && (op.value == value || !written.contains(op.value))) is_legal = false;
      if (op.kind == Kind::kWrite && !op.brings_back) written.insert(op.value);
      if (op.kind == Kind::kWrite) value = op.value;
      if (op.kind == Kind::kRead && op.value != value) is_legal = false;
    }
    if (is_legal) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

// The same, with any of the writes of unknown outcome left out.
bool IsLinearizableByTrial(const std::vector<RegisterOperation>& history) {
  for (std::uint64_t left_out = 0; left_out < std::uint64_t{1} << history.size(); ++left_out) {
    std::vector<RegisterOperation> rest;
    bool is_allowed = true;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if ((left_out >> i & 1) == 0) {
        rest.push_back(history[i]);
      } else if (!history[i].is_outcome_unknown) {
        is_allowed = false;
      }
    }
    if (is_allowed && IsExplained(rest)) return true;
  }
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

// Puts of values used once, removals that know what they removed or do not, undeletes, and all of them of unknown outcome.
TEST(Linearizability, FilesThatComeAndGoAgreeWithTheDefinition) {
  Random random(11);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::size_t count = 3 + random.Below(4);
    std::vector<std::int64_t> times(2 * count);
    std::iota(times.begin(), times.end(), 1);
    // Neighbours change places: most histories have an order that explains them.
    for (std::size_t i = 0; i + 1 < times.size(); ++i) {
      if (random.OneIn(1, 2)) std::swap(times[i], times[i + 1]);
    }
    std::vector<RegisterOperation> history;
    std::uint64_t written = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto [start, end] = std::minmax(times[2 * i], times[2 * i + 1]);
      switch (random.Below(7)) {
        case 0:
        case 1:
          history.push_back(Write(++written, start, end));
          break;
        case 2:
          history.push_back(random.OneIn(1, 2) ? Maybe(++written, start) : Maybe(0, start));
          break;
        case 3:
          history.push_back(random.OneIn(1, 2) ? RemoveOf(std::max<std::uint64_t>(written, 1), start, end)
                                               : Write(0, start, end));
          break;
        case 4:
          history.push_back(
              BringBack(1 + random.Below(std::max<std::uint64_t>(written, 1)), start, end));
          history.back().is_outcome_unknown = random.OneIn(1, 4);
          if (random.OneIn(1, 2)) history.back().over = 0;
          break;
        default:
          history.push_back(Read(random.OneIn(1, 2) ? written : random.Below(3), start, end));
      }
    }
    const bool expected = IsLinearizableByTrial(history);
    refused += expected ? 0 : 1;
    ASSERT_EQ(CheckLinearizable(history).ok(), expected) << "round " << round;
    ASSERT_EQ(SearchLinearization(history).ok(), expected) << "round " << round;
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 3000);
}

}  // namespace
}  // namespace dfs
