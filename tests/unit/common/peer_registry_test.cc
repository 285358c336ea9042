#include "common/peer_registry.h"

#include <gtest/gtest.h>

namespace dfs {
namespace {

StorageUuid UuidOf(std::uint32_t node) { return {9, node}; }

rpc::PeerHello HelloOf(std::uint32_t node, std::uint64_t epoch, std::uint64_t run) {
  rpc::PeerHello hello;
  hello.mutable_cluster_id()->set_high(1);
  hello.set_node_id(node);
  *hello.mutable_storage_uuid() = ToWire(UuidOf(node));
  hello.set_boot_epoch(epoch);
  hello.set_run_id(run);
  return hello;
}

bool Accepts(PeerRegistry& registry, const rpc::PeerHello& hello) {
  return registry.CheckInbound(hello).ok();
}

TEST(PeerRegistry, BelievesAnybodyUntilTheMembersAreKnown) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  EXPECT_TRUE(Accepts(registry, HelloOf(7, 1, 70)));
  EXPECT_TRUE(Accepts(registry, HelloOf(8, 1, 80)));
  registry.SetKnownAll({{NodeId(8), UuidOf(8)}});
  EXPECT_FALSE(Accepts(registry, HelloOf(7, 1, 70))) << "believed before, and is not a member";
  EXPECT_TRUE(Accepts(registry, HelloOf(8, 1, 80)));
}

// The only member of a cluster knows its members: nobody else.
TEST(PeerRegistry, NoOtherMembersIsKnowledgeToo) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({});
  EXPECT_FALSE(Accepts(registry, HelloOf(2, 1, 20)));
}

TEST(PeerRegistry, MemberThatLeftTheConfigurationIsRefused) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}, {NodeId(3), UuidOf(3)}});
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  EXPECT_TRUE(Accepts(registry, HelloOf(2, 1, 20)));
  EXPECT_FALSE(Accepts(registry, HelloOf(3, 1, 30)));
}

// A member that was away hears of newer ones from others, before its log tells of them.
TEST(PeerRegistry, NamedMemberStaysKnownUntilAConfigurationHasHeldIt) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  registry.SetKnown(NodeId(4), UuidOf(4), BootEpoch(1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}, {NodeId(3), UuidOf(3)}});
  EXPECT_TRUE(Accepts(registry, HelloOf(4, 1, 40)));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}, {NodeId(4), UuidOf(4)}});
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  EXPECT_FALSE(Accepts(registry, HelloOf(4, 1, 40)));
}

TEST(PeerRegistry, OldEpochAndSecondRunAreRefused) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  EXPECT_TRUE(Accepts(registry, HelloOf(2, 5, 20)));
  EXPECT_TRUE(Accepts(registry, HelloOf(2, 5, 20))) << "a reconnect";
  EXPECT_FALSE(Accepts(registry, HelloOf(2, 5, 21))) << "runs twice";
  EXPECT_FALSE(Accepts(registry, HelloOf(2, 4, 22))) << "an older state";
  EXPECT_TRUE(Accepts(registry, HelloOf(2, 6, 23)));
}

TEST(PeerRegistry, EpochOfTheTableCountsForItsDataDirectoryOnly) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  registry.RaiseEpoch(NodeId(2), UuidOf(3), BootEpoch(9));
  EXPECT_TRUE(Accepts(registry, HelloOf(2, 1, 20)));
  registry.RaiseEpoch(NodeId(2), UuidOf(2), BootEpoch(9));
  EXPECT_FALSE(Accepts(registry, HelloOf(2, 8, 21)));
  registry.RaiseEpoch(NodeId(5), UuidOf(5), BootEpoch(1));
  EXPECT_FALSE(Accepts(registry, HelloOf(5, 1, 50))) << "the table makes nobody a peer";
}

TEST(PeerRegistry, AnotherDataDirectoryIsRefused) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  rpc::PeerHello wiped = HelloOf(2, 1, 20);
  *wiped.mutable_storage_uuid() = ToWire(UuidOf(99));
  EXPECT_FALSE(Accepts(registry, wiped));
}

// Rule R2: who dials in counts only if it is also who answers at the member's own address.
TEST(PeerRegistry, OnlyTheRunThatAnswersAtItsAddressIsConfirmed) {
  PeerRegistry registry(HelloOf(1, 1, 1));
  registry.SetKnownAll({{NodeId(2), UuidOf(2)}});
  ASSERT_TRUE(Accepts(registry, HelloOf(2, 1, 20)));
  EXPECT_FALSE(registry.IsConfirmed(NodeId(2), RunId(20)));
  ASSERT_TRUE(registry.CheckOutbound(NodeId(2), HelloOf(2, 1, 20)).ok());
  EXPECT_TRUE(registry.IsConfirmed(NodeId(2), RunId(20)));
  EXPECT_FALSE(registry.IsConfirmed(NodeId(2), RunId(21)));
  EXPECT_FALSE(registry.CheckOutbound(NodeId(3), HelloOf(2, 1, 20)).ok()) << "another node answers";
}

}  // namespace
}  // namespace dfs
