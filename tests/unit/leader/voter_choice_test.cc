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
  EXPECT_THAT(ChooseVoters({Node(1, "a"), Node(2, "a"), Node(3, "b"), Node(4, "c")}, {NodeId(1)}),
              ElementsAre(NodeId(1), NodeId(3), NodeId(4)));
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

TEST(VoterChoice, FiveVoteFromFiveMembersOn) {
  const std::vector<VoterCandidate> five = {Node(1), Node(2), Node(3), Node(4), Node(5)};
  EXPECT_EQ(ChooseVoters(five, {NodeId(1), NodeId(2), NodeId(3)}).size(), 5u);
  auto four_ready = five;
  four_ready[4].is_eligible = false;
  EXPECT_THAT(ChooseVoters(four_ready, {NodeId(1), NodeId(2), NodeId(3)}),
              ElementsAre(NodeId(1), NodeId(2), NodeId(3)))
      << "never four";
}

TEST(VoterChoice, VoteOfANodeThatIsOutGoesToOneThatIsThere) {
  std::vector<VoterCandidate> nodes = {Node(1), Node(2), Node(3, "", false), Node(4)};
  nodes[2].is_out = true;
  EXPECT_THAT(ChooseVoters(nodes, {NodeId(1), NodeId(2), NodeId(3)}),
              ElementsAre(NodeId(1), NodeId(2), NodeId(4)));
  nodes[3].is_eligible = false;
  EXPECT_THAT(ChooseVoters(nodes, {NodeId(1), NodeId(2), NodeId(3)}),
              ElementsAre(NodeId(1), NodeId(2), NodeId(3)))
      << "nobody can take it";
}

TEST(VoterChoice, WhoGoesDoesNotVote) {
  std::vector<VoterCandidate> nodes = {Node(1), Node(2), Node(3), Node(4)};
  nodes[1].goes = true;
  EXPECT_THAT(ChooseVoters(nodes, {NodeId(1), NodeId(2), NodeId(3)}),
              ElementsAre(NodeId(1), NodeId(3), NodeId(4)));
  // Two remain: one votes, the leader.
  std::vector<VoterCandidate> three = {Node(1), Node(2), Node(3)};
  three[2].is_leader = true;
  three[0].goes = true;
  EXPECT_THAT(ChooseVoters(three, {NodeId(1), NodeId(2), NodeId(3)}), ElementsAre(NodeId(3)));
}

TEST(VoterChoice, FourMembersAfterFiveKeepThreeVotersTheLeaderAmongThem) {
  std::vector<VoterCandidate> nodes = {Node(1), Node(2, "", false), Node(3), Node(4), Node(5)};
  nodes[4].is_leader = true;
  nodes[0].goes = true;
  EXPECT_THAT(ChooseVoters(nodes, {NodeId(1), NodeId(2), NodeId(3), NodeId(4), NodeId(5)}),
              ElementsAre(NodeId(3), NodeId(4), NodeId(5)));
}

TEST(VoterChoice, NewZoneGetsAVote) {
  std::vector<VoterCandidate> nodes = {Node(1, "a"), Node(2, "a"), Node(3, "b"), Node(4, "c")};
  nodes[0].is_leader = true;
  EXPECT_THAT(ChooseVoters(nodes, {NodeId(1), NodeId(2), NodeId(3)}),
              ElementsAre(NodeId(1), NodeId(3), NodeId(4)));
  EXPECT_THAT(ChooseVoters(nodes, {NodeId(1), NodeId(3), NodeId(4)}),
              ElementsAre(NodeId(1), NodeId(3), NodeId(4)));
}

}  // namespace
}  // namespace dfs::leader
