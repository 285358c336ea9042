// What the leader purges and when, and where it puts files while disks are nearly full (rule R17).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/error_detail.h"
#include "tests/unit/leader/leader_host_fixture.h"
#include "tests/unit/leader/repair_progress.h"

namespace dfs::leader {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

class LeaderTrashTest : public LeaderHostTest {
 protected:
  static LeaderOptions WithoutQuiet() {
    LeaderOptions options;
    options.purge_quiet = absl::ZeroDuration();
    // Ticks of ten seconds: days pass in no time.
    options.upkeep_every = options.members_every = options.repair_every = absl::Seconds(10);
    return options;
  }
  // A file that is put and removed at once.
  TxnId PutAndRemove(std::uint64_t sequence) {
    const TxnId txn = PutTwoOfThree(sequence);
    rpc::Command command;
    *command.mutable_remove_file()->mutable_request_id() = RequestIdOf(100 + sequence);
    command.mutable_remove_file()->set_bucket_id(1);
    command.mutable_remove_file()->set_name("f" + std::to_string(sequence));
    EXPECT_EQ(CodeOf(Submit(command)), rpc::CommandResult::DONE);
    return txn;
  }
  [[nodiscard]] bool IsThere(const TxnId& txn) {
    return world_.consensus.machine().View()->FindVersion(txn).has_value();
  }
  void TellPins(std::uint32_t coordinator, const std::vector<TxnId>& txns) {
    rpc::RenewTransactionsRequest request;
    request.set_coordinator(coordinator);
    request.set_run_id(9);
    for (const TxnId& txn : txns) *request.add_pinned() = ToWire(txn);
    Taken<rpc::RenewTransactionsResponse> taken;
    host_->RenewTransactions(request, absl::Seconds(1), taken.Callback());
    ASSERT_TRUE(taken.get().ok());
  }
};

TEST_F(LeaderTrashTest, RemovedFilesAreKeptForADay) {
  Lead(3, WithoutQuiet());
  const TxnId txn = PutAndRemove(1);
  world_.executor.Advance(absl::Hours(24) - absl::Minutes(1));
  EXPECT_TRUE(IsThere(txn));
  world_.executor.Advance(absl::Minutes(2));
  EXPECT_FALSE(IsThere(txn));
}

TEST_F(LeaderTrashTest, NearlyFullDiskShortensThatToTenMinutes) {
  Lead(3, WithoutQuiet());
  const TxnId txn = PutAndRemove(1);
  world_.executor.Advance(absl::Minutes(20));
  EXPECT_TRUE(IsThere(txn));
  world_.free_bytes[NodeId(2)] = 1'023 * kMebi;
  world_.executor.Advance(absl::Seconds(20));
  EXPECT_FALSE(IsThere(txn));

  const TxnId second = PutAndRemove(2);
  world_.executor.Advance(absl::Minutes(9));
  EXPECT_TRUE(IsThere(second)) << "never less";
  world_.executor.Advance(absl::Minutes(2));
  EXPECT_FALSE(IsThere(second));
}

TEST_F(LeaderTrashTest, DiskOfADeadNodeShortensNothing) {
  Lead(3, WithoutQuiet());
  const TxnId txn = PutAndRemove(1);
  world_.free_bytes[NodeId(2)] = 0;
  world_.dead.insert(NodeId(2));
  world_.executor.Advance(absl::Hours(1));
  EXPECT_TRUE(IsThere(txn));
}

TEST_F(LeaderTrashTest, WhatAGetReadsIsNotPurged) {
  LeaderOptions options = WithoutQuiet();
  options.trash_time = absl::Minutes(1);
  Lead(3, options);
  const TxnId read = PutAndRemove(1);
  const TxnId other = PutAndRemove(2);
  for (int i = 0; i < 60; ++i) {
    TellPins(3, {read});
    TellPins(2, {});
    world_.executor.Advance(absl::Seconds(30));
  }
  EXPECT_TRUE(IsThere(read)) << "half an hour of reading";
  EXPECT_FALSE(IsThere(other)) << "what lies behind it goes";
  TellPins(3, {});
  world_.executor.Advance(absl::Seconds(30));
  EXPECT_FALSE(IsThere(read));
}

TEST_F(LeaderTrashTest, PinsOfACoordinatorThatFellSilentEnd) {
  LeaderOptions options = WithoutQuiet();
  options.trash_time = absl::Minutes(1);
  Lead(3, options);
  const TxnId txn = PutAndRemove(1);
  TellPins(3, {txn});
  world_.executor.Advance(absl::Minutes(3));
  EXPECT_FALSE(IsThere(txn));
}

// ---- members that leave ----

class LeaveTest : public LeaderTrashTest {
 protected:
  void SetUp() override {
    LeaderOptions options = WithoutQuiet();
    options.trash_time = absl::Hours(1);
    Lead(5, options);
    rpc::Command make;
    *make.mutable_make_bucket()->mutable_request_id() = RequestIdOf(200);
    make.mutable_make_bucket()->set_name("single");
    make.mutable_make_bucket()->mutable_options()->set_replicas(1);
    make.mutable_make_bucket()->mutable_options()->set_versions_kept(2);
    ASSERT_EQ(CodeOf(Submit(make)), rpc::CommandResult::DONE);
  }
  [[nodiscard]] std::uint64_t BucketWithOneCopy() {
    return world_.consensus.machine().View()->FindBucket("single")->id();
  }
  // A file on just these nodes.
  TxnId Put(std::uint64_t sequence, std::uint64_t bucket, const std::vector<std::uint32_t>& nodes,
            const std::string& name) {
    const rpc::TxnId txn = OpenOne();
    rpc::Command put = PutCommand(sequence, txn, nodes, nodes, name);
    put.mutable_commit_put()->set_bucket_id(bucket);
    EXPECT_EQ(CodeOf(Submit(put)), rpc::CommandResult::DONE);
    return FromWire(txn);
  }
  void Remove(std::uint64_t sequence, std::uint64_t bucket, const std::string& name) {
    rpc::Command command;
    *command.mutable_remove_file()->mutable_request_id() = RequestIdOf(sequence);
    command.mutable_remove_file()->set_bucket_id(bucket);
    command.mutable_remove_file()->set_name(name);
    EXPECT_EQ(CodeOf(Submit(command)), rpc::CommandResult::DONE);
  }
  rpc::CommandResult Undelete(std::uint64_t sequence, std::uint64_t bucket,
                              const std::string& name) {
    rpc::Command command;
    *command.mutable_undelete_file()->mutable_request_id() = RequestIdOf(sequence);
    command.mutable_undelete_file()->set_bucket_id(bucket);
    command.mutable_undelete_file()->set_name(name);
    const auto taken = Submit(command);
    EXPECT_EQ(CodeOf(taken), rpc::CommandResult::DONE);
    return taken.get()->results(0).result();
  }
  void Mark(std::uint32_t node, rpc::Departure departure) {
    rpc::Command command;
    command.mutable_mark_node()->set_node_id(node);
    command.mutable_mark_node()->set_departure(departure);
    world_.consensus.ApplyNow(std::move(command));
  }
  [[nodiscard]] bool HasLeft(std::uint32_t node) {
    return world_.consensus.machine().View()->FindNode(NodeId(node))->state() == rpc::RETIRED;
  }
  [[nodiscard]] std::string TextOf(api::ChangeMemberRequest::Change change, const std::string& node) {
    rpc::ManageRequest request;
    request.mutable_change_member()->set_change(change);
    request.mutable_change_member()->set_node(node);
    Taken<rpc::ManageResponse> taken;
    host_->Manage(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    EXPECT_TRUE(taken.has() && taken.get().ok());
    return taken.has() && taken.get().ok() ? taken.get()->change_member().text() : "";
  }
};

TEST_F(LeaveTest, ARemovedFileWithOneCopyOutlivesItsNode) {
  const TxnId txn = Put(1, BucketWithOneCopy(), {2}, "f");
  Remove(2, BucketWithOneCopy(), "f");
  Mark(2, rpc::LEAVING);
  world_.executor.Advance(absl::Minutes(3));
  ASSERT_TRUE(HasLeft(2));
  const auto states = StatesOf(txn);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_NE(states.begin()->first, 2u);
  EXPECT_EQ(states.begin()->second, api::OK);
  EXPECT_EQ(Undelete(3, BucketWithOneCopy(), "f").replicas(), 1u);
}

TEST_F(LeaveTest, ItOutlivesAllNodesThatHadIt) {
  const TxnId txn = Put(1, 1, {2, 3, 4}, "f");
  Remove(2, 1, "f");
  for (const std::uint32_t node : {2u, 3u, 4u}) Mark(node, rpc::LEAVING);
  world_.executor.Advance(absl::Minutes(3));
  for (const std::uint32_t node : {2u, 3u, 4u}) EXPECT_TRUE(HasLeft(node)) << node;
  EXPECT_THAT(StatesOf(txn), UnorderedElementsAre(Pair(1u, api::OK), Pair(5u, api::OK)));
}

TEST_F(LeaveTest, WhatTwoOthersHaveInTheTrashIsNotCopied) {
  (void)Put(1, 1, {2, 3, 4}, "f");
  Remove(2, 1, "f");
  Mark(4, rpc::LEAVING);
  world_.executor.Advance(absl::Minutes(3));
  EXPECT_TRUE(HasLeft(4));
  EXPECT_TRUE(world_.copies.empty());
}

TEST_F(LeaveTest, WhileNobodyGoesTheTrashGetsNoCopies) {
  (void)PutTwoOfThree(1);
  Remove(2, 1, "f1");
  world_.executor.Advance(absl::Minutes(30));
  EXPECT_TRUE(world_.copies.empty());
}

TEST_F(LeaveTest, ANodeWaitsForWhatOnlyItHasUntilThatIsPurged) {
  const TxnId txn = Put(1, BucketWithOneCopy(), {2}, "f");
  Remove(2, BucketWithOneCopy(), "f");
  world_.fails_copies = true;
  Mark(2, rpc::LEAVING);
  world_.executor.Advance(absl::Minutes(55));
  EXPECT_FALSE(HasLeft(2));
  EXPECT_EQ(StatesOf(txn)[2], api::OK);
  world_.executor.Advance(absl::Minutes(10));
  EXPECT_FALSE(IsThere(txn));
  EXPECT_TRUE(HasLeft(2));
}

// It is not known whether it comes back.
TEST_F(LeaveTest, ANodeThatDiedOnItsWayOutIsWaitedForToo) {
  const TxnId txn = Put(1, BucketWithOneCopy(), {2}, "f");
  Remove(2, BucketWithOneCopy(), "f");
  world_.dead.insert(NodeId(2));
  Mark(2, rpc::LEAVING);
  world_.executor.Advance(absl::Minutes(10));
  EXPECT_FALSE(HasLeft(2));
  const auto progress = RepairProgressOf(*host_, world_);
  EXPECT_EQ(progress.chunks_incomplete(), 0u) << "a removed file without a copy is no alarm";
  EXPECT_EQ(progress.files_short(), 0u);
  const std::string text = TextOf(api::ChangeMemberRequest::LEAVE, "2");
  EXPECT_THAT(text, HasSubstr("is dead: start it, or use dfs-cli forget"));
  EXPECT_THAT(text, HasSubstr("of 1 chunks no copy can be made now: no live node has a good one"));
  world_.dead.erase(NodeId(2));
  world_.executor.Advance(absl::Minutes(3));
  EXPECT_TRUE(HasLeft(2));
  EXPECT_EQ(StatesOf(txn).count(2), 0u);
}

TEST_F(LeaveTest, WhatIsLostOfTheTrashWithADeadNodeIsTold) {
  (void)Put(1, BucketWithOneCopy(), {2}, "f");
  Remove(2, BucketWithOneCopy(), "f");
  (void)Put(3, 1, {2, 3, 4}, "g");
  Remove(4, 1, "g");
  world_.dead.insert(NodeId(2));
  Mark(2, rpc::FORGOTTEN);
  EXPECT_THAT(TextOf(api::ChangeMemberRequest::FORGET, "2"), HasSubstr("1 removed file(s) in the trash"));
}

TEST_F(LeaveTest, ADrainedNodeIsNotNeededForTheTrash) {
  const TxnId txn = Put(1, BucketWithOneCopy(), {2}, "f");
  Remove(2, BucketWithOneCopy(), "f");
  Mark(2, rpc::DRAINING);
  world_.executor.Advance(absl::Minutes(3));
  const auto states = StatesOf(txn);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_NE(states.begin()->first, 2u);
  EXPECT_EQ(states.begin()->second, api::OK);
}

TEST_F(LeaveTest, OlderVersionsThatAreKeptAreHandedOver) {
  const TxnId old = Put(1, BucketWithOneCopy(), {2}, "f");
  (void)Put(2, BucketWithOneCopy(), {3}, "f");
  ASSERT_EQ(StatesOf(old)[2], api::OK);
  Mark(2, rpc::LEAVING);
  world_.executor.Advance(absl::Minutes(3));
  ASSERT_TRUE(HasLeft(2));
  const auto states = StatesOf(old);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_NE(states.begin()->first, 2u);
  EXPECT_EQ(states.begin()->second, api::OK);
}

// ---- nearly full disks ----

TEST_F(LeaderTrashTest, NearlyFullNodeGetsNoNewFiles) {
  Lead(4, WithoutQuiet());
  world_.free_bytes[NodeId(2)] = 1'023 * kMebi;  // the coordinator
  const auto opened = Open(20);
  ASSERT_TRUE(opened.ok());
  for (const auto& txn : opened->transactions()) {
    EXPECT_THAT(txn.replicas(), UnorderedElementsAre(1u, 3u, 4u));
  }
}

TEST_F(LeaderTrashTest, NearlyFullNodesAreTakenWhereWCannotBeReachedWithoutThem) {
  Lead(3, WithoutQuiet());
  world_.free_bytes[NodeId(2)] = 1'023 * kMebi;
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(Open()->transactions(0).replicas(), UnorderedElementsAre(1u, 3u));
  EXPECT_EQ(Open()->transactions(0).set_size(), 3) << "it stands in the set, as missing";
  for (const std::uint32_t node : {1u, 3u}) world_.free_bytes[NodeId(node)] = 1'023 * kMebi;
  const auto opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_THAT(opened->transactions(0).replicas(), UnorderedElementsAre(1u, 2u, 3u));
}

TEST_F(LeaderTrashTest, FullNodesAreNeverTaken) {
  Lead(3, WithoutQuiet());
  world_.free_bytes[NodeId(2)] = world_.free_bytes[NodeId(3)] = 100 * kMebi;
  const auto opened = Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DetailOf(opened.status()).value_or(api::ErrorDetail()).reason(),
            api::ErrorDetail::NO_SPACE);
  world_.free_bytes.erase(NodeId(3));
  EXPECT_TRUE(Open().ok()) << "it recovers by itself";
}

}  // namespace
}  // namespace dfs::leader
