#include "server/placement/placement_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/random.h"

namespace dfs::placement {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kGigabyte = 1'000'000'000;

NodeId Node(std::uint32_t id) { return NodeId(id); }
Candidate Good(std::uint32_t id, const std::string& zone = "", std::uint64_t free = 100 * kGigabyte) {
  return {.node = Node(id), .zone = zone, .free_bytes = free, .is_usable = true, .is_retired = false};
}
Candidate Dead(std::uint32_t id) {
  Candidate candidate = Good(id);
  candidate.is_usable = false;
  return candidate;
}
Question Of(std::vector<Candidate> candidates, std::uint32_t coordinator = 1) {
  Question question;
  question.candidates = std::move(candidates);
  question.coordinator = Node(coordinator);
  return question;
}

TEST(Placement, CoordinatorComesFirst) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Question question = Of({Good(1), Good(2), Good(3), Good(4), Good(5)}, 4);
    question.seed = seed;
    const Placement placement = Place(question);
    ASSERT_THAT(placement.replicas, SizeIs(3));
    EXPECT_EQ(placement.replicas[0], Node(4));
    EXPECT_THAT(placement.spares, SizeIs(2));
    EXPECT_EQ(placement.set, placement.replicas);
  }
}

TEST(Placement, CoordinatorThatCannotIsLeftOut) {
  Question question = Of({Dead(1), Good(2), Good(3), Good(4)});
  EXPECT_THAT(Place(question).replicas, testing::UnorderedElementsAre(Node(2), Node(3), Node(4)));
  question = Of({Good(1, "", kFreeBytesMin - 1), Good(2), Good(3), Good(4)});
  EXPECT_THAT(Place(question).replicas, testing::UnorderedElementsAre(Node(2), Node(3), Node(4)));
  question = Of({Good(2), Good(3), Good(4)}, 9);
  EXPECT_THAT(Place(question).replicas, SizeIs(3)) << "no member (any more)";
}

TEST(Placement, WatermarksFollowTheSizeOfSmallDisks) {
  constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;
  EXPECT_EQ(FullnessOf(1'024 * kMebi, 0), Fullness::kRoomy) << "of a disk that nobody has heard of";
  EXPECT_EQ(FullnessOf(1'023 * kMebi, 100'000 * kMebi), Fullness::kNearlyFull);
  EXPECT_EQ(FullnessOf(127 * kMebi, 100'000 * kMebi), Fullness::kFull);
  EXPECT_EQ(FullnessOf(50 * kMebi, 1'000 * kMebi), Fullness::kRoomy);
  EXPECT_EQ(FullnessOf(49 * kMebi, 1'000 * kMebi), Fullness::kNearlyFull);
  EXPECT_EQ(FullnessOf(20 * kMebi, 1'000 * kMebi), Fullness::kNearlyFull);
  EXPECT_EQ(FullnessOf(19 * kMebi, 1'000 * kMebi), Fullness::kFull);
}

TEST(Placement, NearlyFullNodesAreTakenOnlyWhenAsked) {
  Candidate nearly = Good(3, "", kFreeBytesMin - 1);
  Candidate full = Good(4, "", kFullBytes - 1);
  Question question = Of({Good(1), Good(2), nearly, full});
  EXPECT_THAT(Place(question).replicas, testing::UnorderedElementsAre(Node(1), Node(2)));
  EXPECT_THAT(Place(question).set, SizeIs(3));
  question.takes_nearly_full = true;
  EXPECT_THAT(Place(question).replicas, testing::UnorderedElementsAre(Node(1), Node(2), Node(3)));
}

TEST(Placement, SlowNodesComeLast) {
  const auto slow = [](std::uint32_t id) {
    Candidate candidate = Good(id);
    candidate.is_slow = true;
    return candidate;
  };
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Question question = Of({slow(1), Good(2), slow(3), Good(4), Good(5), Good(6)});
    question.seed = seed;
    const Placement enough = Place(question);
    EXPECT_THAT(enough.replicas, testing::Each(testing::AnyOf(Node(2), Node(4), Node(5), Node(6))));
    EXPECT_THAT(enough.replicas, SizeIs(3));
    ASSERT_THAT(enough.spares, SizeIs(2));
    EXPECT_THAT(enough.spares[0], testing::AnyOf(Node(2), Node(4), Node(5), Node(6)));
    question.candidates.resize(4);
    const Placement few = Place(question);
    ASSERT_THAT(few.replicas, SizeIs(3)) << "better slow than not at all";
    EXPECT_THAT((std::set{few.replicas[0], few.replicas[1]}), (std::set{Node(2), Node(4)}));
  }
}

// Feature 19.
TEST(Placement, ZonesAreDistinctWhileThereAreZones) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Question question = Of({Good(1, "a"), Good(2, "a", 900 * kGigabyte), Good(3, "a"),
                            Good(4, "b", 10 * kGigabyte), Good(5, "c", 10 * kGigabyte)});
    question.seed = seed;
    EXPECT_THAT(Place(question).replicas, testing::UnorderedElementsAre(Node(1), Node(4), Node(5)));
    question.candidates.pop_back();
    const Placement two_zones = Place(question);
    EXPECT_THAT(two_zones.replicas, SizeIs(3));
    EXPECT_EQ(two_zones.replicas[1], Node(4)) << "the other zone first";
  }
}

// Buckets of any number of replicas.
TEST(Placement, MoreCopiesThanZonesAreSpreadEvenly) {
  std::vector<Candidate> nodes;
  for (std::uint32_t id = 1; id <= 9; ++id) nodes.push_back(Good(id, "zone" + std::to_string(id % 3)));
  for (std::size_t replicas = 1; replicas <= 9; ++replicas) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      Question question = Of(nodes, 1 + seed % 9);
      question.seed = seed;
      question.replicas = replicas;
      const Placement placement = Place(question);
      ASSERT_THAT(placement.replicas, SizeIs(replicas));
      EXPECT_EQ(placement.set, placement.replicas);
      std::map<std::uint32_t, std::size_t> in_zone;
      std::set<NodeId> distinct;
      for (const NodeId node : placement.replicas) {
        ++in_zone[node.value() % 3];
        distinct.insert(node);
      }
      EXPECT_THAT(distinct, SizeIs(replicas));
      for (const auto& [zone, copies] : in_zone) EXPECT_LE(copies, (replicas + 2) / 3) << replicas;
      EXPECT_THAT(in_zone, SizeIs(std::min<std::size_t>(replicas, 3)));
    }
  }
}

// Feature 19.
TEST(Placement, FreeSpaceWeighs) {
  std::map<NodeId, int> copies;
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    Question question = Of({Good(1), Good(2, "", 100 * kGigabyte), Good(3, "", 100 * kGigabyte),
                            Good(4, "", 200 * kGigabyte)});
    question.replicas = 2;  // the coordinator and one more
    question.seed = seed;
    ++copies[Place(question).replicas[1]];
  }
  EXPECT_NEAR(copies[Node(2)], 750, 120);
  EXPECT_NEAR(copies[Node(3)], 750, 120);
  EXPECT_NEAR(copies[Node(4)], 1'500, 150);
}

TEST(Placement, EqualQuestionsGetEqualAnswers) {
  Question question = Of({Good(1), Good(2), Good(3), Good(4), Good(5)});
  question.seed = 77;
  const Placement first = Place(question);
  std::reverse(question.candidates.begin(), question.candidates.end());
  const Placement second = Place(question);
  EXPECT_EQ(first.replicas, second.replicas) << "the order of candidates does not matter";
  EXPECT_EQ(first.spares, second.spares);
  EXPECT_EQ(first.set, second.set);
}

TEST(Placement, AvoidedNodesAreNeitherReplicaNorSpare) {
  Question question = Of({Good(1), Good(2), Good(3), Good(4)});
  question.avoid = {Node(1), Node(3)};
  const Placement placement = Place(question);
  EXPECT_THAT(placement.replicas, testing::UnorderedElementsAre(Node(2), Node(4)));
  EXPECT_THAT(placement.spares, IsEmpty());
  EXPECT_THAT(placement.set, SizeIs(3)) << "one of them stands in as missing";
}

// Rule R16.
TEST(Placement, SetNamesMinOfReplicasAndMembers) {
  Placement placement = Place(Of({Good(1), Dead(2), Dead(3)}));
  EXPECT_THAT(placement.replicas, ElementsAre(Node(1)));
  EXPECT_THAT(placement.set, testing::UnorderedElementsAre(Node(1), Node(2), Node(3)));
  EXPECT_EQ(placement.set[0], Node(1));
  placement = Place(Of({Good(1)}));
  EXPECT_THAT(placement.set, ElementsAre(Node(1)));
  placement = Place(Of({Dead(1), Dead(2)}));
  EXPECT_THAT(placement.replicas, IsEmpty());
  EXPECT_THAT(placement.set, SizeIs(2));
  EXPECT_THAT(Place(Of({})).set, IsEmpty());
}

TEST(Placement, StandInsAreLiveAndRoomyIfPossible) {
  Candidate full = Good(3, "", 10);
  Question question = Of({Good(1), Dead(2), full, Good(4)});
  question.avoid = {Node(4)};
  question.replicas = 2;
  EXPECT_THAT(Place(question).set, ElementsAre(Node(1), Node(4))) << "avoided, but alive";
  question.replicas = 3;
  EXPECT_THAT(Place(question).set, ElementsAre(Node(1), Node(4), Node(2))) << "dead before full";
  question.replicas = 4;
  EXPECT_THAT(Place(question).set, ElementsAre(Node(1), Node(4), Node(2), Node(3)));
}

TEST(Placement, RetiredNodesAreNoMembers) {
  Candidate retired = Good(2);
  retired.is_retired = true;
  Question question = Of({Good(1), retired, Good(3)});
  question.holders = {Node(2)};
  const Placement placement = Place(question);
  EXPECT_THAT(placement.set, testing::UnorderedElementsAre(Node(1), Node(3)));
}

TEST(Placement, HoldersAreTakenFirstWhateverTheirState) {
  Question question = Of({Good(1), Dead(2), Good(3, "", 0), Good(4), Good(5)});
  question.holders = {Node(3), Node(2), Node(3)};
  question.avoid = {Node(2)};
  const Placement placement = Place(question);
  EXPECT_THAT(placement.replicas, ElementsAre(Node(3), Node(2), Node(1)));
  question.holders = {Node(5), Node(4), Node(3), Node(2)};
  EXPECT_THAT(Place(question).replicas, ElementsAre(Node(5), Node(4), Node(3)));
}

TEST(Placement, NothingIsEverNamedTwice) {
  Random random(3);
  for (int round = 0; round < 2'000; ++round) {
    Question question;
    const auto members = static_cast<std::uint32_t>(random.Below(8));
    for (std::uint32_t id = 1; id <= members; ++id) {
      Candidate candidate = Good(id, std::string(1, static_cast<char>('a' + random.Below(3))),
                                 random.Below(4) * kGigabyte);
      candidate.is_usable = random.OneIn(2, 3);
      candidate.is_retired = random.OneIn(1, 8);
      question.candidates.push_back(candidate);
      if (random.OneIn(1, 5)) question.avoid.push_back(Node(id));
      if (random.OneIn(1, 6)) question.holders.push_back(Node(id));
    }
    question.coordinator = Node(static_cast<std::uint32_t>(random.Below(9)));
    question.seed = random.Next();
    const auto alive = static_cast<std::size_t>(
        std::count_if(question.candidates.begin(), question.candidates.end(),
                      [](const Candidate& c) { return !c.is_retired; }));
    const Placement placement = Place(question);
    EXPECT_EQ(placement.set.size(), std::min<std::size_t>(3, alive));
    EXPECT_EQ(std::set<NodeId>(placement.set.begin(), placement.set.end()).size(),
              placement.set.size());
    ASSERT_LE(placement.replicas.size(), placement.set.size());
    EXPECT_TRUE(std::equal(placement.replicas.begin(), placement.replicas.end(),
                           placement.set.begin()));
    std::set<NodeId> both(placement.replicas.begin(), placement.replicas.end());
    both.insert(placement.spares.begin(), placement.spares.end());
    EXPECT_EQ(both.size(), placement.replicas.size() + placement.spares.size());
  }
}

}  // namespace
}  // namespace dfs::placement
