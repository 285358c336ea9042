#include "server/leader/repair_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/leader/repair_chunks.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr auto kCorrupt = CopyState::kCorrupt;

std::vector<CopyTask> Plan(const std::vector<IncompleteChunk>& chunks,
                           const std::vector<placement::Candidate>& members,
                           const RepairLimits& limits = {}) {
  return PlanRepair(chunks, RepairMembers(members), limits, {});
}

TEST(RepairPlan, FewestLiveCopiesFirst) {
  auto members = MembersWithRoom(4);
  members[3].is_usable = false;
  const std::vector<IncompleteChunk> chunks = {
      Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}}),
      Chunk(2, {{NodeId(1), kOk}, {NodeId(2), kMissing}, {NodeId(3), kMissing}}),
      // Two copies, but one on a dead node.
      Chunk(3, {{NodeId(1), kOk}, {NodeId(4), kOk}, {NodeId(3), kMissing}})};
  std::vector<std::uint64_t> order;
  for (const auto& task : Plan(chunks, members)) order.push_back(task.chunk.txn.sequence);
  EXPECT_THAT(order, ElementsAre(2u, 3u, 1u));
}

TEST(RepairPlan, WhatIsInTheTrashComesLast) {
  auto members = MembersWithRoom(5);
  members[0].is_withdrawn = true;
  IncompleteChunk trashed = Chunk(1, {{NodeId(1), kOk}});
  trashed.is_trashed = true;
  const std::vector<IncompleteChunk> chunks = {
      trashed, Chunk(2, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}})};
  std::vector<std::uint64_t> order;
  for (const auto& task : Plan(chunks, members)) order.push_back(task.chunk.txn.sequence);
  EXPECT_THAT(order, ElementsAre(2u, 1u));
}

// Both others are away and may come back: they keep their places, and what was there once is there once.
TEST(RepairPlan, WhatGoesFromTheTrashIsNotFewerThanBefore) {
  auto members = MembersWithRoom(5);
  members[0].is_withdrawn = true;
  members[1].is_usable = members[2].is_usable = false;
  IncompleteChunk trashed = Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kMissing}, {NodeId(3), kMissing}});
  trashed.is_trashed = true;
  const auto tasks = Plan({trashed}, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].replaces, NodeId(1));
  trashed.set.erase(NodeId(1));
  trashed.set[tasks[0].target] = kOk;
  EXPECT_TRUE(HealthOf(trashed, RepairMembers(members)).is_complete());
}

TEST(RepairPlan, MissingMemberOfTheSetIsTheTarget) {
  const auto tasks =
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}})}, MembersWithRoom(4));
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(3));
  EXPECT_THAT(tasks[0].sources, UnorderedElementsAre(NodeId(1), NodeId(2)));
  EXPECT_TRUE(tasks[0].replaces.is_none());
}

TEST(RepairPlan, WithoutALiveCopyThoseThatCountAsMissingAreAsked) {
  auto members = MembersWithRoom(4);
  members[0].is_usable = false;
  const auto tasks = Plan(
      {Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kMissing}, {NodeId(3), kMissing}})}, members);
  ASSERT_EQ(tasks.size(), 2u) << "and never a node outside the set";
  EXPECT_EQ(tasks[0].target, NodeId(2));
  EXPECT_EQ(tasks[1].target, NodeId(3));
  for (const auto& task : tasks) {
    EXPECT_TRUE(task.sources.empty());
    EXPECT_TRUE(task.replaces.is_none());
  }
}

TEST(RepairPlan, CorruptMemberIsHealedInItsPlace) {
  const auto tasks =
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kCorrupt}, {NodeId(3), kOk}})}, MembersWithRoom(3));
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(2));
  EXPECT_THAT(tasks[0].sources, UnorderedElementsAre(NodeId(1), NodeId(3)));
}

TEST(RepairPlan, MissingCopyOfADeadNodeWaits) {
  auto members = MembersWithRoom(4);
  members[2].is_usable = false;
  EXPECT_TRUE(
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}})}, members)
          .empty());
}

TEST(RepairPlan, SmallSetGrowsOntoALiveNodeOutside) {
  const auto tasks = Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}})}, MembersWithRoom(3));
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(3));
}

TEST(RepairPlan, SetAsLargeAsTheClusterDoesNotGrow) {
  EXPECT_TRUE(Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}})}, MembersWithRoom(2)).empty());
}

TEST(RepairPlan, GrowsIntoANewZone) {
  auto members = MembersWithRoom(4);
  members[0].zone = members[2].zone = "a";
  members[1].zone = "b";
  members[3].zone = "c";
  const auto tasks = Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}})}, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(4));
}

TEST(RepairPlan, FullNodeTakesNoCopies) {
  auto members = MembersWithRoom(3);
  members[2].free_bytes = 1;
  EXPECT_TRUE(
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}})}, members)
          .empty());
}

TEST(RepairPlan, NearlyFullNodeComesAfterAllOthers) {
  constexpr std::uint64_t kNearlyFull = std::uint64_t{512} << 20;
  auto members = MembersWithRoom(4);
  members[2].free_bytes = kNearlyFull;
  const std::vector<IncompleteChunk> chunks = {
      Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}})};
  auto tasks = Plan(chunks, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(4));
  EXPECT_EQ(tasks[0].replaces, NodeId(3));
  members[3].free_bytes = kNearlyFull;
  tasks = Plan(chunks, members);
  ASSERT_EQ(tasks.size(), 1u) << "what it has left is for repair";
  EXPECT_EQ(tasks[0].target, NodeId(3));
  EXPECT_TRUE(tasks[0].replaces.is_none());
}

TEST(RepairPlan, CopyOnANodeThatIsOutIsReplaced) {
  auto members = MembersWithRoom(4);
  members[2].is_usable = false;
  const std::vector<IncompleteChunk> chunks = {
      Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}})};
  EXPECT_TRUE(Plan(chunks, members).empty()) << "dead is not OUT";
  members[2].is_withdrawn = true;
  const auto tasks = Plan(chunks, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(4));
  EXPECT_EQ(tasks[0].replaces, NodeId(3));
  EXPECT_THAT(tasks[0].sources, UnorderedElementsAre(NodeId(1), NodeId(2)));
}

TEST(RepairPlan, NodeThatIsDrainedIsASourceAndNoTarget) {
  auto members = MembersWithRoom(5);
  members[2].is_withdrawn = members[3].is_withdrawn = true;
  const auto tasks =
      Plan({Chunk(1, {{NodeId(1), kCorrupt}, {NodeId(2), kMissing}, {NodeId(3), kOk}})}, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_THAT(tasks[0].sources, ElementsAre(NodeId(3)));
  EXPECT_EQ(tasks[0].target, NodeId(1));
  EXPECT_TRUE(tasks[0].replaces.is_none());
  const auto moved =
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}})}, members);
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0].target, NodeId(5)) << "node 4 is drained too";
  EXPECT_EQ(moved[0].replaces, NodeId(3));
}

TEST(RepairPlan, RetiredNodeGivesItsPlaceUpFirst) {
  auto members = MembersWithRoom(5);
  members.erase(members.begin() + 2);  // node 3
  members[3].is_withdrawn = true;      // node 5
  const auto tasks =
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(3), kOk}, {NodeId(5), kOk}})}, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].replaces, NodeId(3));
  EXPECT_THAT(tasks[0].sources, UnorderedElementsAre(NodeId(1), NodeId(5)));
}

TEST(RepairPlan, GoodCopyOnAMemberThatStaysIsNeverReplaced) {
  auto members = MembersWithRoom(6);
  members[2].is_usable = false;
  members[1].free_bytes = 1;
  EXPECT_TRUE(
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}})}, members).empty());
  // Missing on a full node: another takes its place.
  const auto tasks =
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kMissing}, {NodeId(4), kOk}})}, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].replaces, NodeId(2));
}

TEST(RepairPlan, FifthCopyGoesToTheZoneWithFewest) {
  auto members = MembersWithRoom(6);
  const std::vector<std::string> zones = {"a", "a", "b", "c", "a", "b"};
  for (std::size_t i = 0; i < zones.size(); ++i) members[i].zone = zones[i];
  members[4].free_bytes *= 2;  // the emptier one, where three would be
  auto chunk = Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}, {NodeId(4), kOk}});
  chunk.replicas_wanted = 5;
  const auto tasks = Plan({chunk}, members);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(6));
}

TEST(RepairPlan, ReplacedNodesZoneIsFree) {
  auto members = MembersWithRoom(5);
  for (std::size_t i = 0; i < 5; ++i) members[i].zone = std::string(1, static_cast<char>('a' + i % 3));
  members[2].is_withdrawn = true;  // zone c; node 4 is in a, node 5 in b
  auto six = members;
  six.push_back(members[2]);
  six.back().node = NodeId(6);
  six.back().is_withdrawn = false;
  const auto tasks =
      Plan({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}})}, six);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].target, NodeId(6));
}

TEST(RepairPlan, SaysWhyACopyCannotBeMade) {
  const auto full = Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}});
  const auto short_of_one = Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}});
  const auto why = [](const IncompleteChunk& chunk, const std::vector<placement::Candidate>& members) {
    return ObstacleOf(chunk, RepairMembers(members));
  };
  auto members = MembersWithRoom(4);
  EXPECT_EQ(why(full, members), Obstacle::kComplete);
  EXPECT_EQ(why(short_of_one, members), Obstacle::kNone);
  members[2].is_usable = false;
  EXPECT_EQ(why(short_of_one, members), Obstacle::kNodesAway);
  members[2].is_withdrawn = true;
  EXPECT_EQ(why(short_of_one, members), Obstacle::kNone);
  members[3].free_bytes = 1;
  EXPECT_EQ(why(short_of_one, members), Obstacle::kNoSpace);
  members.pop_back();
  EXPECT_EQ(why(short_of_one, members), Obstacle::kNoNodeLeft);
  members[0].is_usable = members[1].is_usable = false;
  EXPECT_EQ(why(short_of_one, members), Obstacle::kNoLiveSource);
}

TEST(RepairPlan, KeepsItsLimits) {
  std::vector<IncompleteChunk> chunks;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    chunks.push_back(Chunk(i, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}}));
  }
  EXPECT_EQ(Plan(chunks, MembersWithRoom(3)).size(), RepairLimits().per_target_max);
  EXPECT_EQ(Plan(chunks, MembersWithRoom(3), {16, 100, 100}).size(), 16u);
  // Two sources carry three each.
  EXPECT_EQ(Plan(chunks, MembersWithRoom(3), {100, 3, 100}).size(), 6u);
}

TEST(RepairPlan, CountsWhatIsUnderWay) {
  RepairLoad load;
  load.in_flight = 4;
  load.by_target[NodeId(3)] = 4;
  EXPECT_TRUE(PlanRepair({Chunk(1, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}})},
                         RepairMembers(MembersWithRoom(3)), {}, load)
                  .empty());
}

}  // namespace
}  // namespace dfs::leader
