// Gateways and storage nodes: who gets copies, who votes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/leader/leader_host_fixture.h"

namespace dfs::leader {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class NodeRoleTest : public LeaderHostTest {
 protected:
  // Joins node 3 with this role and lets it get the log.
  void JoinWith(rpc::NodeRole role) {
    rpc::JoinRequest request = JoinRequestOf(3);
    request.set_role(role);
    ASSERT_TRUE(Join(request).ok());
    world_.consensus.status().peers.push_back(
        {NodeId(3), world_.consensus.status().commit_index, world_.clock.Now(), false});
    for (int i = 0; i < 10; ++i) {
      world_.consensus.status().peers.back().match_index = world_.consensus.status().commit_index;
      world_.executor.Advance(absl::Seconds(1));
    }
    ASSERT_EQ(world_.consensus.machine().View()->FindNode(NodeId(3))->state(), rpc::ACTIVE);
  }
};

TEST_F(NodeRoleTest, AStorageNodeGetsCopiesAndNeverAVote) {
  Lead(2);
  JoinWith(rpc::STORAGE_ONLY);
  EXPECT_THAT(Open()->transactions(0).replicas(), Contains(3u));
  const auto& configuration = world_.consensus.status().configuration;
  EXPECT_FALSE(configuration.members.at(NodeId(3)).is_active);
  EXPECT_TRUE(configuration.members.at(NodeId(3)).gets_no_commands);
  EXPECT_THAT(configuration.voters, Not(Contains(NodeId(3))));
}

TEST_F(NodeRoleTest, AGatewayGetsNeitherCopiesNorAVote) {
  Lead(2);
  JoinWith(rpc::GATEWAY_ONLY);
  EXPECT_THAT(Open()->transactions(0).set(), UnorderedElementsAre(1u, 2u));
  EXPECT_THAT(Open()->transactions(0).replicas(), Not(Contains(3u)));
  EXPECT_THAT(world_.consensus.status().configuration.voters, Not(Contains(NodeId(3))));
  EXPECT_FALSE(world_.consensus.status().configuration.members.at(NodeId(3)).gets_no_commands) << "it reads by itself";
}

TEST_F(NodeRoleTest, ADirectoryThatJoinedAsOneIsNotTakenAsAnother) {
  Lead(2);
  JoinWith(rpc::GATEWAY_ONLY);
  EXPECT_EQ(Join(JoinRequestOf(3)).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace dfs::leader
