// The only voter of a cluster of two is lost for good (rule R6).
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

const std::vector<std::string> kRecover = {"--recover-as-voter"};

std::string VoterOf(const v1::StatusResponse& status) {
  for (const auto& node : status.nodes()) {
    if (node.role() == "voter" || node.role() == "leader") return node.name();
  }
  return "";
}

class RecoverAsVoter : public ::testing::Test {
 protected:
  ProcessCluster cluster_;
};

TEST_F(RecoverAsVoter, LearnerGoesOnAloneWithEverythingThatWasAnswered) {
  ASSERT_OK(cluster_.Up(2));
  const auto status = cluster_.Status(1);
  ASSERT_OK(status.status());
  ASSERT_EQ(VoterOf(*status), "n1");
  {
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(Put(client, "small", MakeBytes(1, 5'000)));
    ASSERT_OK(Put(client, "large", MakeBytes(2, 3'000'000)));
    ASSERT_OK(Put(client, "replaced", MakeBytes(3, 1'000)));
    ASSERT_OK(Put(client, "replaced", MakeBytes(4, 2'000)));
    ASSERT_OK(Put(client, "removed", MakeBytes(5, 1'000)));
    ASSERT_OK(client.Remove("removed").status());
  }
  cluster_.Kill(2);
  const auto refused = cluster_.StartRefused(2, kRecover);
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_NE(refused.err.find("answers at"), std::string::npos)
      << "the voter lives: " << refused.err;
  cluster_.Start(2);
  ASSERT_OK(cluster_.WaitReady({1, 2}));

  cluster_.Kill(1);
  cluster_.Kill(2);
  cluster_.Start(2, kRecover);
  ASSERT_OK(cluster_.WaitReady({2}));
  EXPECT_NE(ReadFile(cluster_.LogFile(2)).find("RECOVERED AS VOTER"), std::string::npos);
  {
    client::FileClient client({cluster_.EndpointOf(2)});
    for (const auto& [name, bytes] :
         {std::pair{"small", MakeBytes(1, 5'000)}, std::pair{"large", MakeBytes(2, 3'000'000)},
          std::pair{"replaced", MakeBytes(4, 2'000)}}) {
      const auto got = Get(client, name);
      ASSERT_OK(got.status());
      EXPECT_TRUE(*got == bytes) << name;
    }
    EXPECT_EQ(Get(client, "removed").status().code(), absl::StatusCode::kNotFound);
    ASSERT_OK(Put(client, "after", MakeBytes(6, 10'000)));
  }

  // The one that was lost comes back all the same: it neither leads nor takes anything back.
  cluster_.Start(1);
  cluster_.Kill(2);
  cluster_.Start(2, kRecover);  // the flag is still there: harmless
  ASSERT_OK(cluster_.WaitReady({2}));
  const auto after = cluster_.Status(2);
  ASSERT_OK(after.status());
  EXPECT_EQ(VoterOf(*after), "n2");
  EXPECT_EQ(after->nodes_size(), 1);
  client::FileClient client({cluster_.EndpointOf(2)});
  const auto got = Get(client, "after");
  ASSERT_OK(got.status());
  EXPECT_TRUE(*got == MakeBytes(6, 10'000));

  // Wiped, it is a new node.
  cluster_.Kill(1);
  cluster_.Wipe(1);
  cluster_.Start(1);
  ASSERT_OK(cluster_.WaitReady({1, 2}));
  Proved("the only voter of two lost for good: the learner took over and had every answered file");
}

TEST_F(RecoverAsVoter, MemberOfThreeIsRefused) {
  ASSERT_OK(cluster_.Up(3));
  for (const int n : {1, 2, 3}) cluster_.Kill(n);
  const auto refused = cluster_.StartRefused(3, kRecover);
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_NE(refused.err.find("3 members"), std::string::npos) << refused.err;
  for (const int n : {1, 2, 3}) cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
}

TEST_F(RecoverAsVoter, EmptyDirectoryIsRefused) {
  ASSERT_OK(cluster_.Up(1));
  const auto refused = cluster_.StartRefused(2, kRecover);
  EXPECT_EQ(refused.exit_code, 64) << refused.err;
}

}  // namespace
}  // namespace dfs::testing
