#include <gtest/gtest.h>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

rpc::Command AddCommand(const rpc::NodeRow& node) {
  rpc::Command command;
  *command.mutable_add_node()->mutable_node() = node;
  return command;
}

rpc::Command ActivateCommand(std::uint32_t id) {
  rpc::Command command;
  command.mutable_activate_node()->set_node_id(id);
  return command;
}

rpc::Command RetireCommand(std::uint32_t id) {
  rpc::Command command;
  command.mutable_retire_node()->set_node_id(id);
  return command;
}

rpc::Command StartedCommand(const rpc::NodeRow& node) {
  rpc::Command command;
  rpc::NodeStarted* started = command.mutable_node_started();
  started->set_node_id(node.node_id());
  *started->mutable_storage_uuid() = node.storage_uuid();
  started->set_boot_epoch(node.boot_epoch());
  started->set_client_address(node.client_address());
  started->set_peer_address(node.peer_address());
  started->set_zone(node.zone());
  started->set_name(node.name());
  return command;
}

rpc::Command FormCommand(const rpc::NodeRow& node) {
  rpc::Command command;
  *command.mutable_form_cluster()->mutable_cluster_id() = ToWire(ClusterId{1, 2});
  *command.mutable_form_cluster()->mutable_node() = node;
  return command;
}

// Applies it and expects that no row but the applied index changes.
void ExpectRefused(World* world, const rpc::Command& command) {
  auto before = world->store.rows();
  const auto result = world->Apply(command);
  EXPECT_EQ(result.code(), Code::INVALID) << result.ShortDebugString();
  EXPECT_FALSE(result.message().empty());
  auto after = world->store.rows();
  before.erase("A");
  after.erase("A");
  EXPECT_EQ(before, after);
}

TEST(NodeRole, AGatewayIsNoMemberThatHoldsCopies) {
  World world(1);
  rpc::NodeRow gateway = NodeOf(2);
  gateway.set_role(rpc::GATEWAY_ONLY);
  ASSERT_EQ(world.Apply(AddCommand(gateway)).code(), Code::DONE);
  ASSERT_EQ(world.Apply(ActivateCommand(2)).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->FindNode(NodeId(2))->role(), rpc::GATEWAY_ONLY);
  EXPECT_EQ(world.machine->View()->member_count(), 1u);
  rpc::NodeRow storage = NodeOf(3);
  storage.set_role(rpc::STORAGE_ONLY);
  ASSERT_EQ(world.Apply(AddCommand(storage)).code(), Code::DONE);
  ASSERT_EQ(world.Apply(ActivateCommand(3)).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  // It goes without a trace in the numbers.
  ASSERT_EQ(world.Apply(RetireCommand(2)).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  rpc::NodeRow unknown = NodeOf(4);
  unknown.set_role(static_cast<rpc::NodeRole>(9));
  ExpectRefused(&world, AddCommand(unknown));
}

TEST(FormCluster, MakesBucketAndFirstMember) {
  World world(0);
  EXPECT_FALSE(world.machine->View()->cluster_id());
  EXPECT_EQ(world.machine->View()->next_node_id(), NodeId(1));
  const auto result = world.Apply(FormCommand(NodeOf(1)));
  EXPECT_EQ(result.code(), Code::DONE);
  const auto view = world.machine->View();
  EXPECT_EQ(view->cluster_id(), (ClusterId{1, 2}));
  EXPECT_EQ(view->member_count(), 1u);
  EXPECT_EQ(view->next_node_id(), NodeId(2));
  ASSERT_TRUE(view->FindBucket("default"));
  EXPECT_EQ(view->FindBucket("default")->id(), 1u);
  EXPECT_EQ(view->FindBucket(kBucket)->replicas(), 3u);
  EXPECT_EQ(view->FindBucket(kBucket)->write_quorum(), 2u);
  EXPECT_EQ(view->FindBucket(kBucket)->read_quorum(), 2u);
  EXPECT_FALSE(view->FindBucket("other"));
  EXPECT_EQ(view->FindNode(NodeId(1))->state(), rpc::ACTIVE);
  EXPECT_EQ(view->FindNode(StorageUuid{7, 1})->node_id(), 1u);
}

TEST(FormCluster, OnlyOnce) {
  World world(1);
  ExpectRefused(&world, FormCommand(NodeOf(1)));
}

TEST(FormCluster, NeedsNodeOneAndIds) {
  World world(0);
  ExpectRefused(&world, FormCommand(NodeOf(2)));
  rpc::NodeRow no_uuid = NodeOf(1);
  no_uuid.clear_storage_uuid();
  ExpectRefused(&world, FormCommand(no_uuid));
  rpc::Command no_cluster = FormCommand(NodeOf(1));
  no_cluster.mutable_form_cluster()->clear_cluster_id();
  ExpectRefused(&world, no_cluster);
}

TEST(AddNode, JoinsWithoutCounting) {
  World world(1);
  const auto result = world.Apply(AddCommand(NodeOf(2)));
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.node().node_id(), 2u);
  const auto view = world.machine->View();
  EXPECT_EQ(view->FindNode(NodeId(2))->state(), rpc::JOINING);
  EXPECT_EQ(view->member_count(), 1u);
  EXPECT_EQ(view->next_node_id(), NodeId(3));
}

TEST(AddNode, IsIdempotentByStorageUuid) {
  World world(2);
  rpc::NodeRow again = NodeOf(2);
  again.set_node_id(3);
  again.set_name("another name");
  const auto result = world.Apply(AddCommand(again));
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.node().node_id(), 2u);
  EXPECT_EQ(result.node().name(), "node2");
  EXPECT_EQ(world.machine->View()->next_node_id(), NodeId(3));
}

TEST(AddNode, RefusesWhatIsNotNextOrNotComplete) {
  World world(1);
  ExpectRefused(&world, AddCommand(NodeOf(3)));
  ExpectRefused(&world, AddCommand(NodeOf(0)));
  rpc::NodeRow long_name = NodeOf(2);
  long_name.set_name(std::string(257, 'x'));
  ExpectRefused(&world, AddCommand(long_name));
  World empty(0);
  ExpectRefused(&empty, AddCommand(NodeOf(1)));
}

TEST(AddNode, RefusesRetiredDataDirectory) {
  World world(3);
  EXPECT_EQ(world.Apply(RetireCommand(2)).code(), Code::DONE);
  rpc::NodeRow again = NodeOf(2);
  again.set_node_id(4);
  ExpectRefused(&world, AddCommand(again));
  ExpectRefused(&world, ActivateCommand(2));
  ExpectRefused(&world, StartedCommand(NodeOf(2, 5)));
  // Invariant 11: what it acknowledges counts in no quorum.
  EXPECT_EQ(world.Put("a", {.acks = {1, 2}, .set = {1, 2, 3}}).code(), Code::REBEGIN);
}

TEST(ActivateNode, CountsOnce) {
  World world(1);
  world.Apply(AddCommand(NodeOf(2)));
  EXPECT_EQ(world.Apply(ActivateCommand(2)).node().state(), rpc::ACTIVE);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  EXPECT_EQ(world.Apply(ActivateCommand(2)).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  ExpectRefused(&world, ActivateCommand(9));
}

TEST(RetireNode, TakesItOutOfTheCountOnce) {
  World world(3);
  EXPECT_EQ(world.Apply(RetireCommand(3)).node().state(), rpc::RETIRED);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  EXPECT_EQ(world.Apply(RetireCommand(3)).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->member_count(), 2u);
  EXPECT_EQ(world.machine->View()->next_node_id(), NodeId(4)) << "ids are never used again";
}

TEST(RetireNode, JoiningOneNeverCounted) {
  World world(1);
  world.Apply(AddCommand(NodeOf(2)));
  EXPECT_EQ(world.Apply(RetireCommand(2)).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->member_count(), 1u);
  ExpectRefused(&world, ActivateCommand(2));
}

TEST(RetireNode, RefusesUnknownAndTheLastMember) {
  World world(1);
  ExpectRefused(&world, RetireCommand(7));
  ExpectRefused(&world, RetireCommand(1));
}

TEST(NodeStarted, RaisesEpochAndTakesAddresses) {
  World world(2);
  rpc::NodeRow node = NodeOf(2, 5);
  node.set_client_address("new:1");
  node.set_zone("z");
  const auto result = world.Apply(StartedCommand(node));
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.node().boot_epoch(), 5u);
  EXPECT_EQ(world.machine->View()->FindNode(NodeId(2))->client_address(), "new:1");
  EXPECT_EQ(world.machine->View()->FindNode(NodeId(2))->zone(), "z");
}

TEST(NodeStarted, IgnoresOlderEpoch) {
  World world(2);
  world.Apply(StartedCommand(NodeOf(2, 5)));
  rpc::NodeRow old = NodeOf(2, 4);
  old.set_client_address("old:1");
  const auto result = world.Apply(StartedCommand(old));
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.node().boot_epoch(), 5u);
  EXPECT_EQ(result.node().client_address(), "10.0.0.2:1");
}

TEST(NodeStarted, TakesAddressesOfSameEpoch) {
  World world(2);
  rpc::NodeRow moved = NodeOf(2, 1);
  moved.set_peer_address("moved:2");
  EXPECT_EQ(world.Apply(StartedCommand(moved)).node().peer_address(), "moved:2");
}

TEST(NodeStarted, RefusesOtherStorage) {
  World world(2);
  rpc::NodeRow wiped = NodeOf(2, 9);
  *wiped.mutable_storage_uuid() = ToWire(StorageUuid{8, 8});
  ExpectRefused(&world, StartedCommand(wiped));
  ExpectRefused(&world, StartedCommand(NodeOf(7)));
}

TEST(Apply, UnreadableCommandIsInvalidAndAdvances) {
  World world(1);
  const LogIndex before = world.machine->applied_index();
  EXPECT_EQ(world.ApplyBytes("\xff\xff\xff garbage").code(), Code::INVALID);
  rpc::Command unknown;
  unknown.set_time_us(5'000'000);
  EXPECT_EQ(world.Apply(unknown).code(), Code::INVALID);
  EXPECT_EQ(world.ApplyBytes("").code(), Code::DONE);
  EXPECT_EQ(world.machine->applied_index().value(), before.value() + 3);
  EXPECT_EQ(world.machine->View()->applied_index(), world.machine->applied_index());
  EXPECT_EQ(world.machine->View()->log_time_us(), 5'000'000u);
}

TEST(Apply, LogTimeNeverGoesBack) {
  World world(1);
  rpc::Command late = ActivateCommand(1);
  late.set_time_us(900'000);
  world.Apply(late);
  rpc::Command early = ActivateCommand(1);
  early.set_time_us(10);
  world.Apply(early);
  EXPECT_EQ(world.machine->View()->log_time_us(), 900'000u);
}

}  // namespace
}  // namespace dfs::metadata
