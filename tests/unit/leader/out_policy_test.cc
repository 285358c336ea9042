#include "server/leader/out_policy.h"

#include <gtest/gtest.h>

#include "tests/unit/leader/test_start.h"

#include <set>

namespace dfs::leader {
namespace {

constexpr absl::Duration kAfter = absl::Seconds(120);

std::vector<OutCandidate> Members(std::uint32_t count, const std::set<std::uint32_t>& away,
                                  const std::set<std::uint32_t>& out = {}) {
  std::vector<OutCandidate> members;
  for (std::uint32_t node = 1; node <= count; ++node) {
    members.push_back({NodeId(node), !away.contains(node), out.contains(node)});
  }
  return members;
}

TEST(OutPolicy, NodeBecomesOutAfterItsTimeAndNotBefore) {
  OutPolicy policy(kAfter);
  EXPECT_FALSE(policy.Due(Members(3, {2}), kStart));
  EXPECT_EQ(policy.DueAt(NodeId(2)), kStart + kAfter);
  EXPECT_FALSE(policy.Due(Members(3, {2}), kStart + kAfter - absl::Seconds(1)));
  EXPECT_EQ(policy.Due(Members(3, {2}), kStart + kAfter), NodeId(2));
}

TEST(OutPolicy, ItsReturnBeginsTheTimeAnew) {
  OutPolicy policy(kAfter);
  EXPECT_FALSE(policy.Due(Members(3, {2}), kStart));
  EXPECT_FALSE(policy.Due(Members(3, {}), kStart + absl::Seconds(100)));
  EXPECT_EQ(policy.DueAt(NodeId(2)), absl::InfiniteFuture());
  EXPECT_FALSE(policy.Due(Members(3, {2}), kStart + absl::Seconds(110)));
  EXPECT_FALSE(policy.Due(Members(3, {2}), kStart + absl::Seconds(200)));
  EXPECT_EQ(policy.Due(Members(3, {2}), kStart + absl::Seconds(230)), NodeId(2));
}

// A leader that has just begun knows from the ring since when a node is dead.
TEST(OutPolicy, WhatTheRingSawCounts) {
  OutPolicy policy(kAfter);
  auto members = Members(3, {2});
  members[1].dead_since = kStart - absl::Seconds(119);
  EXPECT_FALSE(policy.Due(members, kStart));
  EXPECT_EQ(policy.Due(members, kStart + absl::Seconds(1)), NodeId(2));
}

TEST(OutPolicy, AtMostAThirdIsOut) {
  EXPECT_EQ(OutMax(2), 0u);
  EXPECT_EQ(OutMax(3), 1u);
  EXPECT_EQ(OutMax(5), 1u);
  EXPECT_EQ(OutMax(6), 2u);
  OutPolicy policy(absl::ZeroDuration());
  EXPECT_FALSE(policy.Due(Members(2, {2}), kStart));
  EXPECT_TRUE(policy.Due(Members(5, {2, 3}), kStart));
  EXPECT_FALSE(policy.Due(Members(5, {2, 3}, {2}), kStart));
  EXPECT_FALSE(policy.Due(Members(5, {3}, {2}), kStart)) << "one that is back and not reconciled counts";
  EXPECT_EQ(policy.Due(Members(6, {2, 3}, {2}), kStart), NodeId(3));
}

TEST(OutPolicy, TheOneAwayLongestGoesFirst) {
  OutPolicy policy(kAfter);
  EXPECT_FALSE(policy.Due(Members(5, {4}), kStart));
  EXPECT_FALSE(policy.Due(Members(5, {2, 4}), kStart + absl::Seconds(1)));
  EXPECT_EQ(policy.Due(Members(5, {2, 4}), kStart + absl::Hours(1)), NodeId(4));
}

}  // namespace
}  // namespace dfs::leader
