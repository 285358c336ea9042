// The pure classes of the ring, one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "membership/arrival_estimator.h"
#include "membership/local_health.h"
#include "membership/member_table.h"
#include "membership/outbox.h"
#include "membership/probe_round.h"
#include "membership/ring.h"
#include "membership/rumour_queue.h"
#include "membership/suspicion.h"

namespace dfs::membership {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::Duration kMs = absl::Milliseconds(1);
const MonotonicTime kT0 = absl::UnixEpoch() + absl::Hours(1);

std::vector<NodeId> Ids(std::uint32_t count) {
  std::vector<NodeId> out;
  for (std::uint32_t id = 1; id <= count; ++id) out.emplace_back(id);
  return out;
}

// ---- ring ----

// Feature 28.
TEST(Ring, EachHasMinFourOthersDistinctNeighbours) {
  for (std::uint32_t size = 1; size <= 30; ++size) {
    const Ring ring(Ids(size));
    for (const NodeId node : Ids(size)) {
      const auto near = ring.Neighbours(node);
      EXPECT_EQ(near.size(), std::min<std::size_t>(4, size - 1)) << size;
      EXPECT_EQ(std::set<NodeId>(near.begin(), near.end()).size(), near.size());
      EXPECT_THAT(near, testing::Not(testing::Contains(node)));
    }
  }
}

TEST(Ring, NeighbourhoodIsMutual) {
  for (std::uint32_t size = 2; size <= 30; ++size) {
    const Ring ring(Ids(size));
    for (const NodeId node : Ids(size)) {
      for (const NodeId other : ring.Neighbours(node)) {
        EXPECT_THAT(ring.Neighbours(other), testing::Contains(node));
      }
    }
  }
}

TEST(Ring, SuccessorsWalkAroundAllMembers) {
  const Ring ring(Ids(9));
  std::set<NodeId> seen;
  NodeId at(1);
  for (int i = 0; i < 9; ++i) {
    seen.insert(at);
    const NodeId next = ring.Successors(at).front();
    EXPECT_EQ(ring.Predecessors(next).front(), at);
    at = next;
  }
  EXPECT_EQ(at, NodeId(1));
  EXPECT_THAT(seen, SizeIs(9));
}

TEST(Ring, OrderOfArgumentsDoesNotMatter) {
  auto ids = Ids(7);
  const Ring ring(ids);
  std::reverse(ids.begin(), ids.end());
  ids.push_back(ids.front());  // twice the same
  const Ring same(ids);
  EXPECT_EQ(same.size(), 7u);
  for (const NodeId node : Ids(7)) EXPECT_EQ(ring.Successors(node), same.Successors(node));
}

TEST(Ring, ANodeThatIsNotOnItStillHasAPlace) {
  const Ring all(Ids(6));
  const NodeId missing(4);
  auto rest = Ids(6);
  std::erase(rest, missing);
  const Ring ring(rest);
  EXPECT_EQ(ring.Successors(missing), all.Successors(missing));
  EXPECT_EQ(ring.Predecessors(missing), all.Predecessors(missing));
}

TEST(Ring, EmptyAndAlone) {
  EXPECT_THAT(Ring().Neighbours(NodeId(1)), IsEmpty());
  EXPECT_THAT(Ring({NodeId(1)}).Neighbours(NodeId(1)), IsEmpty());
  EXPECT_THAT(Ring({NodeId(1)}).Neighbours(NodeId(2)), ElementsAre(NodeId(1)));
}

// Enumerated: four failures never take all watchers of a dead node away, five can.
TEST(Ring, FourFailuresAreAlwaysWatchedAndFiveAreNot) {
  constexpr std::uint32_t kSize = 9;
  const Ring ring(Ids(kSize));
  bool five_can_hide = false;
  for (std::uint32_t set = 0; set < (1u << kSize); ++set) {
    const auto is_dead = [&](NodeId node) { return ((set >> (node.value() - 1)) & 1u) != 0; };
    const int dead = __builtin_popcount(set);
    if (dead > 5) continue;
    for (const NodeId node : Ids(kSize)) {
      if (!is_dead(node)) continue;
      const auto near = ring.Neighbours(node);
      const bool is_watched = !std::all_of(near.begin(), near.end(), is_dead);
      if (dead <= 4) {
        EXPECT_TRUE(is_watched);
      }
      if (!is_watched) five_can_hide = true;
    }
  }
  EXPECT_TRUE(five_can_hide);
}

// ---- arrival estimator ----

TEST(ArrivalEstimator, SaysNothingBeforeEnoughSamples) {
  ArrivalEstimator arrivals(8);
  for (int i = 0; i < 5; ++i) arrivals.Record(kT0 + 100 * kMs * i);
  EXPECT_FALSE(arrivals.HasEnough());
  arrivals.Record(kT0 + 500 * kMs);
  EXPECT_TRUE(arrivals.HasEnough());
}

TEST(ArrivalEstimator, EvenRhythmGivesMeanPlusFloor) {
  ArrivalEstimator arrivals(8);
  for (int i = 0; i < 50; ++i) arrivals.Record(kT0 + 100 * kMs * i);
  // phi 8 lies 5.61 standard deviations above the mean; the floor is 20 ms.
  EXPECT_NEAR(absl::ToDoubleMilliseconds(arrivals.Threshold()), 100 + 5.612 * 20, 1);
}

TEST(ArrivalEstimator, UnevenRhythmWaitsLonger) {
  ArrivalEstimator arrivals(8);
  MonotonicTime at = kT0;
  for (int i = 0; i < 200; ++i) arrivals.Record(at += (i % 2 == 0 ? 50 : 150) * kMs);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(arrivals.Threshold()), 100 + 5.612 * 50, 2);
}

TEST(ArrivalEstimator, ForgetsAfterTwoHundredSamples) {
  ArrivalEstimator arrivals(8);
  MonotonicTime at = kT0;
  for (int i = 0; i < 300; ++i) arrivals.Record(at += 500 * kMs);
  for (int i = 0; i < 201; ++i) arrivals.Record(at += 100 * kMs);
  EXPECT_LT(arrivals.Threshold(), 220 * kMs);
}

TEST(ArrivalEstimator, OutagesAreNotLearnt) {
  ArrivalEstimator arrivals(8);
  MonotonicTime at = kT0;
  for (int i = 0; i < 20; ++i) arrivals.Record(at += 100 * kMs);
  const auto before = arrivals.Threshold();
  arrivals.Record(at += absl::Seconds(30));
  arrivals.Interrupt();
  arrivals.Record(at += 900 * kMs);
  EXPECT_EQ(arrivals.Threshold(), before);
}

// ---- local health ----

TEST(LocalHealth, StaysBetweenZeroAndEight) {
  LocalHealth health;
  for (int i = 0; i < 20; ++i) health.Worsen(kT0);
  EXPECT_EQ(health.score(), 8u);
  EXPECT_EQ(health.Stretch(100 * kMs), 200 * kMs);
  health.Advance(kT0 + absl::Hours(1));
  EXPECT_EQ(health.score(), 0u);
  EXPECT_EQ(health.Stretch(100 * kMs), 100 * kMs);
}

TEST(LocalHealth, FallsByOneEachCalmSecond) {
  LocalHealth health;
  health.Worsen(kT0, 3);
  health.Advance(kT0 + 999 * kMs);
  EXPECT_EQ(health.score(), 3u);
  health.Advance(kT0 + 1'000 * kMs);
  EXPECT_EQ(health.score(), 2u);
  health.Worsen(kT0 + 1'500 * kMs);  // no calm: the second begins anew
  health.Advance(kT0 + 2'400 * kMs);
  EXPECT_EQ(health.score(), 3u);
}

// ---- suspicion ----

TEST(Suspicion, WindowShrinksWithConfirmations) {
  const Suspicion suspicion(kT0, 200 * kMs, 400 * kMs, 3);
  EXPECT_EQ(suspicion.Deadline(0), kT0 + 400 * kMs);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(suspicion.Deadline(1) - kT0), 300, 0.1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(suspicion.Deadline(2) - kT0), 241.5, 0.1);
  EXPECT_EQ(suspicion.Deadline(3), kT0 + 200 * kMs);
  EXPECT_EQ(suspicion.Deadline(7), kT0 + 200 * kMs);  // never below the least
}

TEST(Suspicion, NobodyToConfirmGivesTheLeastWindow) {
  EXPECT_EQ(Suspicion(kT0, 200 * kMs, 400 * kMs, 0).Deadline(0), kT0 + 200 * kMs);
}

// ---- probe round ----

TEST(ProbeRound, ThreeDirectProbesStandForMissingHelpers) {
  ProbeRound round(kT0, 100 * kMs, {});
  for (int i = 0; i < 3; ++i) {
    const MonotonicTime at = kT0 + 50 * kMs * i;
    EXPECT_TRUE(round.IsDirectDue(at));
    EXPECT_FALSE(round.HasFailed(at));
    round.RecordDirectSent(at);
    EXPECT_FALSE(round.IsDirectDue(at));
  }
  EXPECT_FALSE(round.IsDirectDue(kT0 + absl::Seconds(1)));
  EXPECT_FALSE(round.HasFailed(kT0 + 199 * kMs));
  EXPECT_TRUE(round.HasFailed(kT0 + 200 * kMs));
}

TEST(ProbeRound, RefusedProbesFailAtOnceAndAreRepeatedSooner) {
  ProbeRound round(kT0, 100 * kMs, {});
  MonotonicTime at = kT0;
  for (std::size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(round.IsDirectDue(at));
    round.RecordDirectSent(at);
    at += kMs;
    round.RecordRefused(at);
    EXPECT_EQ(round.refused(), i);
    EXPECT_EQ(round.HasFailed(at), i == 3);
    at += 20 * kMs;
  }
}

TEST(ProbeRound, OneRefusalIsNotCountedTwice) {
  ProbeRound round(kT0, 100 * kMs, {});
  round.RecordRefused(kT0);  // none was sent
  EXPECT_EQ(round.refused(), 0u);
  round.RecordDirectSent(kT0);
  round.RecordRefused(kT0 + kMs);
  round.RecordRefused(kT0 + 2 * kMs);
  EXPECT_EQ(round.refused(), 1u);
}

TEST(ProbeRound, WaitsForHelpersTwiceTheTimeout) {
  ProbeRound round(kT0, 100 * kMs, {NodeId(4), NodeId(5)});
  for (int i = 0; i < 3; ++i) {
    round.RecordDirectSent(kT0);
    round.RecordRefused(kT0);
  }
  round.RecordHelperDenied(NodeId(4));
  round.RecordHelperDenied(NodeId(4));
  round.RecordHelperDenied(NodeId(9));  // was not asked
  EXPECT_EQ(round.denied(), 1u);
  EXPECT_FALSE(round.HasFailed(kT0 + 100 * kMs));
  EXPECT_EQ(round.NextDeadline(kT0 + 100 * kMs), kT0 + 200 * kMs);
  EXPECT_TRUE(round.HasFailed(kT0 + 200 * kMs));
  round.RecordHelperGone(NodeId(5));
  EXPECT_TRUE(round.HasFailed(kT0 + 100 * kMs));
}

// ---- rumour queue ----

Rumour About(std::uint32_t node, std::uint64_t incarnation = 1) {
  return {.node = NodeId(node), .state = LivenessState::kAlive, .incarnation = incarnation};
}

TEST(RumourQueue, EachIsToldALimitedNumberOfTimes) {
  RumourQueue queue;
  queue.Put(About(1));
  std::size_t told = 0;
  while (!queue.empty()) told += queue.Take(10, 9, NodeId(5)).size();
  EXPECT_EQ(told, RumourQueue::TellLimit(9));
  EXPECT_EQ(RumourQueue::TellLimit(9), 4u);
  EXPECT_EQ(RumourQueue::TellLimit(30), 8u);
}

TEST(RumourQueue, TheLeastToldGoFirst) {
  RumourQueue queue;
  queue.Put(About(1));
  EXPECT_THAT(queue.Take(1, 9, NodeId(5)), SizeIs(1));
  queue.Put(About(2));
  EXPECT_TRUE(queue.HasUntold());
  const auto next = queue.Take(1, 9, NodeId(5));
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(next[0].node, NodeId(2));
  EXPECT_FALSE(queue.HasUntold());
}

TEST(RumourQueue, NewsReplacesWhatWasSaidBefore) {
  RumourQueue queue;
  queue.Put(About(1, 1));
  (void)queue.Take(1, 9, NodeId(5));
  queue.Put(About(1, 2));
  const auto taken = queue.Take(10, 9, NodeId(5));
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].incarnation, 2u);
}

// Otherwise news about the only other member would wait, and wake the node, for ever.
TEST(RumourQueue, NewsAboutTheReceiverWearsOutUntold) {
  RumourQueue queue;
  queue.Put(About(1));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(queue.Take(10, 2, NodeId(1)), IsEmpty());
  EXPECT_TRUE(queue.empty());
}

// ---- member table ----

class MemberTableTest : public testing::Test {
 protected:
  MemberTableTest() : table_(NodeId(1), FirstIncarnation(BootEpoch(1)), 8) {
    table_.SetMembers(kT0, Ids(3));
  }
  MemberTable table_;
};

// Beliefs are joined: in whatever order rumours come, the greatest one stays.
TEST_F(MemberTableTest, AnyOrderOfRumoursEndsInTheSameBelief) {
  std::vector<std::pair<std::uint64_t, LivenessState>> rumours = {
      {1, LivenessState::kAlive},   {1, LivenessState::kSuspect}, {1, LivenessState::kDead},
      {2, LivenessState::kAlive},   {2, LivenessState::kSuspect}};
  std::sort(rumours.begin(), rumours.end());
  do {
    MemberTable table(NodeId(1), 1, 8);
    table.SetMembers(kT0, Ids(3));
    for (const auto& [incarnation, state] : rumours) {
      table.Merge(kT0, NodeId(2), state, incarnation);
    }
    EXPECT_EQ(table.Find(NodeId(2))->state, LivenessState::kSuspect);
    EXPECT_EQ(table.Find(NodeId(2))->incarnation, 2u);
  } while (std::next_permutation(rumours.begin(), rumours.end()));
}

TEST_F(MemberTableTest, DeadMembersLeaveTheRingAndComeBack) {
  EXPECT_EQ(table_.live_count(), 3u);
  EXPECT_TRUE(table_.TakeNeighboursChanged());
  table_.Merge(kT0, NodeId(2), LivenessState::kSuspect, 1);
  EXPECT_EQ(table_.live_count(), 3u);
  table_.Merge(kT0, NodeId(2), LivenessState::kDead, 1);
  EXPECT_EQ(table_.live_count(), 2u);
  EXPECT_THAT(table_.neighbours(), ElementsAre(NodeId(3)));
  EXPECT_TRUE(table_.TakeNeighboursChanged());
  table_.Merge(kT0 + kMs, NodeId(2), LivenessState::kAlive, 2);
  EXPECT_EQ(table_.live_count(), 3u);
  // Its silence counts from when it is watched again.
  EXPECT_EQ(table_.Find(NodeId(2))->silent_since, kT0 + kMs);
  const auto changes = table_.TakeChanges();
  ASSERT_THAT(changes, SizeIs(3));
  EXPECT_EQ(changes[2].from, LivenessState::kDead);
  EXPECT_EQ(changes[2].to, LivenessState::kAlive);
}

TEST_F(MemberTableTest, ObserversBelongToAnIncarnation) {
  Member& member = *table_.Find(NodeId(2));
  table_.Merge(kT0, NodeId(2), LivenessState::kSuspect, 1);
  EXPECT_TRUE(MemberTable::AddObserver(member, NodeId(1)));
  EXPECT_FALSE(MemberTable::AddObserver(member, NodeId(1)));
  table_.Merge(kT0, NodeId(2), LivenessState::kAlive, 2);
  EXPECT_THAT(member.observers, IsEmpty());
  for (std::uint32_t id = 1; id <= kObserversMax; ++id) {
    EXPECT_TRUE(MemberTable::AddObserver(member, NodeId(id)));
  }
  EXPECT_FALSE(MemberTable::AddObserver(member, NodeId(99)));
}

TEST_F(MemberTableTest, RemovedMembersAreForgotten) {
  table_.Merge(kT0, NodeId(2), LivenessState::kAlive, 5);
  table_.SetMembers(kT0, {NodeId(3)});  // self stays without being named
  EXPECT_EQ(table_.Find(NodeId(2)), nullptr);
  EXPECT_NE(table_.Find(NodeId(1)), nullptr);
  EXPECT_FALSE(table_.Merge(kT0, NodeId(2), LivenessState::kDead, 9));
  table_.SetMembers(kT0, Ids(3));
  EXPECT_EQ(table_.Find(NodeId(2))->state, LivenessState::kUnknown);
}

// ---- outbox ----

TEST_F(MemberTableTest, TheAccusedHearsOfItFirst) {
  RumourQueue news;
  Outbox outbox(&table_, &news);
  table_.Merge(kT0, NodeId(2), LivenessState::kSuspect, 4);
  news.Put(About(3));
  news.Put(table_.RumourOf(NodeId(2)));
  const Message to_accused = outbox.Make(MessageKind::kHeartbeat, NodeId(2));
  ASSERT_THAT(to_accused.rumours, SizeIs(2));
  EXPECT_EQ(to_accused.rumours[0].node, NodeId(2));
  EXPECT_EQ(to_accused.rumours[0].state, LivenessState::kSuspect);
  EXPECT_EQ(to_accused.rumours[0].incarnation, 4u);
  EXPECT_EQ(to_accused.rumours[1].node, NodeId(3));
  const Message to_other = outbox.Make(MessageKind::kHeartbeat, NodeId(3));
  ASSERT_THAT(to_other.rumours, SizeIs(1));
  EXPECT_EQ(to_other.rumours[0].node, NodeId(2));
  EXPECT_LT(to_accused.sequence, to_other.sequence);
}

TEST(Outbox, NeverExceedsTheBoundOfOneMessage) {
  MemberTable table(NodeId(1), 1, 8);
  table.SetMembers(kT0, Ids(200));
  RumourQueue news;
  for (std::uint32_t id = 2; id <= 200; ++id) news.Put(About(id));
  Outbox outbox(&table, &news);
  table.Merge(kT0, NodeId(2), LivenessState::kSuspect, 4);
  EXPECT_LE(outbox.Make(MessageKind::kGossip, NodeId(2)).rumours.size(), kRumoursMax - 1);
}

}  // namespace
}  // namespace dfs::membership
