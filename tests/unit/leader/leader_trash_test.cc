// What the leader purges and when, and where it puts files while disks are nearly full (rule R17).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/error_detail.h"
#include "tests/unit/leader/leader_host_fixture.h"

namespace dfs::leader {
namespace {

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
