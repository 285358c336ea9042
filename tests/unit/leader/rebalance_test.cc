// Copies that move to members that hold less, while nothing is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/leader/leader_host_fixture.h"
#include "tests/unit/leader/repair_progress.h"

namespace dfs::leader {
namespace {

using ::testing::IsEmpty;

class RebalanceTest : public LeaderHostTest {
 protected:
  static LeaderOptions Options() {
    LeaderOptions options;
    options.rebalance_slack_bytes = 0;
    return options;
  }
  // Three copies of 100 bytes each on nodes 1 to 3.
  void PutFiles(int count) {
    for (int i = 0; i < count; ++i) {
      const auto sequence = static_cast<std::uint64_t>(txns_.size() + 1);
      const rpc::TxnId txn = OpenOne();
      EXPECT_EQ(CodeOf(Submit(PutCommand(sequence, txn, {1, 2, 3}, {1, 2, 3},
                                         "f" + std::to_string(sequence)))),
                rpc::CommandResult::DONE);
      txns_.push_back(FromWire(txn));
      for (const std::uint32_t node : {1u, 2u, 3u}) world_.held[NodeId(node)].insert({txns_.back(), 0});
    }
  }
  std::map<std::uint32_t, int> CopiesByNode() {
    std::map<std::uint32_t, int> count;
    for (const TxnId& txn : txns_) {
      const auto states = StatesOf(txn);
      EXPECT_EQ(states.size(), 3u);
      for (const auto& [node, state] : states) {
        EXPECT_EQ(state, api::OK);
        ++count[node];
      }
    }
    return count;
  }

  std::vector<TxnId> txns_;
};

TEST_F(RebalanceTest, NodeThatHoldsNothingGetsItsPartInAsManyCopiesAsThatTakes) {
  Lead(4, Options());
  PutFiles(40);
  world_.executor.Advance(absl::Minutes(11));
  EXPECT_EQ(world_.copies.size(), 30u) << "a quarter of 120 copies, each copied once";
  for (const auto& [target, request] : world_.copies) EXPECT_EQ(target, NodeId(4));
  for (const auto& [node, copies] : CopiesByNode()) EXPECT_EQ(copies, 30) << "node " << node;
  const auto progress = RepairProgressOf(*host_, world_);
  EXPECT_EQ(progress.moves_made(), 30u);
  EXPECT_EQ(progress.bytes_moved(), 3'000u);
  EXPECT_EQ(progress.bytes_to_move(), 0u);
  EXPECT_EQ(progress.copies_made(), 0u) << "moves are no repairs";
  world_.executor.Advance(absl::Hours(1));
  EXPECT_EQ(world_.copies.size(), 30u) << "and then there is peace";
}

TEST_F(RebalanceTest, AJoinBeginsARoundAtOnce) {
  Lead(3, Options());
  PutFiles(8);
  world_.executor.Advance(absl::Seconds(5));
  EXPECT_THAT(world_.copies, IsEmpty());
  world_.consensus.AddMembers(4);
  world_.executor.Advance(absl::Seconds(5));
  EXPECT_EQ(CopiesByNode()[4], 6);
}

TEST_F(RebalanceTest, WhatIsLeftBehindIsExcessOnlyOnceTheNewCopyCounts) {
  Lead(4, Options());
  PutFiles(4);
  world_.consensus.holds = true;
  world_.executor.Advance(absl::Minutes(11));
  // The copies are there, their entries are not applied yet.
  ASSERT_FALSE(world_.copies.empty());
  const ChunkId chunk = FromWire(world_.copies[0].second.chunk());
  for (const std::uint32_t node : {1u, 2u, 3u}) {
    EXPECT_EQ(VerdictOn(chunk, node), rpc::VerdictAnswer::LIVE);
  }
  EXPECT_EQ(VerdictOn(chunk, 4), rpc::VerdictAnswer::PENDING);
  world_.consensus.holds = false;
  world_.consensus.Release();
  world_.executor.RunDue();
  EXPECT_EQ(VerdictOn(chunk, 4), rpc::VerdictAnswer::LIVE);
  int excess = 0;
  for (const std::uint32_t node : {1u, 2u, 3u}) {
    if (VerdictOn(chunk, node) == rpc::VerdictAnswer::EXCESS) ++excess;
  }
  EXPECT_EQ(excess, 1);
}

TEST_F(RebalanceTest, NothingMovesWhileANodeIsAway) {
  Lead(4, Options());
  PutFiles(8);
  world_.dead.insert(NodeId(2));
  world_.executor.Advance(absl::Seconds(100));
  EXPECT_THAT(world_.copies, IsEmpty());
  world_.dead.clear();
  world_.executor.Advance(absl::Minutes(11));
  EXPECT_EQ(CopiesByNode()[4], 6);
}

TEST_F(RebalanceTest, RepairGoesFirst) {
  Lead(4, Options());
  PutFiles(8);
  const TxnId lacking = PutTwoOfThree(100);
  world_.fails_copies = true;
  world_.executor.Advance(absl::Minutes(11));
  for (const auto& [target, request] : world_.copies) {
    EXPECT_EQ(FromWire(request.chunk()).txn, lacking) << "while a copy is missing nothing else is moved";
  }
  world_.fails_copies = false;
  world_.executor.Advance(absl::Minutes(3));
  EXPECT_EQ(StatesOf(lacking)[3], api::OK);
  EXPECT_GE(CopiesByNode()[4], 6);
}

TEST_F(RebalanceTest, MoveThatFailsIsTriedAgainAndChangesNothingMeanwhile) {
  Lead(4, Options());
  PutFiles(8);
  world_.fails_copies = true;
  world_.executor.Advance(absl::Minutes(11));
  EXPECT_FALSE(world_.copies.empty());
  EXPECT_EQ(CopiesByNode().count(4), 0u);
  world_.fails_copies = false;
  world_.executor.Advance(absl::Minutes(11));
  EXPECT_EQ(CopiesByNode()[4], 6);
}

TEST_F(RebalanceTest, MoveIsVoidIfAnotherCopyIsLostMeanwhile) {
  Lead(4, Options());
  PutFiles(4);
  world_.consensus.holds = true;
  world_.executor.Advance(absl::Minutes(11));
  ASSERT_FALSE(world_.copies.empty());
  ASSERT_FALSE(world_.consensus.proposed.empty());
  const rpc::ReplicaChange move = world_.consensus.proposed.back().change_replicas().changes(0);
  ASSERT_TRUE(move.is_move());
  const TxnId moved = FromWire(move.chunk()).txn;
  // Another copy of it is found lost before the move's entry is applied.
  rpc::ReplicaChange lost;
  *lost.mutable_chunk() = move.chunk();
  *lost.mutable_hash() = move.hash();
  *lost.mutable_ack() = AckOf(move.replaces() == 1 ? 2 : 1);
  lost.set_state(api::MISSING);
  rpc::Command command;
  *command.mutable_change_replicas()->add_changes() = lost;
  world_.consensus.ApplyNow(std::move(command));
  world_.consensus.holds = false;
  world_.consensus.Release();
  const auto states = StatesOf(moved);
  int ok = 0;
  for (const auto& [node, state] : states) ok += state == api::OK ? 1 : 0;
  EXPECT_EQ(ok, 2) << "two of the three were not touched";
  EXPECT_EQ(states.count(4), 0u) << "the move was void";
  world_.executor.Advance(absl::Minutes(1));
  for (const auto& [node, state] : StatesOf(moved)) EXPECT_EQ(state, api::OK);
}

}  // namespace
}  // namespace dfs::leader
