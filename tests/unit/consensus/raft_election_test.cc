// Elections, rule by rule (dissertation chapters 3, 4.2.3, 6.2, 9.6; rule R5).
#include <gtest/gtest.h>

#include "tests/support/raft_cluster.h"
#include "tests/support/trials.h"
#include "tests/unit/consensus/raft_test_messages.h"

namespace dfs::consensus {
namespace {


TEST(RaftElection, FollowerAsksForPreVotesWithinTheElectionTimeout) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    RaftCluster cluster;
    cluster.Add(seed, MakeConfiguration({seed, 100, 101}));
    const absl::Duration wait = cluster.node(seed).deadline - cluster.now();
    EXPECT_GE(wait, absl::Milliseconds(250));
    EXPECT_LT(wait, absl::Milliseconds(500));
    cluster.FireTimer(seed);
    EXPECT_EQ(Take<PreVoteRequest>(cluster).size(), 2u);
  }
}

TEST(RaftElection, PreVoteChangesNeitherTermNorVoteNorDisk) {
  RaftCluster cluster(kThree);
  cluster.Isolate({1});
  for (int i = 0; i < 20; ++i) cluster.Elect(1);
  EXPECT_EQ(cluster.core(1).term(), Term(0)) << "the candidate";
  cluster.Step(2, From(1, 2, 7, PreVoteRequest{Term(8), LogIndex(9), Term(7), false}));
  EXPECT_EQ(cluster.core(2).term(), Term(0)) << "the voter";
  EXPECT_EQ(cluster.node(2).disk_hard_state, HardState());
}

TEST(RaftElection, AReturningMemberDoesNotDeposeTheLeader) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Isolate({3});
  cluster.Advance(absl::Seconds(5));
  cluster.Isolate({});
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
  EXPECT_EQ(cluster.core(3).leader(), NodeId(1));
}

TEST(RaftElection, GrantedPreVoteOfAnOlderTermCounts) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, {}, 5));
  cluster.FireTimer(1);
  cluster.Step(1, From(2, 1, 3, PreVoteReply{Term(6), true}));
  EXPECT_EQ(cluster.core(1).role(), Role::kCandidate);
}

TEST(RaftElection, LatePreVoteRepliesOfAnEarlierCampaignDoNotCount) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, {}, 5));
  cluster.FireTimer(1);
  cluster.Step(1, From(2, 1, 3, PreVoteReply{Term(5), true}));
  EXPECT_EQ(cluster.core(1).role(), Role::kPreCandidate);
}

TEST(RaftElection, NobodyIsAskedBeforeTheOwnVoteIsDurable) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  cluster.node(1).hold_disk = true;
  cluster.FireTimer(1);
  cluster.queue().clear();
  cluster.Step(1, From(2, 1, 0, PreVoteReply{Term(1), true}));
  ASSERT_EQ(cluster.core(1).role(), Role::kCandidate);
  EXPECT_TRUE(Take<VoteRequest>(cluster).empty());
  cluster.PersistAll(1);
  EXPECT_EQ(Take<VoteRequest>(cluster).size(), 2u);
  EXPECT_EQ(cluster.node(1).disk_hard_state, (HardState{Term(1), NodeId(1)}));
}

TEST(RaftElection, TheOnlyVoterLeadsWhenItsVoteIsDurableAndNotBefore) {
  Options options;
  options.self = NodeId(1);
  const MonotonicTime now = absl::UnixEpoch();
  RaftCore core(options, StateWith(MakeConfiguration({1}), {}, 0), now);
  const Output output = core.Step(now, Tick{});
  ASSERT_TRUE(output.hard_state);
  EXPECT_EQ(core.role(), Role::kCandidate);
  (void)core.Step(now, Persisted{LogIndex(), Term(), *output.hard_state});
  EXPECT_EQ(core.role(), Role::kLeader);
}

TEST(RaftElection, AVoteLeavesWhenItIsDurableAndNotBefore) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  cluster.node(1).hold_disk = true;
  cluster.Step(1, From(2, 1, 1, AskForVote(0, 0)));
  EXPECT_TRUE(Take<VoteReply>(cluster).empty());
  cluster.Step(1, From(2, 1, 1, AskForVote(0, 0)));  // the request's double
  EXPECT_TRUE(Take<VoteReply>(cluster).empty());
  cluster.PersistAll(1);
  const auto replies = Take<VoteReply>(cluster);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(replies[0].second.is_granted);
}

TEST(RaftElection, AVoteLostInACrashWasNeverGivenAway) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  cluster.node(1).hold_disk = true;
  cluster.Step(1, From(2, 1, 1, AskForVote(0, 0)));
  cluster.Crash(1);
  EXPECT_TRUE(Take<VoteReply>(cluster).empty());
  cluster.node(1).hold_disk = false;
  cluster.Restart(1);
  cluster.Step(1, From(3, 1, 1, AskForVote(0, 0)));
  const auto replies = Take<VoteReply>(cluster);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(replies[0].second.is_granted);
}

TEST(RaftElection, OneVoteInATermAlsoAcrossARestart) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  cluster.Step(1, From(2, 1, 1, AskForVote(0, 0)));
  ASSERT_TRUE(Take<VoteReply>(cluster)[0].second.is_granted);
  cluster.Step(1, From(3, 1, 1, AskForVote(9, 1)));
  EXPECT_FALSE(Take<VoteReply>(cluster)[0].second.is_granted);
  cluster.Crash(1);
  cluster.Restart(1);
  cluster.Step(1, From(3, 1, 1, AskForVote(9, 1)));
  EXPECT_FALSE(Take<VoteReply>(cluster)[0].second.is_granted);
  cluster.Step(1, From(2, 1, 1, AskForVote(0, 0)));
  EXPECT_TRUE(Take<VoteReply>(cluster)[0].second.is_granted) << "the same vote again";
}

TEST(RaftElection, SteppingDownWithinATermKeepsTheVote) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  cluster.FireTimer(1);
  cluster.Step(1, From(2, 1, 0, PreVoteReply{Term(1), true}));
  ASSERT_EQ(cluster.core(1).role(), Role::kCandidate);
  cluster.Step(1, From(2, 1, 1, Append(0, 0, {MakeEntry(1, 1)})));  // 2 won this term
  ASSERT_EQ(cluster.core(1).role(), Role::kFollower);
  cluster.queue().clear();
  cluster.Step(1, From(3, 1, 1, AskForVote(1, 1)));
  EXPECT_FALSE(Take<VoteReply>(cluster)[0].second.is_granted);
  EXPECT_EQ(cluster.node(1).disk_hard_state.voted_for, NodeId(1));
}

TEST(RaftElection, OnlyAnUpToDateLogGetsVotes) {
  // Section 3.6.1: later last term, or equal last term and at least as long.
  struct Case {
    std::uint64_t last_index;
    std::uint64_t last_term;
    bool is_granted;
  };
  for (const Case& c : {Case{3, 2, true}, Case{4, 2, true}, Case{2, 2, false}, Case{1, 3, true},
                        Case{9, 1, false}, Case{0, 0, false}}) {
    RaftCluster cluster;
    cluster.Add(1, StateWith(kThree, LogOfTerms({1, 1, 2}), 2));
    cluster.Step(
        1,
        From(2, 1, 5, PreVoteRequest{Term(6), LogIndex(c.last_index), Term(c.last_term), false}));
    EXPECT_EQ(Take<PreVoteReply>(cluster)[0].second.is_granted, c.is_granted);
    cluster.Step(1, From(2, 1, 5, AskForVote(c.last_index, c.last_term)));
    EXPECT_EQ(Take<VoteReply>(cluster)[0].second.is_granted, c.is_granted)
        << c.last_index << "/" << c.last_term;
    EXPECT_EQ(cluster.core(1).term(), Term(5));
  }
}

TEST(RaftElection, AMajorityOfVotesMakesALeaderAndFewerDoNot) {
  RaftCluster cluster;
  cluster.Add(1, MakeConfiguration({1, 2, 3, 4, 5}));
  cluster.FireTimer(1);
  for (const std::uint32_t from : {2u, 3u}) {
    cluster.Step(1, From(from, 1, 0, PreVoteReply{Term(1), true}));
  }
  ASSERT_EQ(cluster.core(1).role(), Role::kCandidate);
  cluster.Step(1, From(2, 1, 1, VoteReply{true}));
  cluster.Step(1, From(2, 1, 1, VoteReply{true}));  // its double is one vote
  cluster.Step(1, From(4, 1, 1, VoteReply{false}));
  EXPECT_EQ(cluster.core(1).role(), Role::kCandidate);
  cluster.Step(1, From(9, 1, 1, VoteReply{true}));  // no voter
  EXPECT_EQ(cluster.core(1).role(), Role::kCandidate);
  cluster.Step(1, From(5, 1, 1, VoteReply{true}));
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader);
}

TEST(RaftElection, AHigherTermMakesAFollower) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  AppendReply reply;
  cluster.Step(1, From(2, 1, 9, reply));
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(1).term(), Term(9));
  EXPECT_EQ(cluster.node(1).disk_hard_state, (HardState{Term(9), NodeId()}));
}

TEST(RaftElection, LeadersAndCandidatesOfOldTermsAreToldTheTerm) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, {}, 7));
  cluster.Step(1, From(2, 1, 6, Append(0, 0, {})));
  const auto append = Take<AppendReply>(cluster);
  ASSERT_EQ(append.size(), 1u);
  EXPECT_FALSE(append[0].second.is_success);
  EXPECT_EQ(append[0].first.term, Term(7));
  EXPECT_TRUE(cluster.core(1).leader().is_none());
  cluster.Step(1, From(2, 1, 6, AskForVote(99, 6)));
  EXPECT_FALSE(Take<VoteReply>(cluster)[0].second.is_granted);
  cluster.Step(1, From(2, 1, 6, PreVoteRequest{Term(7), LogIndex(99), Term(6), false}));
  EXPECT_FALSE(Take<PreVoteReply>(cluster)[0].second.is_granted);
}

TEST(RaftElection, WhoHearsALeaderRefusesVotesAndKeepsItsTerm) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Step(2, From(3, 2, 8, AskForVote(99, 8)));
  EXPECT_EQ(cluster.core(2).term(), Term(1));
  EXPECT_TRUE(Take<VoteReply>(cluster).empty());
  cluster.Step(2, From(3, 2, 1, PreVoteRequest{Term(2), LogIndex(99), Term(1), false}));
  EXPECT_FALSE(Take<PreVoteReply>(cluster)[0].second.is_granted);
  cluster.Step(1, From(3, 1, 8, AskForVote(99, 8)));
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader) << "the leader itself is as firm";
}

TEST(RaftElection, StickinessEndsWithTheShortestElectionTimeout) {
  RaftCluster cluster;
  cluster.Add(2, kThree);
  cluster.Step(2, From(1, 2, 1, Append(0, 0, {})));
  const PreVoteRequest request{Term(2), LogIndex(0), Term(0), false};
  cluster.Advance(absl::Milliseconds(249));
  cluster.queue().clear();
  cluster.Step(2, From(3, 2, 1, request));
  EXPECT_FALSE(Take<PreVoteReply>(cluster)[0].second.is_granted);
  cluster.Advance(absl::Milliseconds(1));
  cluster.queue().clear();
  cluster.Step(2, From(3, 2, 1, request));
  EXPECT_TRUE(Take<PreVoteReply>(cluster)[0].second.is_granted);
}

TEST(RaftElection, OwnEvidenceLiftsStickinessForBothKindsOfVote) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Step(2, LeaderSuspected{NodeId(1), Term(1)});
  cluster.Step(2, From(3, 2, 1, PreVoteRequest{Term(2), LogIndex(99), Term(1), false}));
  EXPECT_TRUE(Take<PreVoteReply>(cluster)[0].second.is_granted);
  cluster.Step(2, From(3, 2, 2, AskForVote(99, 1)));
  EXPECT_TRUE(Take<VoteReply>(cluster)[0].second.is_granted);
}

TEST(RaftElection, EvidenceAgainstAnotherLeaderOrTermLiftsNothing) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Step(2, LeaderSuspected{NodeId(3), Term(1)});
  cluster.Step(2, LeaderSuspected{NodeId(1), Term(0)});
  cluster.Step(2, From(3, 2, 1, PreVoteRequest{Term(2), LogIndex(99), Term(1), false}));
  EXPECT_FALSE(Take<PreVoteReply>(cluster)[0].second.is_granted);
}

TEST(RaftElection, ASignOfLifeRefutesTheEvidence) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Step(2, LeaderSuspected{NodeId(1), Term(1)});
  cluster.Step(2, From(1, 2, 1, Append(1, 1, {})));
  cluster.queue().clear();
  cluster.Step(2, From(3, 2, 1, PreVoteRequest{Term(2), LogIndex(99), Term(1), false}));
  EXPECT_FALSE(Take<PreVoteReply>(cluster)[0].second.is_granted);
  EXPECT_GE(cluster.node(2).deadline - cluster.now(), absl::Milliseconds(250));
}

TEST(RaftElection, SharedEvidenceElectsAtOnce) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Crash(1);
  cluster.Step(2, LeaderSuspected{NodeId(1), Term(1)});
  cluster.Step(3, LeaderSuspected{NodeId(1), Term(1)});
  cluster.Advance(absl::Milliseconds(60));
  EXPECT_NE(cluster.Leader(), 0u);
}

TEST(RaftElection, EvidenceOfALearnerStartsNoCampaign) {
  RaftCluster cluster(MakeConfiguration({1}, {2}));
  cluster.Advance(absl::Milliseconds(200));
  cluster.Step(2, LeaderSuspected{NodeId(1), cluster.core(2).term()});
  EXPECT_EQ(cluster.node(2).deadline, absl::InfiniteFuture());
}

TEST(RaftElection, ALeaderThatNobodyAnswersStepsDown) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Isolate({1});
  cluster.Advance(absl::Milliseconds(240));
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader);
  cluster.Advance(absl::Milliseconds(120));
  EXPECT_NE(cluster.core(1).role(), Role::kLeader);
  EXPECT_EQ(cluster.core(1).term(), Term(1)) << "within its term";
}

TEST(RaftElection, ALateTickDoesNotCampaignOnStaleEvidence) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  RaftCore& core = cluster.core(2);
  const MonotonicTime late = cluster.node(2).deadline + absl::Milliseconds(101);
  const Output output = core.Step(late, Tick{});
  EXPECT_EQ(core.role(), Role::kFollower);
  EXPECT_TRUE(output.messages.empty());
  EXPECT_GE(output.next_deadline - late, absl::Milliseconds(250));
}

TEST(RaftElection, AMachineThatIsAlwaysLateCampaignsAllTheSame) {
  RaftCluster cluster(kThree);
  RaftCore& core = cluster.core(2);
  MonotonicTime deadline = cluster.node(2).deadline;
  for (int i = 0; i < 10 && core.role() == Role::kFollower; ++i) {
    deadline = core.Step(deadline + absl::Milliseconds(150), Tick{}).next_deadline;
  }
  EXPECT_EQ(core.role(), Role::kPreCandidate);
}

TEST(RaftElection, ANodeOutsideTheConfigurationNeverCampaigns) {
  RaftCluster cluster;
  cluster.Add(9, Configuration());
  EXPECT_EQ(cluster.node(9).deadline, absl::InfiniteFuture());
  cluster.Add(8, MakeConfiguration({1, 2, 3}));
  EXPECT_EQ(cluster.node(8).deadline, absl::InfiniteFuture());
}

TEST(RaftElection, AMessageForSomebodyElseIsDropped) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  cluster.Step(1, From(2, 3, 9, AskForVote(9, 9)));
  EXPECT_EQ(cluster.core(1).term(), Term(0));
  EXPECT_TRUE(cluster.queue().empty());
}

// All ways in which the links between five members can be cut. Where somebody still reaches a
// majority, there is a leader that commits; where nobody does, there is none.
TEST(RaftElection, ALeaderExistsWhereSomebodyReachesAMajority) {
  // All of them, or as many that have each link in turn.
  const std::uint32_t step = dfs::testing::Trials(1024) < 1024 ? 5 : 1;
  for (std::uint32_t links = 0; links < 1024; links += step) {
    const auto is_linked = [&](std::uint32_t a, std::uint32_t b) {
      if (a > b) std::swap(a, b);
      std::uint32_t bit = 0;
      for (std::uint32_t i = 1; i <= 5; ++i) {
        for (std::uint32_t j = i + 1; j <= 5; ++j, ++bit) {
          if (i == a && j == b) return (links >> bit & 1) != 0;
        }
      }
      return false;
    };
    bool is_possible = false;
    for (std::uint32_t a = 1; a <= 5; ++a) {
      int reached = 1;
      for (std::uint32_t b = 1; b <= 5; ++b) reached += a != b && is_linked(a, b) ? 1 : 0;
      is_possible |= reached >= 3;
    }
    RaftCluster cluster(MakeConfiguration({1, 2, 3, 4, 5}));
    cluster.Elect(1 + links % 5);
    cluster.Advance(absl::Milliseconds(100));
    ASSERT_NE(cluster.Leader(), 0u);
    cluster.is_dropped = [&](const Message& m) { return !is_linked(m.from.value(), m.to.value()); };
    cluster.Advance(absl::Seconds(6));
    const std::uint32_t leader = cluster.Leader();
    bool has_committed = false;
    if (leader != 0) {
      const auto index = cluster.Propose(leader, "x");
      cluster.Deliver();
      has_committed = index && cluster.core(leader).commit_index() >= *index;
    }
    ASSERT_EQ(has_committed, is_possible) << "links " << links;
  }
}

// 1, 2 and 3 see each other, 4 sees only 2, and 5 only 3: whoever leads stays (Cloudflare 2020;
// section 9.6 with check-quorum and stickiness).
TEST(RaftElection, PartialLinksDoNotMakeLeadershipWander) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3, 4, 5}));
  cluster.Elect(1);
  cluster.is_dropped = [](const Message& m) {
    const auto low = std::min(m.from.value(), m.to.value());
    const auto high = std::max(m.from.value(), m.to.value());
    return !(high <= 3 || (low == 2 && high == 4) || (low == 3 && high == 5));
  };
  cluster.Advance(absl::Seconds(30));
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
}

// The leader's words arrive, answers do not: it steps down, and others elect one of their own.
TEST(RaftElection, ALeaderThatIsDeafIsReplaced) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.is_dropped = [](const Message& m) { return m.to == NodeId(1); };
  cluster.Advance(absl::Seconds(3));
  EXPECT_NE(cluster.Leader(), 0u);
  EXPECT_NE(cluster.Leader(), 1u);
}

}  // namespace
}  // namespace dfs::consensus
