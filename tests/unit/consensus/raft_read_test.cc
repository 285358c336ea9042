// Read indexes (dissertation section 6.4, rule R10 of the core's part).
#include <gtest/gtest.h>

#include "server/consensus/read_index.h"
#include "tests/support/raft_cluster.h"
#include "tests/unit/consensus/raft_test_messages.h"

namespace dfs::consensus {
namespace {


TEST(RaftRead, WaitsForTheTermsFirstEntry) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, LogOfTerms({1}), 1));
  cluster.FireTimer(1);
  cluster.Step(1, From(2, 1, 1, PreVoteReply{Term(2), true}));
  cluster.Step(1, From(2, 1, 2, VoteReply{true}));
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  cluster.Step(1, ReadIndex{9});
  // A quorum confirms that it leads, but what earlier leaders committed is not known yet.
  cluster.Step(1, From(2, 1, 2, Success(1, 2, 1)));
  EXPECT_TRUE(cluster.node(1).reads.empty());
  cluster.Step(1, From(2, 1, 2, Success(2, 2, 1)));
  ASSERT_EQ(cluster.node(1).reads.size(), 1u);
  EXPECT_EQ(cluster.node(1).reads[0].index, LogIndex(2));
}

TEST(RaftRead, ALeaderThatIsCutOffAnswersNothing) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Isolate({1});
  cluster.Step(1, ReadIndex{9});
  cluster.Advance(absl::Seconds(3));
  EXPECT_TRUE(cluster.node(1).reads.empty());
  ASSERT_EQ(cluster.node(1).rejected.size(), 1u) << "it stepped down and said so";
  EXPECT_TRUE(cluster.node(1).rejected[0].is_read);
  EXPECT_EQ(cluster.node(1).rejected[0].reason, RejectReason::kNotLeader);
}

TEST(RaftRead, FollowersRejectReads) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Step(2, ReadIndex{4});
  ASSERT_EQ(cluster.node(2).rejected.size(), 1u);
  EXPECT_EQ(cluster.node(2).rejected[0].token, 4u);
}

TEST(RaftRead, NeverJoinsARoundThatWasSent) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.queue().clear();
  cluster.Step(1, ReadIndex{1});
  const auto first = Take<AppendRequest>(cluster);
  ASSERT_EQ(first.size(), 2u);
  const std::uint64_t round = first[0].second.read_round;
  cluster.Step(1, ReadIndex{2});  // the round is out already
  cluster.Step(1, From(2, 1, 1, Success(1, first[0].second.sequence, round)));
  ASSERT_EQ(cluster.node(1).reads.size(), 1u);
  EXPECT_EQ(cluster.node(1).reads[0].context, 1u);
  const auto second = Take<AppendRequest>(cluster);
  ASSERT_FALSE(second.empty()) << "the next round leaves as soon as the first is confirmed";
  EXPECT_GT(second[0].second.read_round, round);
  cluster.Step(1, From(2, 1, 1, Success(1, second[0].second.sequence, round)));  // an old echo
  EXPECT_EQ(cluster.node(1).reads.size(), 1u);
  cluster.Step(1,
               From(2, 1, 1, Success(1, second[0].second.sequence, second[0].second.read_round)));
  EXPECT_EQ(cluster.node(1).reads.size(), 2u);
}

TEST(RaftRead, AfterAPauseOldEchoesConfirmNothing) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.queue().clear();
  RaftCore& core = cluster.core(1);
  Output output = core.Step(cluster.now(), ReadIndex{1});
  const auto* sent = std::get_if<AppendRequest>(&output.messages.at(0).body);
  ASSERT_NE(sent, nullptr);
  const std::uint64_t round = sent->read_round;
  // The process stops for 5 s; the echo waited in its socket all that time.
  const MonotonicTime late = cluster.now() + absl::Seconds(5);
  output = core.Step(late, Tick{});
  output = core.Step(late, From(2, 1, 1, Success(1, 99, round)));
  EXPECT_TRUE(output.reads.empty());
  output = core.Step(late, From(2, 1, 1, Success(1, 99, round + 1)));
  EXPECT_EQ(output.reads.size(), 1u) << "the round that was sent after the pause";
}

TEST(RaftRead, ARoundNeedsBothMajoritiesWhileJoint) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3}, {4, 5}));
  cluster.Elect(1);
  cluster.Advance(absl::Milliseconds(100));
  cluster.is_dropped = [](const Message& m) { return m.to == NodeId(4) || m.to == NodeId(5); };
  cluster.Step(1, ProposeVoters{1, {NodeId(1), NodeId(4), NodeId(5)}});
  cluster.Step(1, ReadIndex{1});
  cluster.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(cluster.node(1).reads.empty());
}

TEST(RaftRead, ALostRoundIsAskedAgainWithTheNextHeartbeat) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Step(1, ReadIndex{1});
  cluster.queue().clear();
  cluster.Advance(absl::Milliseconds(60));
  EXPECT_EQ(cluster.node(1).reads.size(), 1u);
}

TEST(RaftRead, WaitingReadsAreBounded) {
  RaftCluster cluster;
  cluster.defaults.reads_max = 3;
  cluster.Add(1, kThree);
  cluster.Add(2, kThree);
  cluster.Elect(1);
  cluster.Isolate({2});
  for (std::uint64_t i = 1; i <= 5; ++i) cluster.Step(1, ReadIndex{i});
  ASSERT_EQ(cluster.node(1).rejected.size(), 2u);
  EXPECT_EQ(cluster.node(1).rejected[0].reason, RejectReason::kOverloaded);
}

TEST(ReadIndexQueue, AnswersInOrderWhenConfirmedAndHeld) {
  ReadIndexQueue queue;
  queue.Add(1);
  queue.Close(LogIndex(5));
  queue.Add(2);
  queue.Close(LogIndex(6));
  queue.Confirm([](std::uint64_t round) { return round <= 1; });
  EXPECT_TRUE(queue.TakeReady(LogIndex(4)).empty());
  EXPECT_EQ(queue.TakeReady(LogIndex(9)).size(), 1u);
  queue.Confirm([](std::uint64_t) { return true; });
  EXPECT_EQ(queue.TakeReady(LogIndex(9)).size(), 1u);
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace dfs::consensus
