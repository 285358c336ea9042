#include "server/placement/rebalance_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "common/random.h"
#include "tests/support/trials.h"

namespace dfs::placement {
namespace {

using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::size_t kReplicas = 3;

struct Copies {
  std::uint64_t size = 0;
  std::vector<NodeId> set;
};

// Nodes and chunks, and what the plan makes of them.
struct Cluster {
  std::vector<BalanceNode> nodes;
  std::vector<Copies> chunks;

  void Add(std::uint32_t id, const std::string& zone = "", std::uint64_t capacity = 1'000'000 * kMiB) {
    nodes.push_back({NodeId(id), zone, 0, capacity, true});
  }
  BalanceNode& Node(NodeId id) {
    return *std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.node == id; });
  }
  void AddChunk(std::uint64_t size, const std::vector<std::uint32_t>& set) {
    chunks.push_back({size, {}});
    for (const auto id : set) {
      chunks.back().set.emplace_back(id);
      Node(NodeId(id)).held_bytes += size;
    }
  }
  RebalancePlan Plan(std::uint64_t slack_bytes = 0) const {
    std::uint64_t unique = 0;
    for (const auto& chunk : chunks) unique += chunk.size;
    return {nodes, unique, kReplicas, slack_bytes};
  }
  std::size_t ZonesOf(const Copies& chunk) {
    std::set<std::string> zones;
    for (const NodeId id : chunk.set) zones.insert(Node(id).zone);
    return zones.size();
  }

  struct Moved {
    std::uint64_t balance_bytes = 0;
    std::uint64_t zone_bytes = 0;
    std::size_t moves = 0;
    std::set<NodeId> givers;  // for balance
    std::set<NodeId> takers;
  };
  void Carry(Copies& chunk, const RebalancePlan::Move& move, Moved& moved) {
    const std::size_t zones = ZonesOf(chunk);
    const auto from = std::find(chunk.set.begin(), chunk.set.end(), move.from);
    ASSERT_NE(from, chunk.set.end()) << "moved from where it is not";
    ASSERT_EQ(std::count(chunk.set.begin(), chunk.set.end(), move.to), 0) << "moved to where it is";
    ASSERT_TRUE(Node(move.to).takes_part && Node(move.from).takes_part);
    *from = move.to;
    Node(move.from).held_bytes -= chunk.size;
    Node(move.to).held_bytes += chunk.size;
    ASSERT_LE(Node(move.to).held_bytes, Node(move.to).capacity_bytes);
    ++moved.moves;
    if (move.is_for_zones) {
      ASSERT_EQ(ZonesOf(chunk), zones + 1);
      moved.zone_bytes += chunk.size;
    } else {
      ASSERT_GE(ZonesOf(chunk), zones);
      moved.balance_bytes += chunk.size;
      moved.givers.insert(move.from);
      moved.takers.insert(move.to);
    }
  }
  // One round over all chunks.
  Moved Round(RebalancePlan& plan) {
    Moved moved;
    for (auto& chunk : chunks) {
      if (const auto move = plan.Offer(chunk.size, chunk.set)) Carry(chunk, *move, moved);
    }
    return moved;
  }
};

TEST(RebalancePlan, NodeThatHasJoinedGetsItsPartAndNoMore) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u, 4u}) cluster.Add(id);
  for (int i = 0; i < 400; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  EXPECT_TRUE(plan.IsWorthIt());
  EXPECT_EQ(plan.TargetOf(NodeId(4)), 300 * kMiB);
  EXPECT_EQ(plan.bytes_needed(), 300 * kMiB);
  const auto moved = cluster.Round(plan);
  EXPECT_EQ(moved.balance_bytes, 300 * kMiB) << "what it lacked, and nothing between the others";
  EXPECT_THAT(moved.takers, UnorderedElementsAre(NodeId(4)));
  for (const auto& node : cluster.nodes) EXPECT_EQ(node.held_bytes, 300 * kMiB);
  auto again = cluster.Plan();
  EXPECT_FALSE(again.IsWorthIt());
  EXPECT_EQ(cluster.Round(again).moves, 0u);
}

TEST(RebalancePlan, BalancedClusterMovesNothing) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u}) cluster.Add(id);
  for (int i = 0; i < 10; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  EXPECT_FALSE(plan.IsWorthIt());
  EXPECT_EQ(cluster.Round(plan).moves, 0u);
}

TEST(RebalancePlan, LargerDiskGetsALargerPart) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u, 4u}) cluster.Add(id, "", 1'000 * kMiB);
  cluster.Add(5, "", 2'000 * kMiB);
  for (std::uint32_t i = 0; i < 400; ++i) {
    cluster.AddChunk(kMiB, {1 + i % 4, 1 + (i + 1) % 4, 1 + (i + 2) % 4});
  }
  auto plan = cluster.Plan();
  EXPECT_EQ(plan.TargetOf(NodeId(5)), 400 * kMiB);
  EXPECT_EQ(plan.TargetOf(NodeId(1)), 200 * kMiB);
}

TEST(RebalancePlan, HugeDiskGetsEachChunkOnceAtMost) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u}) cluster.Add(id, "", 1'000 * kMiB);
  cluster.Add(4, "", 1'000'000 * kMiB);
  for (int i = 0; i < 300; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  EXPECT_EQ(plan.TargetOf(NodeId(4)), 300 * kMiB);
  EXPECT_EQ(plan.TargetOf(NodeId(1)), 200 * kMiB);
}

TEST(RebalancePlan, ZoneThatMustHoldACopyOfAllKeepsIt) {
  Cluster cluster;
  cluster.Add(1, "a");
  cluster.Add(2, "b");
  cluster.Add(3, "c");
  cluster.Add(4, "a");
  for (int i = 0; i < 100; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  const auto moved = cluster.Round(plan);
  EXPECT_EQ(moved.balance_bytes, 50 * kMiB) << "half of zone a's";
  EXPECT_THAT(moved.givers, UnorderedElementsAre(NodeId(1)));
  for (auto& chunk : cluster.chunks) EXPECT_EQ(cluster.ZonesOf(chunk), 3u);
}

TEST(RebalancePlan, NewZoneGetsACopyOfEachChunkThatSharesOne) {
  Cluster cluster;
  cluster.Add(1, "a");
  cluster.Add(2, "a");
  cluster.Add(3, "b");
  cluster.Add(4, "c");
  for (int i = 0; i < 100; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  const auto moved = cluster.Round(plan);
  EXPECT_EQ(moved.zone_bytes, 100 * kMiB);
  EXPECT_EQ(moved.balance_bytes, 0u);
  for (auto& chunk : cluster.chunks) EXPECT_EQ(cluster.ZonesOf(chunk), 3u);
  EXPECT_EQ(cluster.Node(NodeId(1)).held_bytes, 50 * kMiB) << "the two of zone a give alike";
}

// More copies than zones: no zone keeps two more than another that could take one.
TEST(RebalancePlan, FiveCopiesInThreeZonesAreSpreadEvenly) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u}) cluster.Add(id, "a");
  cluster.Add(4, "b");
  cluster.Add(5, "c");
  cluster.Add(6, "b");
  for (int i = 0; i < 20; ++i) cluster.AddChunk(10 * kMiB, {1, 2, 3, 4, 5});
  RebalancePlan plan = cluster.Plan();
  for (const auto& chunk : cluster.chunks) {
    const auto move = plan.Offer(chunk.size, chunk.set);
    ASSERT_TRUE(move.has_value());
    EXPECT_TRUE(move->is_for_zones);
    EXPECT_LE(move->from, NodeId(3));
    EXPECT_EQ(move->to, NodeId(6));
    std::vector<NodeId> after = chunk.set;
    std::replace(after.begin(), after.end(), move->from, move->to);
    const auto again = plan.Offer(chunk.size, after);
    EXPECT_FALSE(again.has_value() && again->is_for_zones);
  }
}

TEST(RebalancePlan, WhoTakesNoPartNeitherGivesNorTakes) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u, 4u, 5u}) cluster.Add(id);
  for (int i = 0; i < 100; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  cluster.Node(NodeId(1)).takes_part = false;
  cluster.Node(NodeId(5)).takes_part = false;
  auto plan = cluster.Plan();
  const auto moved = cluster.Round(plan);  // Carry checks
  EXPECT_GT(moved.moves, 0u);
  EXPECT_EQ(cluster.Node(NodeId(1)).held_bytes, 100 * kMiB);
  EXPECT_EQ(cluster.Node(NodeId(5)).held_bytes, 0u);
}

TEST(RebalancePlan, WhatWasNotMovedIsMovedLater) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u, 4u}) cluster.Add(id);
  for (int i = 0; i < 4; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  const auto needed = plan.bytes_needed();
  const auto move = plan.Offer(kMiB, cluster.chunks[0].set);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(plan.bytes_needed(), needed - kMiB);
  plan.TakeBack(*move, kMiB);
  EXPECT_EQ(plan.bytes_needed(), needed);
  EXPECT_TRUE(plan.Offer(kMiB, cluster.chunks[1].set).has_value());
}

TEST(RebalancePlan, WhoHoldsTheBytesAlreadyIsPreferred) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u, 4u, 5u}) cluster.Add(id);
  for (int i = 0; i < 50; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  auto plan = cluster.Plan();
  for (const std::uint32_t offering : {5u, 4u, 4u, 5u, 5u}) {
    const auto move = plan.Offer(kMiB, cluster.chunks[0].set, {NodeId(offering)});
    ASSERT_TRUE(move.has_value());
    EXPECT_EQ(move->to, NodeId(offering));
  }
}

TEST(RebalancePlan, SmallDifferencesAreLeftAlone) {
  Cluster cluster;
  for (const std::uint32_t id : {1u, 2u, 3u, 4u}) cluster.Add(id);
  for (int i = 0; i < 8; ++i) cluster.AddChunk(kMiB, {1, 2, 3});
  EXPECT_TRUE(cluster.Plan(5 * kMiB).IsWorthIt());
  EXPECT_FALSE(cluster.Plan(6 * kMiB).IsWorthIt()) << "6 MiB are its part";
}

// A cluster with chunks put as placement puts them, before some of its nodes have joined.
Cluster RandomCluster(Random& random) {
  Cluster cluster;
  const auto count = static_cast<std::uint32_t>(4 + random.Next() % 8);
  const auto old_count = static_cast<std::uint32_t>(3 + random.Next() % (count - 3));
  const std::size_t zones = 1 + random.Next() % 5;
  const bool has_equal_disks = random.Next() % 2 == 0;
  for (std::uint32_t id = 1; id <= count; ++id) {
    const std::uint64_t capacity = has_equal_disks ? 10'000 : 2'000 + random.Next() % 20'000;
    cluster.Add(id, std::string(1, static_cast<char>('a' + random.Next() % zones)), capacity * kMiB);
    if (random.Next() % 10 == 0) cluster.nodes.back().takes_part = false;
  }
  const std::size_t chunks = random.Next() % 600;
  for (std::size_t i = 0; i < chunks; ++i) {
    std::vector<std::uint32_t> set;
    while (set.size() < kReplicas) {
      const auto id = static_cast<std::uint32_t>(1 + random.Next() % old_count);
      if (std::find(set.begin(), set.end(), id) == set.end()) set.push_back(id);
    }
    cluster.AddChunk(1 + random.Next() % (5 * kMiB), set);
  }
  return cluster;
}

TEST(RebalancePlan, NeverMovesMoreThanIsNeededInAnyCluster) {
  Random random(4711);
  std::uint64_t moved_bytes = 0;
  std::uint64_t needed_bytes = 0;
  for (int run = 0; run < dfs::testing::Trials(1'000); ++run) {
    SCOPED_TRACE(run);
    Cluster cluster = RandomCluster(random);
    // Zones first, so that the bound is that of the balance alone.
    for (int round = 0; round < 5; ++round) {
      auto plan = cluster.Plan();
      for (auto& chunk : cluster.chunks) {
        Cluster::Moved moved;
        const auto move = plan.Offer(chunk.size, chunk.set);
        if (move && move->is_for_zones) {
          cluster.Carry(chunk, *move, moved);
        } else if (move) {
          plan.TakeBack(*move, chunk.size);
        }
      }
    }
    auto plan = cluster.Plan();
    const std::uint64_t needed = plan.bytes_needed();
    const auto moved = cluster.Round(plan);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_EQ(moved.zone_bytes, 0u) << "five rounds put everything into as many zones as can be";
    EXPECT_LE(moved.balance_bytes, needed);
    EXPECT_EQ(moved.balance_bytes, needed - plan.bytes_needed()) << "each byte brings it nearer";
    for (const NodeId giver : moved.givers) EXPECT_FALSE(moved.takers.contains(giver));
    moved_bytes += moved.balance_bytes;
    needed_bytes += needed;
    // And it comes to an end.
    std::size_t more = 0;
    for (int round = 0; round < 3; ++round) {
      auto next = cluster.Plan();
      more = cluster.Round(next).moves;
    }
    EXPECT_EQ(more, 0u);
  }
  // The rest stays for reasons: a taker holds a copy already, a zone would be shared, or the piece is too large.
  EXPECT_GT(moved_bytes, needed_bytes / 2);
}

// Without zones everything that a joiner lacks can be brought, down to less than one chunk.
TEST(RebalancePlan, JoinersAreFilledToWithinOneChunk) {
  Random random(815);
  for (int run = 0; run < 300; ++run) {
    SCOPED_TRACE(run);
    Cluster cluster = RandomCluster(random);
    for (auto& node : cluster.nodes) {
      node.zone = "";
      node.takes_part = true;
      node.capacity_bytes = 100'000 * kMiB;
    }
    if (cluster.chunks.size() < 200) continue;
    auto plan = cluster.Plan();
    const std::uint64_t needed = plan.bytes_needed();
    std::uint64_t moved = 0;
    // A round moves one copy of a chunk at most; of three that stand on old nodes, all may have to go.
    for (std::size_t round = 0; round < kReplicas; ++round) {
      auto next = cluster.Plan();
      moved += cluster.Round(next).balance_bytes;
    }
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_LE(moved, needed) << "rounds together, too";
    for (const auto& node : cluster.nodes) {
      EXPECT_GE(node.held_bytes + 5 * kMiB, plan.TargetOf(node.node)) << node.node;
    }
  }
}

}  // namespace
}  // namespace dfs::placement
