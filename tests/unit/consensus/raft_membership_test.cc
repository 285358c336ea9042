// Changes of members and voters (dissertation chapter 4), leadership transfer (3.10), rules R6 and
// R7.
#include <gtest/gtest.h>

#include "tests/support/raft_cluster.h"
#include "tests/unit/consensus/raft_test_messages.h"

namespace dfs::consensus {
namespace {

std::set<NodeId> Voters(std::initializer_list<std::uint32_t> ids) {
  std::set<NodeId> voters;
  for (const auto id : ids) voters.insert(NodeId(id));
  return voters;
}

// Voters 1, 2, 3; 4, 5 and 6 active learners; 1 leads and everybody is up to date.
class RaftMembership : public ::testing::Test {
 protected:
  RaftMembership() : cluster_(MakeConfiguration({1, 2, 3}, {4, 5, 6})) {
    cluster_.Elect(1);
    cluster_.Advance(absl::Milliseconds(100));
  }
  void ChangeVoters(std::set<NodeId> voters) {
    cluster_.Step(1, ProposeVoters{77, std::move(voters)});
  }
  RaftCluster cluster_;
};

TEST_F(RaftMembership, VotersChangeThroughJointAndBackByThemselves) {
  ChangeVoters(Voters({1, 4, 5}));
  EXPECT_TRUE(cluster_.core(1).configuration().is_joint()) << "in force when appended";
  cluster_.Deliver();
  for (std::uint32_t id = 1; id <= 6; ++id) {
    EXPECT_EQ(cluster_.core(id).configuration().voters, Voters({1, 4, 5})) << id;
    EXPECT_FALSE(cluster_.core(id).configuration().is_joint()) << id;
  }
  EXPECT_EQ(cluster_.Leader(), 1u);
}

TEST_F(RaftMembership, JointNeedsTheOldMajorityToo) {
  cluster_.is_dropped = [](const Message& m) { return m.to == NodeId(2) || m.to == NodeId(3); };
  const LogIndex before = cluster_.core(1).commit_index();
  ChangeVoters(Voters({4, 5, 6}));
  cluster_.Deliver();
  EXPECT_EQ(cluster_.core(1).commit_index(), before);
  EXPECT_TRUE(cluster_.core(1).configuration().is_joint());
}

TEST_F(RaftMembership, JointNeedsTheNewMajorityToo) {
  cluster_.is_dropped = [](const Message& m) { return m.to == NodeId(5) || m.to == NodeId(6); };
  const LogIndex before = cluster_.core(1).commit_index();
  ChangeVoters(Voters({4, 5, 6}));
  cluster_.Deliver();
  EXPECT_EQ(cluster_.core(1).commit_index(), before);
}

TEST_F(RaftMembership, JointElectionsNeedBothMajorities) {
  // The joint entry reaches 2 and 3, then its leader dies: 2 cannot lead without two of 4, 5 and 6.
  cluster_.is_dropped = [](const Message& m) { return m.to.value() >= 4; };
  ChangeVoters(Voters({4, 5, 6}));
  cluster_.Deliver();
  cluster_.Crash(1);
  cluster_.Advance(absl::Seconds(3));
  EXPECT_EQ(cluster_.Leader(), 0u);
  cluster_.is_dropped = [](const Message&) { return false; };
  cluster_.Advance(absl::Seconds(3));
  ASSERT_NE(cluster_.Leader(), 0u);
  EXPECT_EQ(cluster_.core(cluster_.Leader()).configuration().voters, Voters({4, 5, 6}));
  EXPECT_FALSE(cluster_.core(cluster_.Leader()).configuration().is_joint())
      << "whoever leads ends joint";
}

TEST_F(RaftMembership, AnUncommittedChangeIsTakenBackWithItsEntry) {
  cluster_.Isolate({1});
  ChangeVoters(Voters({1}));
  ASSERT_TRUE(cluster_.core(1).configuration().is_joint());
  cluster_.Advance(absl::Seconds(3));
  const std::uint32_t leader = cluster_.Leader();
  ASSERT_NE(leader, 1u);
  ASSERT_TRUE(cluster_.Propose(leader, "x"));
  cluster_.Isolate({});
  cluster_.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster_.core(1).configuration(), MakeConfiguration({1, 2, 3}, {4, 5, 6}));
}

TEST_F(RaftMembership, ARestartFindsTheConfigurationInTheLog) {
  ChangeVoters(Voters({1, 2, 4}));
  cluster_.Deliver();
  cluster_.Crash(4);
  cluster_.Restart(4);
  EXPECT_EQ(cluster_.core(4).configuration().voters, Voters({1, 2, 4}));
  EXPECT_LT(cluster_.node(4).deadline, absl::InfiniteFuture()) << "it may campaign now";
}

TEST_F(RaftMembership, OneChangeAtATime) {
  cluster_.is_dropped = [](const Message& m) { return m.to != NodeId(1); };
  ChangeVoters(Voters({1, 2, 4}));
  ASSERT_TRUE(cluster_.node(1).rejected.empty());
  ChangeVoters(Voters({1, 2, 5}));
  EXPECT_EQ(cluster_.node(1).rejected.back().reason, RejectReason::kChangePending);
  Configuration next = cluster_.core(1).configuration();
  next.members.erase(NodeId(6));
  cluster_.Step(1, ProposeMembers{78, next, nullptr});
  EXPECT_EQ(cluster_.node(1).rejected.back().reason, RejectReason::kChangePending);
}

TEST(RaftMembershipRules, NoChangeBeforeTheTermsFirstEntryIsCommitted) {
  RaftCluster cluster(MakeConfiguration({1, 2, 3}, {4}));
  // Not the group's first term: its first entry is a change itself.
  cluster.Elect(1);
  cluster.Advance(absl::Milliseconds(60));
  cluster.Crash(1);
  cluster.is_dropped = [](const Message& m) { return std::holds_alternative<AppendReply>(m.body); };
  cluster.Elect(2);
  ASSERT_EQ(cluster.core(2).role(), Role::kLeader);
  cluster.Step(2, ProposeVoters{1, Voters({1, 2, 4})});
  ASSERT_FALSE(cluster.node(2).rejected.empty());
  EXPECT_EQ(cluster.node(2).rejected.back().reason, RejectReason::kChangePending);
}

TEST_F(RaftMembership, InvalidChangesAreRefused) {
  const auto refused = [&](const Configuration& next) {
    cluster_.Step(1, ProposeMembers{5, next, nullptr});
    return !cluster_.node(1).rejected.empty() &&
           cluster_.node(1).rejected.back().reason == RejectReason::kInvalid;
  };
  Configuration next = cluster_.core(1).configuration();
  next.voters.insert(NodeId(4));
  EXPECT_TRUE(refused(next)) << "voters change by ProposeVoters alone";
  next = cluster_.core(1).configuration();
  next.members.erase(NodeId(2));
  EXPECT_TRUE(refused(next)) << "a voter is a member";
  ChangeVoters(Voters({1, 2, 9}));
  EXPECT_EQ(cluster_.node(1).rejected.back().reason, RejectReason::kInvalid) << "9 is nobody";
  ChangeVoters({});
  EXPECT_EQ(cluster_.node(1).rejected.back().reason, RejectReason::kInvalid);
}

TEST_F(RaftMembership, ALeaderThatIsDroppedLeadsUntilThatIsCommittedAndIsReplacedAtOnce) {
  ChangeVoters(Voters({2, 3, 4}));
  cluster_.Deliver();
  EXPECT_NE(cluster_.core(1).role(), Role::kLeader);
  cluster_.Deliver();
  const std::uint32_t leader = cluster_.Leader();
  EXPECT_NE(leader, 0u) << "no election timeout passes";
  EXPECT_NE(leader, 1u);
  cluster_.Advance(absl::Seconds(2));
  EXPECT_EQ(cluster_.Leader(), leader) << "and the one that was dropped disturbs nobody";
}

// Figure 4.6: the entry that drops 3 has reached 3 and not 1, who is to decide alone.
TEST(RaftMembershipRules, WhoIsDroppedCampaignsUntilThatIsCommitted) {
  const Configuration three = MakeConfiguration({1, 2, 3});
  Configuration joint = three.EnterJoint(Voters({1}));
  const auto entry = [](std::uint64_t index, const Configuration& c) {
    return Entry{Term(1), LogIndex(index), std::make_shared<const Configuration>(c), nullptr};
  };
  RaftCluster cluster;
  cluster.Add(1, StateWith(three, {entry(1, joint)}, 1, 2));
  cluster.Add(3, StateWith(three, {entry(1, joint), entry(2, joint.LeaveJoint())}, 1, 2));
  cluster.Advance(absl::Seconds(3));
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_GE(cluster.core(1).commit_index(), LogIndex(3));
  EXPECT_FALSE(cluster.core(1).configuration().is_joint());
}

TEST_F(RaftMembership, LearnersCountForNothing) {
  cluster_.Crash(2);
  cluster_.Crash(3);
  const LogIndex before = cluster_.core(1).commit_index();
  ASSERT_TRUE(cluster_.Propose(1, "x"));
  cluster_.Deliver();
  EXPECT_EQ(cluster_.core(4).last_log_index(), cluster_.core(1).last_log_index());
  EXPECT_EQ(cluster_.core(1).commit_index(), before);
  cluster_.Advance(absl::Seconds(2));
  EXPECT_EQ(cluster_.Leader(), 0u) << "nor in check-quorum, nor in elections";
}

TEST(RaftMembershipRules, ALearnerVotesForACandidateThatKnowsBetter) {
  // The candidate's log makes 4 a voter; 4 has not heard of it.
  RaftCluster cluster;
  cluster.Add(4, MakeConfiguration({1, 2, 3}, {4}));
  cluster.Step(4, From(1, 4, 1, PreVoteRequest{Term(2), LogIndex(5), Term(1), false}));
  EXPECT_TRUE(Take<PreVoteReply>(cluster)[0].second.is_granted);
  cluster.Step(4, From(1, 4, 2, AskForVote(5, 1)));
  EXPECT_TRUE(Take<VoteReply>(cluster)[0].second.is_granted);
}

TEST(RaftMembershipRules, AJoinerLearnsTheFoundersConfigurationInItsPlace) {
  RaftCluster cluster;
  cluster.Add(1, MakeConfiguration({1}));
  cluster.Add(2, Configuration());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster.Propose(1, "x"));
  const LogIndex before = cluster.core(1).last_log_index();
  cluster.Step(1, ProposeMembers{1, MakeConfiguration({1}, {}, {2}), nullptr});
  cluster.Advance(absl::Milliseconds(200));
  ASSERT_EQ(cluster.core(2).commit_index(), cluster.core(1).commit_index());
  EXPECT_EQ(cluster.core(2).ConfigurationAt(before), MakeConfiguration({1}));
}

// Rule R6: with two members the learner counts for what may be shown, and for nothing else.
TEST(RaftHeldIndex, WithTwoMembersBothMustHoldWhatIsShown) {
  RaftCluster cluster(MakeConfiguration({1}, {2}));
  cluster.Advance(absl::Milliseconds(100));
  const LogIndex before = cluster.core(1).held_index();
  cluster.Crash(2);
  const auto index = cluster.Propose(1, "x");
  cluster.Step(1, ReadIndex{1});
  cluster.Advance(absl::Milliseconds(200));
  EXPECT_EQ(cluster.core(1).commit_index(), *index) << "committed by the only voter";
  EXPECT_EQ(cluster.core(1).held_index(), before);
  EXPECT_TRUE(cluster.node(1).reads.empty());
  cluster.Restart(2);
  cluster.Advance(absl::Milliseconds(200));
  EXPECT_EQ(cluster.core(1).held_index(), *index);
  EXPECT_EQ(cluster.node(1).reads.size(), 1u);
}

TEST(RaftHeldIndex, AJoinerDoesNotCount) {
  RaftCluster cluster(MakeConfiguration({1}, {}, {2}));
  cluster.Crash(2);
  const auto index = cluster.Propose(1, "x");
  EXPECT_EQ(cluster.core(1).held_index(), *index);
}

TEST_F(RaftMembership, TransferMakesTheTargetLeadWithoutATimeout) {
  cluster_.Step(1, TransferLeadership{NodeId(3)});
  cluster_.Deliver();
  EXPECT_EQ(cluster_.Leader(), 3u);
  EXPECT_EQ(cluster_.core(1).role(), Role::kFollower);
  EXPECT_TRUE(cluster_.core(3).has_committed_in_term());
}

TEST_F(RaftMembership, ATransferWaitsForALaggingTargetAndHoldsProposals) {
  cluster_.is_dropped = [](const Message& m) { return m.to == NodeId(3); };
  ASSERT_TRUE(cluster_.Propose(1, "x"));
  cluster_.Deliver();
  cluster_.Step(1, TransferLeadership{NodeId(3)});
  EXPECT_TRUE(Take<TimeoutNow>(cluster_).empty()) << "its log is behind";
  EXPECT_TRUE(cluster_.core(1).is_transferring());
  EXPECT_FALSE(cluster_.Propose(1, "y"));
  EXPECT_EQ(cluster_.node(1).rejected.back().reason, RejectReason::kTransferring);
  cluster_.is_dropped = [](const Message&) { return false; };
  cluster_.Advance(absl::Milliseconds(150));
  EXPECT_EQ(cluster_.Leader(), 3u);
}

TEST_F(RaftMembership, ATransferThatFailsEndsAfterAnElectionTimeout) {
  cluster_.is_dropped = [](const Message& m) { return m.to == NodeId(3); };
  ASSERT_TRUE(cluster_.Propose(1, "x"));
  cluster_.Deliver();
  cluster_.Step(1, TransferLeadership{NodeId(3)});
  cluster_.Advance(absl::Milliseconds(520));
  EXPECT_FALSE(cluster_.core(1).is_transferring());
  EXPECT_EQ(cluster_.Leader(), 1u);
  EXPECT_TRUE(cluster_.Propose(1, "y"));
}

TEST_F(RaftMembership, TransferGoesToVotersOnly) {
  cluster_.Step(1, TransferLeadership{NodeId(4)});
  EXPECT_FALSE(cluster_.core(1).is_transferring());
  cluster_.Step(1, TransferLeadership{NodeId(1)});
  EXPECT_FALSE(cluster_.core(1).is_transferring());
  cluster_.Step(1, TransferLeadership{});
  EXPECT_TRUE(cluster_.core(1).is_transferring()) << "the most advanced voter";
}

TEST_F(RaftMembership, OnlyTheLeaderMayAskForACampaign) {
  const Term term = cluster_.core(2).term();
  cluster_.Step(2, From(3, 2, term.value(), TimeoutNow{}));
  EXPECT_EQ(cluster_.core(2).term(), term);
  cluster_.Step(2, From(1, 2, term.value() - 1, TimeoutNow{}));
  EXPECT_EQ(cluster_.core(2).term(), term) << "of an old term";
}

}  // namespace
}  // namespace dfs::consensus
