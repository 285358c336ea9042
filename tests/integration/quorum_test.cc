// One of three dead: everything works. Two of three dead: nothing is promised that cannot be kept.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kNoQuorum = 15;
constexpr int kNotFound = 12;
// The promise is 5 s; the rest is for starting dfs-cli on a busy machine.
constexpr absl::Duration kVerdictTimeout = absl::Milliseconds(5'500);

class Quorum : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(cluster_.Up(3));
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(Put(client, "before", "put while all were well"));
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
  }
  // All that a client can do works.
  void ExpectEverythingWorks() {
    EXPECT_EQ(cluster_.Cli({"put", "-", "during"}, "content").exit_code, 0);
    EXPECT_EQ(cluster_.Cli({"put", "-", "during"}, "other content").exit_code, 0);
    const auto got = cluster_.Cli({"get", "during", "-"});
    EXPECT_EQ(got.exit_code, 0) << got.err;
    EXPECT_EQ(got.out, "other content");
    EXPECT_EQ(cluster_.Cli({"get", "before", "-"}).out, "put while all were well");
    EXPECT_EQ(cluster_.Cli({"stat", "during"}).exit_code, 0);
    EXPECT_EQ(cluster_.Cli({"locate", "during"}).exit_code, 0);
    EXPECT_THAT(cluster_.Cli({"ls"}).out, HasSubstr("during"));
    EXPECT_EQ(cluster_.Cli({"lshere"}).exit_code, 0);
    EXPECT_THAT(cluster_.Cli({"members"}).exit_code, 0);
    EXPECT_EQ(cluster_.Cli({"remove", "during"}).exit_code, 0);
    EXPECT_EQ(cluster_.Cli({"get", "during", "-"}).exit_code, kNotFound);
  }
  // Kills all but one and checks what that one says.
  void ExpectRefusalsWithOnly(int survivor, const std::vector<int>& dead) {
    for (const int n : dead) cluster_.Kill(n);
    ExpectRefused({"put", "-", "during-" + std::to_string(survivor)}, "never to be seen", dead);
    ExpectRefused({"get", "before", "-"}, "", dead);
    ExpectRefused({"remove", "before"}, "", dead);
    // What was asked to be eventual is answered from what this node has.
    const auto got = cluster_.Cli({"get", "--consistency=eventual", "before", "-"});
    EXPECT_EQ(got.exit_code, 0) << got.err;
    EXPECT_EQ(got.out, "put while all were well");
    // And it says how things are.
    const auto status = cluster_.Cli({"--json", "status"});
    EXPECT_THAT(status.out, HasSubstr("ERR"));
  }
  void ExpectRefused(const std::vector<std::string>& command, std::string_view in,
                     const std::vector<int>& dead) {
    SCOPED_TRACE(command[0]);
    const auto result = cluster_.Cli(command, in);
    EXPECT_EQ(result.exit_code, kNoQuorum) << result.err;
    EXPECT_LT(result.elapsed, kVerdictTimeout);
    EXPECT_EQ(result.out, "");
    for (const int n : dead) EXPECT_THAT(result.err, HasSubstr("n" + std::to_string(n)));
  }
  void ExpectNothingOf(const std::string& name) {
    for (const int n : {1, 2, 3}) {
      EXPECT_TRUE(absl::IsNotFound(GetAt(cluster_.ClientChannel(n), name).status())) << n;
      const auto here = NamesHere(cluster_, n);
      ASSERT_OK(here.status());
      EXPECT_THAT(*here, Not(Contains(name)));
    }
    EXPECT_THAT(cluster_.Cli({"ls"}).out, Not(HasSubstr(name)));
  }

  ProcessCluster cluster_;
};

TEST_F(Quorum, OneDeadOfThreeIsHardlyNoticed) {
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  cluster_.Kill(*follower);
  ExpectEverythingWorks();
  cluster_.Start(*follower);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  cluster_.Kill(*leader);
  ExpectEverythingWorks();
  Proved("1 of 3 nodes dead, follower or leader: put, get, overwrite, remove, ls, locate, stat work");
}

// Nor does a put that was answered "failed" appear later.
// Features 20, 30; defects "a put that reports success without durable copies", "split brain, votes
// counted wrongly, minority writes".
TEST_F(Quorum, TwoDeadOfThreeRefuseWithinFiveSecondsAndNameTheMissing) {
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  std::vector<int> others;
  for (const int n : {1, 2, 3}) {
    if (n != *leader) others.push_back(n);
  }
  ExpectRefusalsWithOnly(*leader, others);
  for (const int n : others) cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ExpectNothingOf("during-" + std::to_string(*leader));

  // The same with a follower as the survivor.
  const auto next = cluster_.Leader();
  ASSERT_OK(next.status());
  const int survivor = *next == 1 ? 2 : 1;
  const int third = 6 - *next - survivor;
  ExpectRefusalsWithOnly(survivor, {*next, third});
  cluster_.Start(*next);
  cluster_.Start(third);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ExpectNothingOf("during-" + std::to_string(survivor));
  ExpectEverythingWorks();
  Proved("2 of 3 nodes dead: put, get, remove fail within 5 s with exit 15 and name the missing nodes; "
         "nothing of the failed put is visible later");
}

// The missing nodes are not dead but hang: connections stay open, nothing answers.
// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Quorum, TwoHungOfThreeRefuseToo) {
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  for (const int n : {1, 2, 3}) {
    if (n != *leader) cluster_.Pause(n);
  }
  const auto put = cluster_.Cli({"put", "-", "hung"}, "never to be seen");
  // A leader that has proposed the put before it noticed cannot know; then it must say so.
  EXPECT_THAT(put.exit_code, AnyOf(Eq(kNoQuorum), Eq(16))) << put.err;
  const auto get = cluster_.Cli({"get", "before", "-"});
  EXPECT_EQ(get.exit_code, kNoQuorum) << get.err;
  for (const int n : {1, 2, 3}) cluster_.Resume(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  if (put.exit_code == kNoQuorum) ExpectNothingOf("hung");
  ExpectEverythingWorks();
}

}  // namespace
}  // namespace dfs::testing
