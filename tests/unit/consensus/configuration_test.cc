#include "server/consensus/configuration.h"

#include <gtest/gtest.h>

#include "common/random.h"
#include "tests/support/raft_cluster.h"

namespace dfs::consensus {
namespace {

auto Has(std::set<std::uint32_t> ids) {
  return [ids](NodeId node) { return ids.contains(node.value()); };
}
auto Match(std::map<std::uint32_t, std::uint64_t> match) {
  return [match](NodeId node) {
    const auto found = match.find(node.value());
    return LogIndex(found == match.end() ? 0 : found->second);
  };
}

TEST(Configuration, AQuorumIsAMajority) {
  EXPECT_FALSE(Configuration().HasQuorum(Has({1, 2, 3})));
  EXPECT_TRUE(MakeConfiguration({1}).HasQuorum(Has({1})));
  EXPECT_FALSE(MakeConfiguration({1, 2}).HasQuorum(Has({1})));
  EXPECT_TRUE(MakeConfiguration({1, 2, 3}).HasQuorum(Has({1, 3})));
  EXPECT_FALSE(MakeConfiguration({1, 2, 3, 4}).HasQuorum(Has({1, 3})));
  EXPECT_FALSE(MakeConfiguration({1, 2, 3}, {4, 5}).HasQuorum(Has({1, 4, 5}))) << "learners";
}

TEST(Configuration, WhileJointBothMajoritiesDecide) {
  const Configuration joint =
      MakeConfiguration({1, 2, 3}, {4, 5}).EnterJoint({NodeId(3), NodeId(4), NodeId(5)});
  EXPECT_FALSE(joint.HasQuorum(Has({1, 2})));
  EXPECT_FALSE(joint.HasQuorum(Has({4, 5})));
  EXPECT_TRUE(joint.HasQuorum(Has({2, 3, 4})));
  EXPECT_EQ(joint.QuorumIndex(Match({{1, 9}, {2, 9}, {3, 9}, {4, 2}, {5, 3}})), LogIndex(3));
  EXPECT_TRUE(joint.IsVoter(NodeId(1)));
  EXPECT_FALSE(joint.LeaveJoint().IsVoter(NodeId(1)));
}

TEST(Configuration, QuorumIndexIsTheGreatestThatAQuorumReached) {
  Random random(3);
  for (int round = 0; round < 2000; ++round) {
    Configuration c = MakeConfiguration({1, 2, 3, 4, 5}, {6, 7});
    if (random.OneIn(1, 2)) {
      std::set<NodeId> next;
      while (next.size() < 3) next.insert(NodeId(static_cast<std::uint32_t>(random.Below(7) + 1)));
      c = c.EnterJoint(next);
    }
    std::map<std::uint32_t, std::uint64_t> reached;
    for (std::uint32_t id = 1; id <= 7; ++id) reached[id] = random.Below(6);
    const auto match = Match(reached);
    const LogIndex index = c.QuorumIndex(match);
    EXPECT_TRUE(c.HasQuorum([&](NodeId node) { return match(node) >= index; }));
    EXPECT_FALSE(c.HasQuorum([&](NodeId node) { return match(node) > index; }));
  }
}

TEST(Configuration, HeldIndexIsWhatTwoActiveMembersHold) {
  EXPECT_EQ(MakeConfiguration({1}).HeldIndex(Match({{1, 7}})), LogIndex(7));
  EXPECT_EQ(MakeConfiguration({1}, {2}).HeldIndex(Match({{1, 7}, {2, 4}})), LogIndex(4));
  EXPECT_EQ(MakeConfiguration({1}, {}, {2}).HeldIndex(Match({{1, 7}, {2, 4}})), LogIndex(7));
  EXPECT_EQ(MakeConfiguration({1, 2, 3}).HeldIndex(Match({{1, 7}, {2, 5}, {3, 6}})), LogIndex(6));
  EXPECT_EQ(Configuration().HeldIndex(Match({})), LogIndex(0));
}

TEST(Configuration, VotersChangeThroughJointOnly) {
  const Configuration three = MakeConfiguration({1, 2, 3}, {4});
  const Configuration joint = three.EnterJoint({NodeId(1), NodeId(2), NodeId(4)});
  EXPECT_TRUE(three.CheckStep(joint).ok());
  EXPECT_TRUE(joint.CheckStep(joint.LeaveJoint()).ok());
  EXPECT_FALSE(three.CheckStep(joint.LeaveJoint()).ok()) << "in one step";
  EXPECT_FALSE(joint.CheckStep(three).ok()) << "back";
  EXPECT_FALSE(joint.CheckStep(joint).ok()) << "joint twice";
  Configuration more = joint;
  more.members.erase(NodeId(3));
  EXPECT_FALSE(joint.CheckStep(more.LeaveJoint()).ok()) << "members at the same time";
}

TEST(Configuration, EveryVoterIsAnActiveMember) {
  const Configuration three = MakeConfiguration({1, 2, 3}, {}, {4});
  EXPECT_FALSE(three.CheckStep(three.EnterJoint({NodeId(4)})).ok()) << "a joiner";
  EXPECT_FALSE(three.CheckStep(three.EnterJoint({NodeId(9)})).ok()) << "nobody";
  EXPECT_FALSE(three.CheckStep(three.EnterJoint({})).ok());
  Configuration next = three;
  next.members[NodeId(2)].is_active = false;
  EXPECT_FALSE(three.CheckStep(next).ok());
}

TEST(Configuration, WhoGetsNoCommandsIsNeverActiveAndStaysSo) {
  const Configuration three = MakeConfiguration({1, 2, 3});
  Configuration next = three;
  next.members[NodeId(4)].gets_no_commands = true;
  EXPECT_TRUE(three.CheckStep(next).ok());
  Configuration active = next;
  active.members[NodeId(4)].is_active = true;
  EXPECT_FALSE(next.CheckStep(active).ok());
  Configuration full = next;
  full.members[NodeId(4)].gets_no_commands = false;
  EXPECT_FALSE(next.CheckStep(full).ok()) << "its log lacks the commands of before";
  Configuration less = three;
  less.members[NodeId(3)].is_active = false;
  less.members[NodeId(3)].gets_no_commands = true;
  EXPECT_FALSE(three.CheckStep(less).ok());
}

TEST(Configuration, MembersComeGoAndMoveButKeepTheirDisk) {
  const Configuration three = MakeConfiguration({1, 2, 3}, {4});
  Configuration next = three;
  next.members.erase(NodeId(4));
  EXPECT_TRUE(three.CheckStep(next).ok());
  next = three;
  next.members[NodeId(2)].peer_address = "elsewhere:1";
  EXPECT_TRUE(three.CheckStep(next).ok());
  next.members[NodeId(2)].storage_uuid = StorageUuid{9, 9};
  EXPECT_FALSE(three.CheckStep(next).ok()) << "a wiped disk is another member (rule R2)";
}

}  // namespace
}  // namespace dfs::consensus
