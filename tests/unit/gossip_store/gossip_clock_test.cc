// Rule R24: nodes whose clocks are wrong, and what they leave behind once they are right again.
#include <gmock/gmock.h>

#include "tests/unit/gossip_store/gossip_core_fixture.h"

namespace dfs::gossip_store {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(GossipCoreTest, ANodeWhoseClockIsWrongTakesNoWrites) {
  skew_[2] = absl::Seconds(90);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(15)));
  const Output out = Put(2, File("a", 1));
  ASSERT_THAT(out.results, SizeIs(1));
  EXPECT_TRUE(absl::IsFailedPrecondition(out.results[0].stamp.status()));
  EXPECT_THAT(out.results[0].stamp.status().message(), HasSubstr("90 s ahead of the median"));
  EXPECT_THAT(out.dropped, SizeIs(1)) << "its bytes are needed no more";
  EXPECT_EQ(Find(2, "a"), nullptr);
  EXPECT_TRUE(Put(1, File("a", 1)).results[0].stamp.ok());
}

TEST_F(GossipCoreTest, ARecordFromTheFutureIsHeldBackUntilItIsNear) {
  skew_[2] = absl::Seconds(90);
  Put(2, File("a", 1));  // it has not heard of anybody yet
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  EXPECT_EQ(Find(1, "a"), nullptr);
  EXPECT_GT(cores_.at(1)->counts().held_back, 0u);
  skew_[2] = absl::ZeroDuration();
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(40)));
  EXPECT_NE(Find(1, "a"), nullptr) << "30 s later it is less than 60 s ahead";
}

// It took no write meanwhile, so there is nothing that could be from the future.
TEST_F(GossipCoreTest, AClockThatWasWrongAndIsRightAgainLeavesNothingBehind) {
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  skew_[3] = absl::Hours(1);
  Put(1, File("before", 1));
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(20)));
  EXPECT_FALSE(IsTaken(3, File("a", 2)));
  skew_[3] = absl::ZeroDuration();
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  ASSERT_TRUE(IsTaken(3, File("a", 3)));
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  for (const std::uint32_t id : {1u, 2u}) EXPECT_NE(Find(id, "a"), nullptr) << id;
}

// What begins with a wrong clock hears of one peer first, and cannot know yet which of the two is wrong.
TEST_F(GossipCoreTest, WhoStartsWithAWrongClockWaitsForAThirdVoice) {
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  skew_[3] = absl::Hours(1);
  Begin(3, 3, true);
  Put(1, File("a", 1));
  messages_.clear();
  for (int i = 0; i < 4; ++i) {  // of node 1 only
    now_ += absl::Seconds(1);
    unreachable_ = {2};
    Step(1, Tick{});
    ASSERT_NO_FATAL_FAILURE(Settle());
  }
  unreachable_.clear();
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  EXPECT_NE(Find(3, "a"), nullptr) << "by then it knows whose clock is wrong";
  skew_[3] = absl::ZeroDuration();
  Begin(3, 3, true);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  ASSERT_TRUE(IsTaken(3, File("b", 2)));
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  EXPECT_NE(Find(1, "b"), nullptr);
}

// Cut off it cannot know. What it acknowledged others take when its time has come; more of that kind it does not take.
TEST_F(GossipCoreTest, WhoseTimesAreAheadTakesNoWritesThoughItsClockIsRightAgain) {
  unreachable_ = {3};
  skew_[3] = absl::Hours(1);
  ASSERT_TRUE(IsTaken(3, File("a", 1)));
  messages_.clear();
  skew_[3] = absl::ZeroDuration();
  ASSERT_TRUE(IsTaken(3, File("a", 2))) << "nobody is there to say that it is wrong";
  messages_.clear();
  unreachable_.clear();
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  const auto refused = Put(3, File("b", 3)).results[0].stamp.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("s ahead of the median"));
  EXPECT_LT(cores_.at(3)->ClockOff(now_, now_), -absl::Minutes(59)) << "status is to say so";
  EXPECT_EQ(Find(1, "a"), nullptr);
  now_ += absl::Hours(1);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  ASSERT_TRUE(IsTaken(3, File("b", 3)));
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  for (const std::uint32_t id : {1u, 2u}) {
    EXPECT_NE(Find(id, "a"), nullptr) << id;
    EXPECT_NE(Find(id, "b"), nullptr) << id;
  }
}

TEST_F(GossipCoreTest, StartsDoNotMoveTheClock) {
  for (int i = 0; i < 100; ++i) {
    Begin(3, 3, true);
    now_ += absl::Milliseconds(10);
    ASSERT_TRUE(IsTaken(3, File("a", 1)));
    messages_.clear();
  }
  EXPECT_LT(WallOf(Find(3, "a")->stamp.time) - now_, absl::Seconds(20));
}

// Feature 36.
TEST(HybridClock, NeverGoesBackAndPassesWhatItSaw) {
  HybridClock clock{HybridTime()};
  const HybridTime first = clock.Next(kStart);
  EXPECT_EQ(WallOf(first), kStart);
  const HybridTime second = clock.Next(kStart - absl::Hours(1));
  EXPECT_GT(second, first);
  clock.Record(HybridTimeAt(kStart + absl::Seconds(9)));
  EXPECT_GT(clock.Next(kStart), HybridTimeAt(kStart + absl::Seconds(9)));
  EXPECT_EQ(WallOf(clock.last()), kStart + absl::Seconds(9));
}

}  // namespace
}  // namespace dfs::gossip_store
