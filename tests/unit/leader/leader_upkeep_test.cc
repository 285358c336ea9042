// What the leader does by itself: purge, clear, sessions; and members.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/error_detail.h"
#include "tests/unit/leader/leader_host_fixture.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using LeaderUpkeepTest = LeaderHostTest;

// ---- purge ----

rpc::Command RemoveCommand(std::uint64_t sequence, const std::string& name) {
  rpc::Command command;
  *command.mutable_remove_file()->mutable_request_id() = RequestIdOf(sequence);
  command.mutable_remove_file()->set_bucket_id(1);
  command.mutable_remove_file()->set_name(name);
  return command;
}

// Feature 4.
TEST_F(LeaderUpkeepTest, PurgesAfterTheTrashTimeAndMakesPurgeRows) {
  LeaderOptions options;
  options.purge_quiet = absl::ZeroDuration();
  options.trash_time = absl::Minutes(10);
  Lead(3, options);
  const rpc::TxnId txn = OpenOne();
  ASSERT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2, 3}, {1, 2, 3}))), rpc::CommandResult::DONE);
  ASSERT_EQ(CodeOf(Submit(RemoveCommand(2, "file"))), rpc::CommandResult::DONE);
  const ChunkId chunk{FromWire(txn), 0};
  world_.executor.Advance(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_EQ(VerdictOn(chunk, 3), rpc::VerdictAnswer::LIVE) << "trashed counts as named";
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_TRUE(world_.consensus.machine().View()->IsPurged(NodeId(3), chunk));
  EXPECT_EQ(VerdictOn(chunk, 3), rpc::VerdictAnswer::DEAD);
  rpc::ReportUnlinkedRequest unlinked;
  *unlinked.mutable_node() = AckOf(3);
  *unlinked.add_chunks() = ToWire(chunk);
  Taken<rpc::ReportUnlinkedResponse> taken;
  host_->ReportUnlinked(unlinked, absl::Seconds(1), taken.Callback());
  ASSERT_TRUE(taken.get().ok());
  EXPECT_FALSE(world_.consensus.machine().View()->IsPurged(NodeId(3), chunk));
  EXPECT_TRUE(world_.consensus.machine().View()->IsPurged(NodeId(1), chunk));
}

TEST_F(LeaderUpkeepTest, ANewLeaderPurgesNothingForItsFirstTenMinutes) {
  LeaderOptions options;
  options.trash_time = absl::ZeroDuration();
  Lead(3, options);
  (void)PutTwoOfThree(1);
  ASSERT_EQ(CodeOf(Submit(RemoveCommand(2, "f1"))), rpc::CommandResult::DONE);
  world_.executor.Advance(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kPurge), 0u);
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kPurge), 1u);
}

TEST_F(LeaderUpkeepTest, TrashTimeCountsFromTheEntryAfterALongSilence) {
  LeaderOptions options;
  options.purge_quiet = absl::ZeroDuration();
  options.trash_time = absl::Minutes(10);
  world_.clock.Advance(absl::Hours(5));
  Lead(1, options);
  world_.executor.Advance(absl::Seconds(5));
  ASSERT_EQ(CodeOf(Submit(PutCommand(1, OpenOne(), {1}, {1}))), rpc::CommandResult::DONE);
  ASSERT_EQ(CodeOf(Submit(RemoveCommand(2, "file"))), rpc::CommandResult::DONE);
  world_.executor.Advance(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kPurge), 0u);
  world_.executor.Advance(absl::Seconds(4));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kPurge), 1u);
}

TEST_F(LeaderUpkeepTest, GoesOnWithAClearUntilItIsDone) {
  Lead();
  for (std::uint64_t i = 1; i <= 5; ++i) (void)PutTwoOfThree(i);
  rpc::Command clear;
  *clear.mutable_clear_prefix()->mutable_request_id() = RequestIdOf(9);
  clear.mutable_clear_prefix()->set_bucket_id(1);
  ASSERT_EQ(CodeOf(Submit(clear)), rpc::CommandResult::DONE);
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_FALSE(world_.consensus.machine().View()->HasPendingClear());
  EXPECT_EQ(world_.consensus.machine().View()->GetTotals().trashed, 5u);
}

TEST_F(LeaderUpkeepTest, SessionsUnusedForADayExpire) {
  LeaderOptions options;
  options.members_every = options.repair_every = options.upkeep_every = absl::Minutes(1);
  Lead(3, options);
  (void)PutTwoOfThree(1);
  world_.executor.Advance(absl::Hours(23));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kExpireSessions), 0u);
  world_.executor.Advance(absl::Hours(3));
  EXPECT_GE(world_.consensus.CountProposed(rpc::Command::kExpireSessions), 1u);
  EXPECT_EQ(CodeOf(Submit(RemoveCommand(2, "f1"))), rpc::CommandResult::SESSION_EXPIRED);
}

// ---- members ----

TEST_F(LeaderUpkeepTest, JoinerBecomesActiveOnceItHoldsTheLogAndThreeVote) {
  Lead(2);
  const auto joined = Join(JoinRequestOf(3));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->node_id(), 3u);
  EXPECT_EQ(UuidFromWire<ClusterId>(joined->cluster_id()), (ClusterId{4, 2}));
  EXPECT_EQ(joined->configuration().members_size(), 3);
  auto& peers = world_.consensus.status().peers;
  peers.push_back({NodeId(3), LogIndex(1), world_.clock.Now(), false});
  world_.executor.Advance(absl::Seconds(5));
  const auto view = [&] { return world_.consensus.machine().View(); };
  EXPECT_EQ(view()->FindNode(NodeId(3))->state(), rpc::JOINING);
  EXPECT_EQ(view()->member_count(), 2u);
  EXPECT_EQ(world_.consensus.voter_changes, 0);
  peers.back().match_index = world_.consensus.status().commit_index;
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_EQ(view()->FindNode(NodeId(3))->state(), rpc::ACTIVE);
  EXPECT_TRUE(world_.consensus.status().configuration.members[NodeId(3)].is_active);
  EXPECT_THAT(world_.consensus.status().configuration.voters,
              ElementsAre(NodeId(1), NodeId(2), NodeId(3)));
  EXPECT_EQ(world_.consensus.voter_changes, 1);
}

TEST_F(LeaderUpkeepTest, TheFirstPutAfterItBecameActiveIsPlacedOnTheJoinerToo) {
  Lead(2);
  ASSERT_TRUE(Join(JoinRequestOf(3)).ok());
  world_.consensus.status().peers.push_back(
      {NodeId(3), world_.consensus.status().commit_index, world_.clock.Now(), false});
  const auto is_active = [&] {
    return world_.consensus.machine().View()->FindNode(NodeId(3))->state() == rpc::ACTIVE;
  };
  for (int i = 0; i < 1'000 && !is_active(); ++i) {
    EXPECT_EQ(Open()->transactions(0).replicas_size(), 2);
    world_.executor.Advance(absl::Milliseconds(1));
  }
  ASSERT_TRUE(is_active());
  EXPECT_EQ(Open()->transactions(0).replicas_size(), 3);
}

TEST_F(LeaderUpkeepTest, JoinIsIdempotentByStorageUuid) {
  Lead(1);
  EXPECT_EQ(Join(JoinRequestOf(9))->node_id(), 2u);
  EXPECT_EQ(Join(JoinRequestOf(9))->node_id(), 2u);
  EXPECT_EQ(Join(JoinRequestOf(10))->node_id(), 3u);
}

TEST_F(LeaderUpkeepTest, ClaimingAnIdWithAnotherDirectoryIsRefused) {
  Lead(2);
  rpc::JoinRequest request = JoinRequestOf(9);
  request.set_claimed_node_id(2);
  const auto refused = Join(request);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), ::testing::HasSubstr("wipe"));
  request = JoinRequestOf(2);
  request.set_claimed_node_id(2);
  EXPECT_EQ(Join(request)->node_id(), 2u);
}

// One that was replaced unnoticed does not know yet whom the next leader took in.
TEST_F(LeaderUpkeepTest, RefusalIsToldByTheLeaderOfTodayOnly) {
  Lead(2);
  world_.consensus.fails_read_index = true;
  rpc::JoinRequest request = JoinRequestOf(3);
  request.set_claimed_node_id(3);
  EXPECT_EQ(Join(request).status().code(), absl::StatusCode::kUnavailable);
  rpc::RegisterRequest start;
  start.mutable_node()->set_node_id(3);
  *start.mutable_node()->mutable_storage_uuid() = RowOf(3).storage_uuid();
  EXPECT_EQ(Register(start).code(), absl::StatusCode::kUnavailable);
  world_.consensus.fails_read_index = false;
  EXPECT_EQ(Join(request).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Register(start).code(), absl::StatusCode::kFailedPrecondition);
}

// What the read-index round brings may say the opposite.
TEST_F(LeaderUpkeepTest, NodeThatWasTakenInMeanwhileIsNotRefused) {
  Lead(2);
  world_.consensus.on_read_index = [this] { world_.consensus.AddMembers(3); };
  rpc::JoinRequest request = JoinRequestOf(3);
  request.set_claimed_node_id(3);
  const auto joined = Join(request);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->node_id(), 3u);
}

TEST_F(LeaderUpkeepTest, AnotherClustersDirectoryIsRefused) {
  Lead(1);
  rpc::JoinRequest request = JoinRequestOf(9);
  *request.mutable_claimed_cluster_id() = ToWire(ClusterId{6, 6});
  EXPECT_EQ(DetailOf(Join(request).status())->reason(), api::ErrorDetail::WRONG_CLUSTER);
}

TEST_F(LeaderUpkeepTest, RegisterProposesOnlyWhatChangesAnything) {
  Lead(2);
  const auto started = [&](std::uint64_t epoch, const std::string& peer) {
    const rpc::NodeRow row = RowOf(2);
    rpc::RegisterRequest request;
    rpc::NodeStarted& node = *request.mutable_node();
    node.set_node_id(2);
    *node.mutable_storage_uuid() = row.storage_uuid();
    node.set_boot_epoch(epoch);
    node.set_client_address(row.client_address());
    node.set_peer_address(peer);
    node.set_name(row.name());
    return Register(request);
  };
  const std::string peer = RowOf(2).peer_address();
  EXPECT_TRUE(started(1, peer).ok());
  EXPECT_THAT(world_.consensus.proposed, IsEmpty());
  EXPECT_TRUE(started(2, peer).ok());
  EXPECT_THAT(world_.consensus.proposed, SizeIs(1));
  EXPECT_EQ(started(1, peer).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(started(3, "127.0.0.1:9").ok());
  EXPECT_EQ(world_.consensus.status().configuration.members[NodeId(2)].peer_address,
            "127.0.0.1:9");
  EXPECT_EQ(world_.consensus.machine().View()->FindNode(NodeId(2))->boot_epoch(), 3u);
}

}  // namespace
}  // namespace dfs::leader
