// Nodes that stay away, and that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/leader/node_directory.h"
#include "tests/unit/leader/leader_host_fixture.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class NodeUpkeepTest : public LeaderHostTest {
 protected:
  // Three copies on nodes 1 to 3.
  TxnId PutThree(std::uint64_t sequence) {
    const rpc::TxnId txn = OpenOne();
    EXPECT_EQ(CodeOf(Submit(PutCommand(sequence, txn, {1, 2, 3}, {1, 2, 3},
                                       "f" + std::to_string(sequence)))),
              rpc::CommandResult::DONE);
    for (const std::uint32_t node : {1u, 2u, 3u}) world_.held[NodeId(node)].insert({FromWire(txn), 0});
    return FromWire(txn);
  }
  bool IsOut(std::uint32_t node) {
    return world_.consensus.machine().View()->FindNode(NodeId(node))->is_out();
  }
  bool IsReturningNow(std::uint32_t node) {
    return IsReturning(*world_.consensus.machine().View()->FindNode(NodeId(node)));
  }
  // A start: the epoch goes up, as the node tells it.
  void Start(std::uint32_t node) {
    const auto row = world_.consensus.machine().View()->FindNode(NodeId(node));
    rpc::Command command;
    rpc::NodeStarted& started = *command.mutable_node_started();
    started.set_node_id(node);
    *started.mutable_storage_uuid() = row->storage_uuid();
    started.set_boot_epoch(row->boot_epoch() + 1);
    world_.consensus.ApplyNow(std::move(command));
  }
  void MakeGossipBucket() {
    rpc::Command make;
    *make.mutable_make_bucket()->mutable_request_id() = RequestIdOf(7);
    make.mutable_make_bucket()->set_name("shared");
    make.mutable_make_bucket()->mutable_options()->set_mode(api::GOSSIP);
    world_.consensus.ApplyNow(std::move(make));
    ASSERT_TRUE(world_.consensus.machine().View()->FindBucket("shared").has_value());
  }
  void Mark(std::uint32_t node, rpc::Departure departure) {
    rpc::Command mark;
    mark.mutable_mark_node()->set_node_id(node);
    mark.mutable_mark_node()->set_boot_epoch(world_.consensus.machine().View()->FindNode(NodeId(node))->boot_epoch());
    mark.mutable_mark_node()->set_departure(departure);
    world_.consensus.ApplyNow(std::move(mark));
  }
  rpc::ManageResponse Manage(const rpc::ManageRequest& request) {
    Taken<rpc::ManageResponse> taken;
    host_->Manage(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    EXPECT_TRUE(taken.has() && taken.get().ok());
    return taken.has() && taken.get().ok() ? *taken.get() : rpc::ManageResponse();
  }
  // Of a node that is marked so already: nothing is proposed.
  api::ChangeMemberResponse ChangeNow(api::ChangeMemberRequest::Change change, const std::string& node) {
    rpc::ManageRequest request;
    request.mutable_change_member()->set_change(change);
    request.mutable_change_member()->set_node(node);
    return Manage(request).change_member();
  }
  void Die(std::uint32_t node) { world_.dead.insert(NodeId(node)); }
  void Return(std::uint32_t node) { world_.dead.erase(NodeId(node)); }
};

TEST_F(NodeUpkeepTest, NodeThatStaysAwayIsOutAndItsCopiesAreMadeElsewhere) {
  Lead(4);
  const TxnId txn = PutThree(1);
  Die(3);
  world_.executor.Advance(absl::Seconds(119));
  EXPECT_FALSE(IsOut(3));
  EXPECT_TRUE(world_.copies.empty());
  world_.executor.Advance(absl::Seconds(5));
  EXPECT_TRUE(IsOut(3));
  EXPECT_EQ(world_.consensus.machine().View()->member_count(), 4u) << "rule R7";
  EXPECT_THAT(StatesOf(txn), UnorderedElementsAre(Pair(1u, api::OK), Pair(2u, api::OK), Pair(4u, api::OK)));
}

TEST_F(NodeUpkeepTest, WithNobodyToTakeThemTheCopiesStayWhereTheyAre) {
  Lead(3);
  const TxnId txn = PutThree(1);
  Die(3);
  world_.executor.Advance(absl::Minutes(5));
  EXPECT_TRUE(IsOut(3));
  EXPECT_TRUE(world_.copies.empty());
  EXPECT_THAT(StatesOf(txn), UnorderedElementsAre(Pair(1u, api::OK), Pair(2u, api::OK), Pair(3u, api::OK)));
  Return(3);
  world_.executor.Advance(absl::Seconds(2));
  EXPECT_FALSE(IsOut(3)) << "its return undoes it";
}

TEST_F(NodeUpkeepTest, OnlyAThirdGoesOutByItself) {
  Lead(4);
  Die(3);
  Die(4);
  world_.executor.Advance(absl::Minutes(10));
  EXPECT_NE(IsOut(3), IsOut(4));
}

// Rule R3.
TEST_F(NodeUpkeepTest, NodeThatReturnsCountsOnlyForWhatItStillHolds) {
  Lead(3);
  const TxnId kept = PutThree(1);
  const TxnId lost = PutThree(2);
  Die(3);
  world_.executor.Advance(absl::Minutes(3));
  ASSERT_TRUE(IsOut(3));
  world_.held[NodeId(3)].erase({lost, 0});
  world_.fails_copies = true;
  Return(3);
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_FALSE(IsOut(3));
  EXPECT_EQ(StatesOf(kept)[3], api::OK);
  EXPECT_EQ(StatesOf(lost)[3], api::MISSING);
  world_.fails_copies = false;
  world_.executor.Advance(absl::Seconds(90));
  EXPECT_EQ(StatesOf(lost)[3], api::OK) << "made again";
}

TEST_F(NodeUpkeepTest, UntilItIsKnownWhatItHoldsItRemainsOut) {
  Lead(3);
  (void)PutThree(1);
  Die(3);
  world_.executor.Advance(absl::Minutes(3));
  // It lags behind the log.
  world_.consensus.status().peers.back().match_index = LogIndex(1);
  world_.consensus.status().commit_index = LogIndex(5'000);
  Return(3);
  world_.executor.Advance(absl::Seconds(10));
  EXPECT_TRUE(IsOut(3));
  world_.consensus.status().peers.back().match_index = LogIndex(1'000'000);
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_FALSE(IsOut(3));
}

TEST_F(NodeUpkeepTest, WhatWasReplacedMeanwhileIsExcessOnReturn) {
  Lead(4);
  const TxnId txn = PutThree(1);
  Die(3);
  world_.executor.Advance(absl::Minutes(3));
  Return(3);
  world_.executor.Advance(absl::Seconds(3));
  ASSERT_FALSE(IsOut(3));
  EXPECT_EQ(VerdictOn({txn, 0}, 3), rpc::VerdictAnswer::EXCESS);
  EXPECT_EQ(VerdictOn({txn, 0}, 4), rpc::VerdictAnswer::LIVE);
}

// Rule R3, also for one that was never OUT.
TEST_F(NodeUpkeepTest, AfterEachStartANodeIsAskedWhatItStillHolds) {
  Lead(3);
  const TxnId kept = PutThree(1);
  const TxnId lost = PutThree(2);
  EXPECT_FALSE(IsReturningNow(3)) << "one that has just been taken in holds nothing that could be missing";
  world_.held[NodeId(3)].erase({lost, 0});
  world_.fails_copies = true;
  Start(3);
  EXPECT_TRUE(IsReturningNow(3));
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_FALSE(IsReturningNow(3));
  EXPECT_EQ(StatesOf(kept)[3], api::OK);
  EXPECT_EQ(StatesOf(lost)[3], api::MISSING);
  EXPECT_EQ(StatesOf(lost)[1], api::OK);
}

TEST_F(NodeUpkeepTest, OneThatStartsAgainMeanwhileIsAskedAgain) {
  Lead(3);
  (void)PutThree(1);
  world_.consensus.holds = true;
  Start(3);
  world_.executor.Advance(absl::Seconds(1));
  ASSERT_GE(world_.consensus.held(), 1u) << "the outcome of the comparison";
  Start(3);
  world_.consensus.holds = false;
  world_.consensus.Release();
  EXPECT_TRUE(IsReturningNow(3)) << "it was about the start before";
  world_.executor.Advance(absl::Seconds(10));
  EXPECT_FALSE(IsReturningNow(3));
}

// The node's copy may be lost: nobody drops one because of it.
TEST_F(NodeUpkeepTest, NoCopyIsExcessBecauseOfOneOnANodeThatWasNotAskedYet) {
  Lead(4);
  const TxnId txn = PutThree(1);
  ASSERT_EQ(VerdictOn({txn, 0}, 4), rpc::VerdictAnswer::EXCESS);
  Die(3);
  Start(3);
  EXPECT_EQ(VerdictOn({txn, 0}, 4), rpc::VerdictAnswer::PENDING);
  Return(3);
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_EQ(VerdictOn({txn, 0}, 4), rpc::VerdictAnswer::EXCESS);
}

// The log knows nothing of what gossip buckets hold: the node itself says when it may go.
TEST_F(NodeUpkeepTest, ANodeLeavesOnceAnotherHasItsGossipBuckets) {
  Lead(4);
  MakeGossipBucket();
  Mark(4, rpc::LEAVING);
  const auto state = [&] { return world_.consensus.machine().View()->FindNode(NodeId(4))->state(); };
  world_.executor.Advance(absl::Minutes(5));
  EXPECT_EQ(state(), rpc::ACTIVE) << "what was put there may be nowhere else";
  world_.gossip_handed_over.insert(NodeId(4));
  world_.executor.Advance(absl::Seconds(30));
  EXPECT_EQ(state(), rpc::RETIRED);
}

TEST_F(NodeUpkeepTest, ANodeIsDrainedOnceAnotherHasItsGossipBuckets) {
  Lead(4);
  MakeGossipBucket();
  Mark(4, rpc::DRAINING);
  world_.executor.Advance(absl::Minutes(1));
  const auto drained = [&] { return ChangeNow(api::ChangeMemberRequest::DRAIN, "4"); };
  EXPECT_FALSE(drained().is_done());
  EXPECT_THAT(drained().text(), HasSubstr("gossip"));
  world_.gossip_handed_over.insert(NodeId(4));
  EXPECT_TRUE(drained().is_done());
}

TEST_F(NodeUpkeepTest, WhatOnlyANodeHasOfGossipBucketsKeepsItFromBeingStopped) {
  Lead(4);
  MakeGossipBucket();
  const auto reasons = [&](const std::string& node) {
    rpc::ManageRequest request;
    request.mutable_ok_to_stop()->add_nodes(node);
    const auto answer = Manage(request).ok_to_stop();
    EXPECT_EQ(answer.is_ok(), answer.reasons().empty());
    return std::vector<std::string>(answer.reasons().begin(), answer.reasons().end());
  };
  EXPECT_THAT(reasons("4"), IsEmpty());
  world_.gossip_alone[NodeId(4)] = 3;
  EXPECT_THAT(reasons("4"), ElementsAre(HasSubstr("3 name(s) of gossip buckets")));
  EXPECT_THAT(reasons("3"), IsEmpty());
  // It is dead; that there was something is what is left to say.
  Die(4);
  Mark(4, rpc::FORGOTTEN);
  EXPECT_THAT(ChangeNow(api::ChangeMemberRequest::FORGET, "4").text(), HasSubstr("3 name(s) of gossip buckets"));
}

}  // namespace
}  // namespace dfs::leader
