#include "server/leader/voter_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;

VoterCandidate Node(std::uint32_t node, std::string zone = "", bool is_eligible = true) {
  return {NodeId(node), std::move(zone), is_eligible};
}

TEST(VoterChoice, OneOrTwoMembersHaveOneVoter) {
  EXPECT_THAT(ChooseVoters({Node(1)}, {NodeId(1)}), ElementsAre(NodeId(1)));
  EXPECT_THAT(ChooseVoters({Node(1), Node(2)}, {NodeId(1)}), ElementsAre(NodeId(1)));
}

TEST(VoterChoice, ThreeMembersAllVote) {
  EXPECT_THAT(ChooseVoters({Node(1), Node(2), Node(3)}, {NodeId(1)}),
              ElementsAre(NodeId(1), NodeId(2), NodeId(3)));
}

TEST(VoterChoice, NeverTwoVoters) {
  EXPECT_THAT(ChooseVoters({Node(1), Node(2), Node(3, "", false)}, {NodeId(1)}),
              ElementsAre(NodeId(1)));
}

TEST(VoterChoice, SpreadsOverZones) {
  EXPECT_THAT(ChooseVoters({Node(1, "a"), Node(2, "a"), Node(3, "b"), Node(4, "b"), Node(5, "c")},
                           {NodeId(1)}),
              ElementsAre(NodeId(1), NodeId(3), NodeId(5)));
}

TEST(VoterChoice, TwoZonesAreEnoughIfThereAreNoMore) {
  EXPECT_THAT(ChooseVoters({Node(1, "a"), Node(2, "a"), Node(3, "a"), Node(4, "b")}, {NodeId(1)}),
              ElementsAre(NodeId(1), NodeId(2), NodeId(4)));
}

TEST(VoterChoice, ThoseThatVoteStay) {
  EXPECT_THAT(ChooseVoters({Node(1), Node(2, "", false), Node(3), Node(4)},
                           {NodeId(1), NodeId(2), NodeId(3)}),
              ElementsAre(NodeId(1), NodeId(2), NodeId(3)));
}

}  // namespace
}  // namespace dfs::leader
