// Members that start at other addresses (rule R2: addresses are those of the node table and of
// --join).
#include <map>
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

class Moves : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(cluster_.Up(3));
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(Put(client, "before", MakeBytes(1, 700'000)));
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
    const auto status = cluster_.Status(1);
    ASSERT_OK(status.status());
    for (const auto& node : status->nodes()) ids_[node.name()] = node.node_id();
  }
  void Move(int n) {
    cluster_.Kill(n);
    cluster_.Renumber(n);
    cluster_.Start(n);
  }
  // Everybody is known at the present addresses, everything works everywhere, nobody has a new id.
  void ExpectAllWell() {
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    for (const int n : {1, 2, 3}) {
      ASSERT_OK(cluster_.WaitUntil(n, "the new addresses", [&](const v1::StatusResponse& status) {
        for (const auto& node : status.nodes()) {
          const int at = node.name().back() - '0';
          if (node.address() != cluster_.EndpointOf(at)) return false;
          if (node.node_id() != ids_[node.name()]) return false;
        }
        return status.nodes_size() == 3;
      }));
      const auto got = GetAt(cluster_.ClientChannel(n), "before");
      ASSERT_OK(got.status());
      EXPECT_TRUE(*got == MakeBytes(1, 700'000));
    }
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(Put(client, "after", MakeBytes(2, 700'000)));
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
  }
  ProcessCluster cluster_;
  std::map<std::string, std::uint32_t> ids_;
};

TEST_F(Moves, FollowerIsFound) {
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  Move(*follower);
  ExpectAllWell();
  Proved("a follower that starts at other addresses is found by itself");
}

TEST_F(Moves, LeaderIsFound) {
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  Move(*leader);
  ExpectAllWell();
}

// The leader has to replicate to it: without it there is no quorum.
TEST_F(Moves, VoterIsFoundByTheLeaderThatNeedsIt) {
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  const int moved = *leader == 3 ? 2 : 3;
  const int other = 6 - *leader - moved;
  Move(moved);
  ASSERT_OK(cluster_.WaitUntil(*leader, "the new address", [&](const v1::StatusResponse& status) {
    for (const auto& node : status.nodes()) {
      if (node.address() == cluster_.EndpointOf(moved) && node.state() == "alive") return true;
    }
    return false;
  }));
  cluster_.Kill(other);
  ASSERT_OK(cluster_.WaitReady({*leader, moved}));
  client::FileClient client(cluster_.Endpoints());
  ASSERT_OK(Put(client, "with the moved one", MakeBytes(3, 1'000)));
}

// Feature 50.
TEST_F(Moves, AllAtOnceAreFound) {
  for (const int n : {1, 2, 3}) cluster_.Kill(n);
  for (const int n : {1, 2, 3}) cluster_.Renumber(n);
  for (const int n : {1, 2, 3}) cluster_.Start(n);
  ExpectAllWell();
  // From now on the log has the addresses.
  for (const int n : {1, 2, 3}) cluster_.Kill(n);
  for (const int n : {1, 2, 3}) cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  Proved("all nodes started at other addresses, with --join, find each other");
}

// A member that was away while others came: the leader may be one that it has never heard of.
TEST_F(Moves, MemberThatWasAwayFindsALeaderThatCameMeanwhile) {
  cluster_.Kill(3);
  ASSERT_OK(cluster_.WaitReady({1, 2}));
  cluster_.Start(4);
  ASSERT_OK(cluster_.WaitReady({1, 2, 4}));
  cluster_.Start(3);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4}));
}

}  // namespace
}  // namespace dfs::testing
