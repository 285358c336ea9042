// The everyday life of a group: elect, replicate, read, survive a restart.
#include <gtest/gtest.h>

#include "tests/support/raft_cluster.h"

namespace dfs::consensus {
namespace {

TEST(RaftGroup, OneVoterLeadsAndCommitsByItself) {
  RaftCluster cluster(MakeConfiguration({1}));
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader);
  const auto index = cluster.Propose(1, "a");
  ASSERT_TRUE(index);
  EXPECT_EQ(cluster.core(1).commit_index(), *index);
  cluster.Step(1, ReadIndex{7});
  ASSERT_EQ(cluster.node(1).reads.size(), 1u);
  EXPECT_EQ(cluster.node(1).reads[0].index, *index);
}

TEST(RaftGroup, ThreeVotersElectAndReplicate) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3}));
  cluster.Advance(absl::Seconds(1));
  const std::uint32_t leader = cluster.Leader();
  ASSERT_NE(leader, 0u);
  const auto index = cluster.Propose(leader, "a");
  ASSERT_TRUE(index);
  cluster.Deliver();
  for (std::uint32_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(cluster.core(id).commit_index(), *index) << id;
    EXPECT_EQ(LogOf(cluster.core(id)), LogOf(cluster.core(leader))) << id;
  }
  EXPECT_EQ(cluster.core(leader).held_index(), *index);
}

TEST(RaftGroup, LeaderIsStableWhileItsMessagesArrive) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3}));
  cluster.Advance(absl::Seconds(1));
  const std::uint32_t leader = cluster.Leader();
  const Term term = cluster.core(leader).term();
  cluster.Advance(absl::Seconds(60));
  EXPECT_EQ(cluster.Leader(), leader);
  EXPECT_EQ(cluster.core(leader).term(), term);
}

TEST(RaftGroup, NewLeaderFollowsTheDeathOfTheOld) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3}));
  cluster.Advance(absl::Seconds(1));
  const std::uint32_t old = cluster.Leader();
  ASSERT_TRUE(cluster.Propose(old, "kept"));
  cluster.Deliver();
  cluster.Crash(old);
  cluster.Advance(absl::Seconds(2));
  const std::uint32_t leader = cluster.Leader();
  ASSERT_NE(leader, 0u);
  ASSERT_NE(leader, old);
  const auto index = cluster.Propose(leader, "after");
  ASSERT_TRUE(index);
  cluster.Deliver();
  cluster.Restart(old);
  cluster.Advance(absl::Milliseconds(200));
  EXPECT_EQ(cluster.core(old).commit_index(), *index);
  EXPECT_EQ(LogOf(cluster.core(old)), LogOf(cluster.core(leader)));
}

TEST(RaftGroup, ReadIndexCoversWhatWasCommittedBefore) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3}));
  cluster.Elect(1);
  const auto index = cluster.Propose(1, "a");
  cluster.Deliver();
  cluster.Step(1, ReadIndex{42});
  EXPECT_TRUE(cluster.node(1).reads.empty()) << "no quorum was asked";
  cluster.Deliver();
  ASSERT_EQ(cluster.node(1).reads.size(), 1u);
  EXPECT_EQ(cluster.node(1).reads[0].context, 42u);
  EXPECT_GE(cluster.node(1).reads[0].index, *index);
}

TEST(RaftGroup, GrowsFromOneToThreeVoters) {
  RaftCluster cluster;
  cluster.Add(1, MakeConfiguration({1}));
  cluster.Add(2, Configuration());
  cluster.Add(3, Configuration());
  Configuration next = MakeConfiguration({1}, {}, {2, 3});
  cluster.Step(1, ProposeMembers{1, next, Command("join")});
  cluster.Deliver();
  EXPECT_EQ(cluster.core(3).commit_index(), cluster.core(1).commit_index());
  cluster.Step(1, ProposeMembers{2, MakeConfiguration({1}, {2, 3}), nullptr});
  cluster.Deliver();
  cluster.Step(1, ProposeVoters{3, {NodeId(1), NodeId(2), NodeId(3)}});
  cluster.Deliver();
  ASSERT_TRUE(cluster.node(1).rejected.empty());
  EXPECT_EQ(cluster.core(2).configuration(), MakeConfiguration({1, 2, 3}));
  EXPECT_FALSE(cluster.core(1).configuration().is_joint());
}

}  // namespace
}  // namespace dfs::consensus
