#include "client/endpoint_list.h"

#include <gtest/gtest.h>

namespace dfs::client {
namespace {

const MonotonicTime kBegin = absl::FromUnixSeconds(1'000);

TEST(ParseEndpoints, ReadsAListAndDropsRepetitions) {
  const auto list = ParseEndpoints("a:1,10.0.0.1:7710,[::1]:7710,a:1");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(*list, (std::vector<std::string>{"a:1", "10.0.0.1:7710", "[::1]:7710"}));
}

TEST(ParseEndpoints, RefusesWhatIsNone) {
  for (const char* text : {"", ",", "a", "a:", ":1", "a:0", "a:65536", "a:1x", "a:1,,b:2", "a b:1",
                           "http://a:1", "a:123456"}) {
    EXPECT_EQ(ParseEndpoints(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(EndpointList, TheOneInUseStaysUntilItFails) {
  EndpointList list({"a:1", "b:1", "c:1"});
  EXPECT_EQ(list.Choose(kBegin), 0U);
  EXPECT_EQ(list.Choose(kBegin), 0U);
  list.RecordUnable(0);
  EXPECT_EQ(list.Choose(kBegin), 1U);
  list.RecordAlive(1);
  EXPECT_EQ(list.Choose(kBegin), 1U);
}

TEST(EndpointList, DeadOneIsPassedOverForAWhileThatGrows) {
  EndpointList list({"a:1", "b:1"});
  MonotonicTime now = kBegin;
  absl::Duration pass_over = EndpointList::kPassOverFirst;
  for (int i = 0; i < 8; ++i) {
    list.RecordDead(0, now);
    list.RecordUnable(1);  // so that the search begins at 0
    EXPECT_EQ(list.Choose(now + pass_over - absl::Milliseconds(1)), 1U);
    EXPECT_EQ(list.Choose(now + pass_over), 0U);
    now += pass_over;
    pass_over = std::min(pass_over * 2, EndpointList::kPassOverMax);
  }
  list.RecordAlive(0);
  list.RecordDead(0, now);
  list.RecordUnable(1);
  EXPECT_EQ(list.Choose(now + EndpointList::kPassOverFirst), 0U);
}

TEST(EndpointList, IfAllAreDeadTheOneThatIsDueFirstIsTried) {
  EndpointList list({"a:1", "b:1", "c:1"});
  list.RecordDead(1, kBegin);
  list.RecordDead(0, kBegin + absl::Milliseconds(10));
  list.RecordDead(2, kBegin + absl::Milliseconds(20));
  EXPECT_EQ(list.Choose(kBegin + absl::Milliseconds(30)), 1U);
}

TEST(EndpointList, SecondReportOfOneFailureDoesNotMoveOnTwice) {
  EndpointList list({"a:1", "b:1", "c:1"});
  list.RecordUnable(0);
  list.RecordUnable(0);
  EXPECT_EQ(list.Choose(kBegin), 1U);
}

TEST(EndpointList, LearnsOnceAndOnlyEndpoints) {
  EndpointList list({"a:1"});
  list.Learn("b:2");
  list.Learn("b:2");
  list.Learn("a:1");
  list.Learn("");
  list.Learn("no port");
  EXPECT_EQ(list.size(), 2U);
  for (int i = 1; i < 1000; ++i) list.Learn("n:" + std::to_string(i));
  EXPECT_EQ(list.size(), EndpointList::kEndpointsMax);
}

}  // namespace
}  // namespace dfs::client
