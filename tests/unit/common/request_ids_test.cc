#include "common/request_ids.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace dfs {
namespace {

TEST(RequestIds, NothingWithoutASession) {
  RequestIds ids;
  EXPECT_FALSE(ids.Next().has_value());
}

TEST(RequestIds, SequencesBeginAtOneAndCarryTheSession) {
  RequestIds ids;
  ids.StartSession(42);
  const auto first = ids.Next();
  const auto second = ids.Next();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->ToWire().session().size(), 16U);
  EXPECT_EQ(first->ToWire().session(), second->ToWire().session());
  EXPECT_EQ(first->ToWire().sequence(), 1U);
  EXPECT_EQ(second->ToWire().sequence(), 2U);
  EXPECT_EQ(second->ToWire().birth(), 42U);
}

TEST(RequestIds, AckedBelowIsTheOldestThatIsOpen) {
  RequestIds ids;
  ids.StartSession(1);
  auto first = ids.Next();
  auto second = ids.Next();
  auto third = ids.Next();
  EXPECT_EQ(third->ToWire().acked_below(), 1U);
  second.reset();
  EXPECT_EQ(third->ToWire().acked_below(), 1U);
  first.reset();
  EXPECT_EQ(third->ToWire().acked_below(), 3U);
}

TEST(RequestIds, FullWindowLeavesTheSessionToThoseThatUseIt) {
  RequestIds ids;
  ids.StartSession(1);
  auto stuck = ids.Next();
  for (std::uint64_t i = 1; i < RequestIds::kOpenMax; ++i) {
    ASSERT_TRUE(ids.Next().has_value()) << i;  // closed at once
  }
  EXPECT_FALSE(ids.Next().has_value());
  ids.StartSession(2);
  const auto next = ids.Next();
  ASSERT_TRUE(next.has_value());
  EXPECT_NE(next->ToWire().session(), stuck->ToWire().session());
  EXPECT_EQ(next->ToWire().sequence(), 1U);
  EXPECT_EQ(stuck->ToWire().sequence(), 1U);
}

TEST(RequestIds, ForgottenSessionIsNotUsedAgain) {
  RequestIds ids;
  ids.StartSession(1);
  const auto old = ids.Next();
  ids.Forget(*old);
  EXPECT_FALSE(ids.Next().has_value());
  ids.StartSession(2);
  ids.Forget(*old);  // of the old one: nothing happens to the new one
  EXPECT_TRUE(ids.Next().has_value());
}

}  // namespace
}  // namespace dfs
