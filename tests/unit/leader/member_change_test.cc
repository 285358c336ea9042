#include "server/leader/member_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/leader/repair_explain.h"
#include "server/leader/stop_check.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kLeave = ChangeMemberRequest::LEAVE;
constexpr auto kDrain = ChangeMemberRequest::DRAIN;
constexpr auto kUndrain = ChangeMemberRequest::UNDRAIN;
constexpr auto kForget = ChangeMemberRequest::FORGET;
constexpr auto kReplace = ChangeMemberRequest::REPLACE;

ChangeFacts Facts(std::size_t members) {
  ChangeFacts facts;
  facts.node = RowOf(3);
  facts.node.set_state(rpc::ACTIVE);
  facts.is_usable = true;
  facts.members = members;
  facts.staying = facts.live_staying = members - 1;
  return facts;
}

std::string Refusal(ChangeMemberRequest::Change change, const ChangeFacts& facts) {
  const auto plan = PlanChange(change, facts);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kFailedPrecondition);
  return std::string(plan.status().message());
}

TEST(PlanChange, NodeLeavesAClusterThatStaysLargeEnough) {
  const auto plan = PlanChange(kLeave, Facts(4));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->departure, rpc::LEAVING);
  auto again = Facts(4);
  again.node.set_departure(rpc::LEAVING);
  EXPECT_FALSE(PlanChange(kLeave, again)->has_value()) << "idempotent";
}

TEST(PlanChange, FewerCopiesForGoodMustBeTold) {
  auto facts = Facts(3);
  EXPECT_THAT(Refusal(kLeave, facts), HasSubstr("--force"));
  EXPECT_THAT(Refusal(kDrain, facts), HasSubstr("--force"));
  facts.is_forced = true;
  EXPECT_TRUE(PlanChange(kLeave, facts).ok());
}

TEST(PlanChange, TheLastMemberNeverGoes) {
  auto facts = Facts(1);
  facts.is_forced = true;
  EXPECT_THAT(Refusal(kLeave, facts), HasSubstr("last member"));
  facts.is_usable = false;
  EXPECT_THAT(Refusal(kForget, facts), HasSubstr("last member"));
}

TEST(PlanChange, DeadNodeCannotHandOver) {
  auto facts = Facts(4);
  facts.is_usable = false;
  EXPECT_THAT(Refusal(kLeave, facts), HasSubstr("forget"));
}

TEST(PlanChange, LiveNodeIsNotForgottenEvenByForce) {
  auto facts = Facts(4);
  facts.is_forced = true;
  EXPECT_THAT(Refusal(kForget, facts), HasSubstr("is alive"));
}

TEST(PlanChange, LastCopiesAreGivenUpOnlyByForce) {
  auto facts = Facts(4);
  facts.is_usable = false;
  facts.last_copies = 2;
  facts.last_copy_name = "a/b";
  EXPECT_THAT(Refusal(kForget, facts), HasSubstr("\"a/b\""));
  facts.last_trashed = 7;
  EXPECT_THAT(Refusal(kForget, facts), HasSubstr("7 removed file(s)"));
  facts.is_forced = true;
  EXPECT_EQ((*PlanChange(kForget, facts))->departure, rpc::FORGOTTEN);
}

TEST(PlanChange, WhatIsInTheTrashIsToldAndRefusesNothing) {
  auto facts = Facts(4);
  facts.is_usable = false;
  EXPECT_EQ(TrashLossText(facts), "");
  facts.last_trashed = 7;
  EXPECT_EQ((*PlanChange(kForget, facts))->departure, rpc::FORGOTTEN);
  EXPECT_THAT(TrashLossText(facts), HasSubstr("7 removed file(s)"));
}

TEST(PlanChange, ReplaceNeedsTheOtherNode) {
  auto facts = Facts(4);
  facts.is_usable = false;
  EXPECT_THAT(Refusal(kReplace, facts), HasSubstr("no node has come"));
  facts.successor = RowOf(9);
  EXPECT_EQ((*PlanChange(kReplace, facts))->successor, 9u);
}

TEST(PlanChange, UndoTakesBackALeaveThatIsNotDone) {
  auto facts = Facts(4);
  EXPECT_FALSE(PlanChange(kUndrain, facts)->has_value());
  facts.node.set_departure(rpc::LEAVING);
  EXPECT_EQ((*PlanChange(kUndrain, facts))->departure, rpc::STAYS);
}

NamedNode Named(std::uint32_t id, const std::string& name, bool is_usable,
                rpc::NodeState state = rpc::ACTIVE) {
  NamedNode node{RowOf(id), is_usable};
  node.row.set_name(name);
  node.row.set_state(state);
  return node;
}

TEST(FindNamed, TakesTheOneThatIsMeant) {
  const std::vector<NamedNode> nodes = {Named(1, "n1", true), Named(3, "n3", false),
                                        Named(4, "n3", true), Named(2, "n3", false, rpc::RETIRED)};
  EXPECT_EQ(FindNamed(nodes, "n3", true)->node_id(), 3u);
  EXPECT_EQ(FindNamed(nodes, "n3", false)->node_id(), 4u);
  EXPECT_EQ(FindNamed(nodes, "2", false)->node_id(), 2u);
  EXPECT_EQ(FindNamed(nodes, "n7", false).status().code(), absl::StatusCode::kNotFound);
  const std::vector<NamedNode> twins = {Named(1, "x", true), Named(2, "x", true)};
  EXPECT_EQ(FindNamed(twins, "x", false).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(FindSuccessor, IsAliveAndOfTheSameNameOrPlace) {
  const NamedNode dead = Named(3, "n3", false);
  EXPECT_FALSE(FindSuccessor({dead, Named(4, "n4", true), Named(5, "n3", false)}, dead.row));
  EXPECT_EQ(FindSuccessor({dead, Named(5, "n3", true)}, dead.row)->node_id(), 5u);
  NamedNode same_place = Named(6, "other", true);
  same_place.row.set_client_address(dead.row.client_address());
  EXPECT_EQ(FindSuccessor({dead, same_place}, dead.row)->node_id(), 6u);
}

// ---- ok-to-stop ----

RepairMembers Members(std::uint32_t count, std::uint32_t dead = 0) {
  std::vector<placement::Candidate> members;
  for (std::uint32_t node = 1; node <= count; ++node) {
    placement::Candidate member;
    member.node = NodeId(node);
    member.free_bytes = std::uint64_t{100} << 30;
    member.is_usable = node != dead;
    members.push_back(member);
  }
  return RepairMembers(members);
}

rpc::VersionRow Version(const std::vector<std::pair<std::uint32_t, api::ReplicaState>>& replicas) {
  rpc::VersionRow version;
  rpc::ChunkRow& chunk = *version.add_chunks();
  for (const auto& [node, state] : replicas) {
    rpc::Replica& replica = *chunk.add_replicas();
    replica.set_node_id(node);
    replica.set_state(state);
  }
  return version;
}

TEST(StopCheck, OneOfThreeMayStopTwoMayNot) {
  rpc::BucketRow bucket;
  bucket.set_name("default");
  bucket.set_write_quorum(2);
  bucket.set_read_quorum(2);
  const auto version = Version({{1, api::OK}, {2, api::OK}, {3, api::OK}});
  const RepairMembers members = Members(3);
  const std::set<NodeId> voters = {NodeId(1), NodeId(2), NodeId(3)};
  const StopCheck one(members, {NodeId(1)}, voters);
  EXPECT_THAT(one.ClusterReasons({bucket}), IsEmpty());
  EXPECT_EQ(one.WhatIsLost(version, bucket), "");
  const StopCheck two(members, {NodeId(1), NodeId(2)}, voters);
  EXPECT_THAT(two.ClusterReasons({bucket}), SizeIs(2));
  EXPECT_THAT(two.WhatIsLost(version, bucket), HasSubstr("strong get needs 2"));
  // One is dead already.
  const RepairMembers weak = Members(3, 3);
  EXPECT_THAT(StopCheck(weak, {NodeId(1)}, voters).ClusterReasons({bucket}), SizeIs(2));
  // A bucket that wants more copies before a put is answered has its own word.
  rpc::BucketRow wide = bucket;
  wide.set_name("wide");
  wide.set_write_quorum(3);
  EXPECT_THAT(one.ClusterReasons({bucket, wide}),
              ElementsAre("2 node(s) would remain, and a put into bucket \"wide\" needs 3"));
}

TEST(StopCheck, LastCopyCounts) {
  rpc::BucketRow bucket;
  bucket.set_read_quorum(2);
  const RepairMembers members = Members(4);
  const auto version = Version({{1, api::OK}, {2, api::MISSING}, {3, api::CORRUPT}});
  EXPECT_THAT(StopCheck(members, {NodeId(1)}, {NodeId(4)}).WhatIsLost(version, bucket),
              HasSubstr("no copy"));
  EXPECT_EQ(StopCheck(members, {NodeId(2)}, {NodeId(4)}).WhatIsLost(version, bucket), "");
}

// ---- explain ----

TEST(ExplainChunk, NamesWhatIsInTheWay) {
  const RepairMembers members = Members(3, 3);
  ExplainFacts facts;
  facts.members = &members;
  for (std::uint32_t node = 1; node <= 3; ++node) facts.names[NodeId(node)] = "n" + std::to_string(node);
  facts.out_in[NodeId(3)] = absl::Seconds(87);
  IncompleteChunk chunk{{{Term(1), 1}, 0}, 10, {1, 1}, 3,
                        {{NodeId(1), CopyState::kOk}, {NodeId(2), CopyState::kOk},
                         {NodeId(3), CopyState::kMissing}}};
  const auto waits = ExplainChunk(chunk, facts);
  EXPECT_EQ(waits.code(), "NODE_AWAY");
  EXPECT_THAT(waits.text(), HasSubstr("n3 (dead, OUT in 87 s)"));
  chunk.set[NodeId(1)] = chunk.set[NodeId(2)] = CopyState::kCorrupt;
  EXPECT_EQ(ExplainChunk(chunk, facts).code(), "NO_LIVE_SOURCE");
}

}  // namespace
}  // namespace dfs::leader
