#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

std::string Replicas(const World& world, std::string_view name) {
  return ReplicasOf(world.Find(name)->chunks(0));
}
std::vector<TxnId> Incomplete(const World& world, TxnId after = {}) {
  std::vector<TxnId> out;
  world.machine->View()->ListIncomplete(after, [&](const rpc::VersionRow& version) {
    out.push_back(FromWire(version.txn()));
    return true;
  });
  return out;
}

TEST(ChangeReplicas, LateAcknowledgementCompletesTheSet) {
  World world;
  world.Put("a");
  EXPECT_EQ(Incomplete(world).size(), 1u);
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 1u);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 3, api::OK)).count(), 1u);
  EXPECT_EQ(Replicas(world, "a"), "1:OK 2:OK 3:OK");
  EXPECT_TRUE(Incomplete(world).empty());
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 3, api::OK)).count(), 0u) << "no news";
}

TEST(ChangeReplicas, WhatDoesNotFitIsSkipped) {
  World world(4);
  world.Put("a");
  const auto version = *world.Find("a");
  const auto expect_skipped = [&](const std::function<void(rpc::ReplicaChange*)>& spoil) {
    rpc::ReplicaChange change = world.Change(version, 0, 3, api::OK);
    spoil(&change);
    EXPECT_EQ(world.Change(change).count(), 0u);
    EXPECT_EQ(Replicas(world, "a"), "1:OK 2:OK 3:MISSING");
  };
  expect_skipped([](auto* change) { change->mutable_hash()->set_low(99); });
  expect_skipped([](auto* change) { change->mutable_chunk()->set_index(1); });
  expect_skipped([](auto* change) { change->mutable_chunk()->mutable_txn()->set_sequence(99); });
  expect_skipped([](auto* change) { change->mutable_ack()->set_boot_epoch(9); });
  expect_skipped([](auto* change) { change->mutable_ack()->mutable_storage_uuid()->set_low(9); });
  expect_skipped([](auto* change) { change->set_state(api::REPLICA_STATE_UNSPECIFIED); });
  expect_skipped([&](auto* change) { *change->mutable_ack() = world.Ack(4); });  // the set is full
}

TEST(ChangeReplicas, SmallSetGrowsWithTheCluster) {
  World world(1);
  world.Put("a", {.acks = {1}, .set = {1}});
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  EXPECT_EQ(Incomplete(world).size(), 1u) << "fewer than the bucket's replicas";
  world.AddActiveNode();
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 1u);
  world.AddActiveNode();
  world.AddActiveNode();
  world.Change(world.Change(*world.Find("a"), 0, 2, api::OK));
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 1u);
  world.Change(world.Change(*world.Find("a"), 0, 3, api::MISSING));
  EXPECT_EQ(Replicas(world, "a"), "1:OK 2:OK 3:MISSING");
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK)).count(), 0u);
  world.Change(world.Change(*world.Find("a"), 0, 3, api::OK));
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  EXPECT_TRUE(Incomplete(world).empty());
}

TEST(ChangeReplicas, DamagedMemberMakesWayForAGoodCopyOnly) {
  World world(5);
  world.Put("a");
  world.Change(world.Change(*world.Find("a"), 0, 2, api::CORRUPT));
  EXPECT_EQ(Replicas(world, "a"), "1:OK 2:CORRUPT 3:MISSING");
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK, 1)).count(), 0u)
      << "never a good copy";
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::MISSING, 2)).count(), 0u)
      << "it may be the last";
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK, 9)).count(), 0u);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::CORRUPT, 2)).count(), 0u);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK, 2)).count(), 1u);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 5, api::MISSING, 3)).count(), 1u);
  EXPECT_EQ(Replicas(world, "a"), "1:OK 4:OK 5:MISSING");
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK, 5)).count(), 0u)
      << "no node twice";
  EXPECT_EQ(Replicas(world, "a"), "1:OK 4:OK 5:MISSING");
}

TEST(ChangeReplicas, LastCopyKeepsItsRow) {
  World world(1);
  world.Put("a", {.acks = {1}, .set = {1}});
  world.Change(world.Change(*world.Find("a"), 0, 1, api::CORRUPT));
  EXPECT_EQ(Replicas(world, "a"), "1:CORRUPT");
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 1u);
}

TEST(ChangeReplicas, ReachesTrashedVersions) {
  World world;
  world.Put("a");
  const auto version = *world.Find("a");
  world.Remove("a");
  EXPECT_EQ(world.Change(world.Change(version, 0, 3, api::OK)).count(), 1u);
  EXPECT_EQ(ReplicasOf(world.machine->View()->FindVersion(FromWire(version.txn()))->chunks(0)),
            "1:OK 2:OK 3:OK");
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(ChangeReplicas, OneEntryStopsAtItsRows) {
  World world;
  rpc::Command command;
  for (int i = 0; i < 600; ++i) {
    const std::string name = "f" + std::to_string(i);
    world.Put(name);
    *command.mutable_change_replicas()->add_changes() =
        world.Change(*world.Find(name), 0, 3, api::OK);
  }
  const auto result = world.Apply(command);
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.count(), 496u);
  EXPECT_EQ(world.Apply(command).count(), 104u) << "the rest, given again";
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  while (command.change_replicas().changes_size() <= 1'000) {
    *command.mutable_change_replicas()->add_changes() = command.change_replicas().changes(0);
  }
  EXPECT_EQ(world.Apply(command).code(), Code::INVALID);
}

TEST(ListIncomplete, GoesOnBehindATransaction) {
  World world;
  for (const char* name : {"a", "b", "c"}) world.Put(name);
  world.term = Term(2);
  world.Put("d");
  const auto all = Incomplete(world);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(Incomplete(world, all[1]), (std::vector<TxnId>{all[2], all[3]}));
}

// A move: a good copy for another good one.
TEST(ChangeReplicas, MoveTakesThePlaceOfAGoodCopy) {
  World world(4);
  world.Put("a", {.acks = {1, 2, 3}});
  rpc::ReplicaChange change = world.Change(*world.Find("a"), 0, 4, api::OK, 2);
  EXPECT_EQ(world.Change(change).count(), 0u) << "not without being called a move";
  change.set_is_move(true);
  EXPECT_EQ(world.Change(change).count(), 1u);
  EXPECT_EQ(Replicas(world, "a"), "1:OK 4:OK 3:OK");
  EXPECT_EQ(world.Change(change).count(), 0u) << "2 is not in the set any more";
}

TEST(ChangeReplicas, MoveGivesNoGoodCopyUpForNone) {
  World world(4);
  world.Put("a", {.acks = {1, 2, 3}});
  for (const auto state : {api::MISSING, api::CORRUPT}) {
    rpc::ReplicaChange change = world.Change(*world.Find("a"), 0, 4, state, 2);
    change.set_is_move(true);
    EXPECT_EQ(world.Change(change).count(), 0u);
  }
  rpc::ReplicaChange stale = world.Change(*world.Find("a"), 0, 4, api::OK, 2);
  stale.set_is_move(true);
  stale.mutable_ack()->set_boot_epoch(9);
  EXPECT_EQ(world.Change(stale).count(), 0u) << "of another start";
  EXPECT_EQ(Replicas(world, "a"), "1:OK 2:OK 3:OK");
}

TEST(ChangeReplicas, MoveWaitsWhileACopyIsMissing) {
  World world(4);
  world.Put("a");
  ASSERT_EQ(Replicas(world, "a"), "1:OK 2:OK 3:MISSING");
  rpc::ReplicaChange change = world.Change(*world.Find("a"), 0, 4, api::OK, 2);
  change.set_is_move(true);
  EXPECT_EQ(world.Change(change).count(), 0u);
  EXPECT_EQ(Replicas(world, "a"), "1:OK 2:OK 3:MISSING");
}

}  // namespace
}  // namespace dfs::metadata
