// Nodes that are OUT, that are drained, and that go for good.
#include <gtest/gtest.h>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

rpc::CommandResult Mark(World* world, std::uint32_t node, std::optional<bool> is_out,
                        std::optional<rpc::Departure> departure = {}, std::uint64_t boot_epoch = 0) {
  rpc::Command command;
  rpc::MarkNode& mark = *command.mutable_mark_node();
  mark.set_node_id(node);
  mark.set_boot_epoch(boot_epoch);
  if (is_out) mark.set_is_out(*is_out);
  if (departure) mark.set_departure(*departure);
  return world->Apply(command);
}

rpc::CommandResult Retire(World* world, std::uint32_t node) {
  rpc::Command command;
  command.mutable_retire_node()->set_node_id(node);
  return world->Apply(command);
}

// Steps until the last; how many.
int RetireAll(World* world, std::uint32_t node) {
  rpc::Command command;
  command.mutable_retire_step()->set_node_id(node);
  for (int steps = 1; steps < 1'000; ++steps) {
    const auto result = world->Apply(command);
    EXPECT_EQ(result.code(), Code::DONE) << result.ShortDebugString();
    if (result.is_last()) return steps;
    *command.mutable_retire_step()->mutable_after() = result.next();
  }
  ADD_FAILURE() << "it does not end";
  return 0;
}

std::string SetOf(const World& world, const std::string& name) {
  return ReplicasOf(world.Find(name)->chunks(0));
}

// What commits behind the leader's last look at a node that leaves must not be on that node alone.
TEST(MarkNode, NoPutCountsThatOnlyNodesThatLeaveHold) {
  World world(3);
  api::BucketOptions options;
  options.set_replicas(1);
  options.set_write_quorum(1);
  options.set_read_quorum(1);
  ASSERT_EQ(world.MakeBucket("single", options).code(), Code::DONE);
  world.bucket = BucketId(2);
  EXPECT_EQ(world.Put("before", {.acks = {3}, .set = {3}}).code(), Code::DONE);
  for (const rpc::Departure departure : {rpc::LEAVING, rpc::FORGOTTEN}) {
    ASSERT_EQ(Mark(&world, 3, {}, departure).code(), Code::DONE);
    EXPECT_EQ(world.Put("alone", {.acks = {3}, .set = {3}}).code(), Code::REBEGIN);
    EXPECT_EQ(world.Put("elsewhere", {.acks = {3, 1}, .set = {3, 1}}).code(), Code::DONE);
  }
  EXPECT_FALSE(world.Find("alone"));
  ASSERT_EQ(Mark(&world, 3, {}, rpc::DRAINING).code(), Code::DONE);
  EXPECT_EQ(world.Put("alone", {.acks = {3}, .set = {3}}).code(), Code::DONE) << "it stays a member";
}

// Rule R7.
TEST(MarkNode, OutMembersStillCount) {
  World world(4);
  EXPECT_EQ(Mark(&world, 4, true).code(), Code::DONE);
  const auto view = world.machine->View();
  EXPECT_EQ(view->member_count(), 4u);
  EXPECT_EQ(view->FindNode(NodeId(4))->state(), rpc::ACTIVE);
  EXPECT_TRUE(view->FindNode(NodeId(4))->is_out());
}

TEST(MarkNode, AtMostAThirdGoesOut) {
  World two(2);
  EXPECT_EQ(Mark(&two, 2, true).code(), Code::INVALID);
  World five(5);
  EXPECT_EQ(Mark(&five, 2, true).code(), Code::DONE);
  EXPECT_EQ(Mark(&five, 2, true).code(), Code::DONE) << "idempotent";
  EXPECT_EQ(Mark(&five, 3, true).code(), Code::INVALID);
  EXPECT_EQ(Mark(&five, 2, false).code(), Code::DONE);
  EXPECT_EQ(Mark(&five, 3, true).code(), Code::DONE);
}

TEST(MarkNode, WhatWasDecidedOfAnEarlierStartIsVoid) {
  World world(3);
  EXPECT_EQ(Mark(&world, 3, true, {}, 7).code(), Code::INVALID);
  EXPECT_EQ(Mark(&world, 3, true, {}, 1).code(), Code::DONE);
}

TEST(MarkNode, SetsAreCompletedFromTheOthersFirst) {
  World world(4);
  Mark(&world, 1, true);
  world.Put("a", {.acks = {2, 3}, .set = {2, 3}});
  EXPECT_EQ(SetOf(world, "a"), "2:OK 3:OK 4:MISSING");
}

TEST(ChangeReplicas, GoodCopyReplacesOneOnANodeThatIsOutOrDraining) {
  World world(5);
  world.Put("a", {.acks = {1, 2, 3}, .set = {1, 2, 3}});
  world.Put("b", {.acks = {1, 2, 3}, .set = {1, 2, 3}});
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK, 3)).count(), 0u)
      << "not while the node is to stay";
  Mark(&world, 3, true);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::MISSING, 3)).count(), 0u);
  EXPECT_EQ(world.Change(world.Change(*world.Find("a"), 0, 4, api::OK, 3)).count(), 1u);
  EXPECT_EQ(SetOf(world, "a"), "1:OK 2:OK 4:OK");
  // Its return undoes it; what was not replaced counts again.
  Mark(&world, 3, false);
  EXPECT_EQ(world.Change(world.Change(*world.Find("b"), 0, 4, api::OK, 3)).count(), 0u);
  EXPECT_EQ(SetOf(world, "b"), "1:OK 2:OK 3:OK");
  Mark(&world, 2, {}, rpc::DRAINING);
  EXPECT_EQ(world.Change(world.Change(*world.Find("b"), 0, 5, api::OK, 2)).count(), 1u);
  EXPECT_EQ(SetOf(world, "b"), "1:OK 5:OK 3:OK");
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(RetireNode, LowersTheNumberOfMembersOnce) {
  World world(3);
  EXPECT_EQ(Retire(&world, 3).code(), Code::DONE);
  EXPECT_EQ(Retire(&world, 3).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  EXPECT_EQ(Mark(&world, 3, true).code(), Code::INVALID);
  EXPECT_EQ(Retire(&world, 2).code(), Code::DONE);
  EXPECT_EQ(Retire(&world, 1).code(), Code::INVALID) << "the last one";
  EXPECT_EQ(Retire(&world, 9).code(), Code::INVALID);
}

TEST(RetireNode, SuccessorTakesOverNameAndZone) {
  World world(4);
  const auto before = world.machine->View()->FindNode(NodeId(3));
  rpc::Command command;
  command.mutable_mark_node()->set_node_id(3);
  command.mutable_mark_node()->set_departure(rpc::FORGOTTEN);
  command.mutable_mark_node()->set_successor(4);
  EXPECT_EQ(world.Apply(command).code(), Code::DONE);
  EXPECT_EQ(Retire(&world, 3).code(), Code::DONE);
  const auto heir = world.machine->View()->FindNode(NodeId(4));
  EXPECT_EQ(heir->name(), before->name());
  EXPECT_EQ(heir->zone(), before->zone());
  EXPECT_EQ(heir->state(), rpc::ACTIVE);
}

TEST(RetireStep, TakesTheNodeOutOfEverySet) {
  World world(4);
  world.Put("a", {.acks = {1, 2, 3}, .set = {1, 2, 3}});
  world.Put("b", {.acks = {2, 3}, .set = {2, 3, 4}});
  world.Put("c", {.acks = {1, 2}, .set = {1, 2, 4}});
  world.Put("c", {.acks = {1, 3}, .set = {1, 3, 4}});  // the one before is in the trash
  rpc::Command early;
  early.mutable_retire_step()->set_node_id(3);
  EXPECT_EQ(world.Apply(early).code(), Code::INVALID) << "not retired";
  Retire(&world, 3);
  EXPECT_TRUE(world.machine->View()->FindNode(NodeId(3))->has_rows());
  EXPECT_EQ(RetireAll(&world, 3), 1);
  EXPECT_FALSE(world.machine->View()->FindNode(NodeId(3))->has_rows());
  EXPECT_EQ(SetOf(world, "a"), "1:OK 2:OK");
  EXPECT_EQ(SetOf(world, "b"), "2:OK 4:MISSING");
  EXPECT_EQ(SetOf(world, "c"), "1:OK 4:MISSING");
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 3u);
  EXPECT_EQ(RetireAll(&world, 3), 1) << "idempotent";
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(RetireStep, PurgeRowsOfTheNodeGo) {
  World world(3);
  world.Put("a", {.acks = {1, 2, 3}});
  const auto txn = FromWire(world.Find("a")->txn());
  world.Remove("a");
  std::uint64_t trashed = 0;
  world.machine->View()->ListTrashed([&](const rpc::VersionRow& version) {
    trashed = version.trashed_index();
    return true;
  });
  world.Purge(txn, trashed);
  ASSERT_TRUE(world.machine->View()->IsPurged(NodeId(3), {txn, 0}));
  Retire(&world, 3);
  RetireAll(&world, 3);
  EXPECT_FALSE(world.machine->View()->IsPurged(NodeId(3), {txn, 0}));
  EXPECT_TRUE(world.machine->View()->IsPurged(NodeId(2), {txn, 0}));
}

TEST(RetireStep, EmptyFilesGetAnotherNode) {
  World world(4);
  world.Put("e", {.chunks = 0});
  ASSERT_EQ(world.Find("e")->empty_set_size(), 3);
  const std::uint32_t gone = world.Find("e")->empty_set(0);
  Retire(&world, gone);
  RetireAll(&world, gone);
  const auto version = world.Find("e");
  ASSERT_EQ(version->empty_set_size(), 3);
  for (const std::uint32_t node : version->empty_set()) EXPECT_NE(node, gone);
}

TEST(RetireStep, ManyVersionsTakeSeveralEntries) {
  World world(3);
  for (int i = 0; i < 1'200; ++i) world.Put("f" + std::to_string(i), {.acks = {1, 2, 3}});
  Retire(&world, 3);
  EXPECT_GE(RetireAll(&world, 3), 3);
  for (int i = 0; i < 1'200; i += 97) EXPECT_EQ(SetOf(world, "f" + std::to_string(i)), "1:OK 2:OK");
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

}  // namespace
}  // namespace dfs::metadata
