// Nodes that stay away, are drained, leave, are forgotten and replaced, while files stay whole.
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/workload.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// For a few dozen small copies.
constexpr absl::Duration kRepairTimeout = absl::Seconds(60);

class Upkeep : public ::testing::Test {
 protected:
  struct File {
    std::string name;
    std::uint64_t seed = 0;
    std::uint64_t size = 0;
  };

  // Sizes below and above what lies in a file of its own, and of more than one message.
  void PutFiles(const std::string& prefix, int count) {
    client::FileClient client(cluster_.Endpoints());
    for (int i = 0; i < count; ++i) {
      const std::vector<std::uint64_t> sizes = {1, 5'000, 400'000, 3'000'000};
      File file{prefix + std::to_string(i), static_cast<std::uint64_t>(i) + 100,
                sizes[static_cast<std::size_t>(i) % sizes.size()]};
      SeededSource source(file.seed, file.size);
      ASSERT_OK(client.Put(file.name, source).status());
      files_.push_back(file);
    }
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
  }

  // Waits until each file has three good copies on these nodes, and reads all of them.
  void ExpectCopiesOn(const std::set<int>& nodes) {
    client::FileClient client(cluster_.Endpoints());
    std::set<std::string> names;
    for (const int n : nodes) names.insert("n" + std::to_string(n));
    for (const File& file : files_) {
      std::set<int> holders;
      ASSERT_OK(ProcessCluster::Await("3 copies of " + file.name, kRepairTimeout, [&] {
        const auto where = client.Locate(file.name);
        holders.clear();
        if (!where.ok()) return false;
        for (const auto& row : where->locations()) {
          if (row.state() != v1::OK || !names.contains(row.node())) return false;
          holders.insert(std::stoi(row.node().substr(1)));
        }
        return holders.size() == std::min<std::size_t>(3, nodes.size());
      }));
      ASSERT_OK(CheckCopies(cluster_, client, {holders.begin(), holders.end()}, file.name,
                            FingerprintOfSeeded(file.seed, file.size)));
    }
  }

  // A node may learn of the last change a moment after whoever made it.
  absl::Status WaitMembers(int asked, int members) {
    return cluster_.WaitUntil(asked, std::to_string(members) + " members",
                              [members](const v1::StatusResponse& status) { return status.nodes_size() == members; });
  }
  absl::Status WaitState(int asked, const std::string& name, const std::string& state) {
    return cluster_.WaitUntil(asked, name + " " + state, [&](const v1::StatusResponse& status) {
      for (const auto& node : status.nodes()) {
        if (node.name() == name && node.state() == state) return true;
      }
      return false;
    });
  }

  ProcessCluster cluster_{{{"--out-after=3s", "--trash-time=1s", "--chunk-trash-time=1s", "--question-age=1s",
                            "--collect-every=1s", "--purge-quiet=1s"},
                           nullptr}};
  std::vector<File> files_;
};

// Features 4, 33; defect "permanent under-replication".
TEST_F(Upkeep, CopiesOfANodeThatStaysAwayAreMadeElsewhereAndItsReturnIsClean) {
  ASSERT_OK(cluster_.Up(4));
  PutFiles("out/", 24);
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  const int gone = *follower;
  std::set<int> others = {1, 2, 3, 4};
  others.erase(gone);
  const int asked = *others.begin();
  cluster_.Kill(gone);
  ASSERT_OK(WaitState(asked, "n" + std::to_string(gone), "out"));
  ExpectCopiesOn(others);
  const auto repair = cluster_.Cli({"repair"});
  EXPECT_EQ(repair.exit_code, 0) << repair.err;
  EXPECT_THAT(repair.out, ::testing::ContainsRegex("[1-9][0-9]* copies, [1-9][0-9]* bytes since n")) << "what was made anew";
  EXPECT_THAT(repair.out, HasSubstr("bytes/s, ETA "));
  cluster_.Start(gone);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4}));
  ASSERT_OK(WaitState(asked, "n" + std::to_string(gone), "alive"));
  // What it holds beyond the three copies goes by the ordinary verdicts.
  ASSERT_OK(ProcessCluster::Await("nothing but its own copies", kRepairTimeout, [&] {
    const auto here = NamesHere(cluster_, gone);
    return here.ok() && here->empty();
  }));
  ExpectCopiesOn(others);
  Proved("a node away for longer than --out-after: 24 files get 3 verified copies elsewhere; what it still holds is dropped "
         "on its return");
}

// Feature 27.
TEST_F(Upkeep, LeaderThatLeavesHandsOverAndEnds) {
  ASSERT_OK(cluster_.Up(4));
  PutFiles("leave/", 12);
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  const std::string name = "n" + std::to_string(*leader);
  const auto left = cluster_.Cli({"leave", name}, {}, kRepairTimeout);
  ASSERT_EQ(left.exit_code, 0) << left.out << left.err;
  EXPECT_THAT(left.err, HasSubstr("member no longer"));
  EXPECT_EQ(cluster_.Cli({"leave", name}).exit_code, 0) << "idempotent";
  std::set<int> others = {1, 2, 3, 4};
  others.erase(*leader);
  ASSERT_OK(ProcessCluster::Await("its end", kRepairTimeout, [&] {
    const auto status = cluster_.Status(*leader);
    return !status.ok();
  }));
  ASSERT_OK(cluster_.WaitReady({others.begin(), others.end()}));
  ExpectCopiesOn(others);
  ASSERT_OK(WaitMembers(*others.begin(), 3));
  // Three are left: a fourth copy has nowhere to go.
  const std::string next = "n" + std::to_string(*others.rbegin());
  const auto refused = cluster_.Cli({"leave", next});
  EXPECT_EQ(refused.exit_code, 14) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("add a node first"));
  Proved("the leader leaves: copies, leadership and vote are handed over, its process ends, 12 files stay whole");
}

// Feature 33.
TEST_F(Upkeep, DrainIsUndoneAndDeadNodeIsForgottenAndReplaced) {
  ASSERT_OK(cluster_.Up(4));
  PutFiles("drain/", 12);
  // Drain a node and take it back.
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  const int n = *follower;
  const std::string name = "n" + std::to_string(n);
  const auto drained = cluster_.Cli({"drain", name}, {}, kRepairTimeout);
  ASSERT_EQ(drained.exit_code, 0) << drained.out << drained.err;
  std::set<int> others = {1, 2, 3, 4};
  others.erase(n);
  ExpectCopiesOn(others);
  EXPECT_EQ(cluster_.Cli({"ok-to-stop", name}).exit_code, 0);
  const auto two = cluster_.Cli({"ok-to-stop", "n1", "n2", "n3"});
  EXPECT_EQ(two.exit_code, 14);
  EXPECT_THAT(two.out, HasSubstr("voters would remain"));
  ASSERT_EQ(cluster_.Cli({"drain", "--undo", name}).exit_code, 0);
  // Alive, it is not forgotten; dead and wiped, another comes in its stead.
  const auto alive = cluster_.Cli({"forget", "--yes", name});
  EXPECT_EQ(alive.exit_code, 14) << alive.err;
  EXPECT_THAT(alive.err, HasSubstr("is alive"));
  EXPECT_EQ(cluster_.Cli({"forget", name}).exit_code, 64) << "asks first";
  cluster_.Kill(n);
  cluster_.Wipe(n);
  const int asked = *others.begin();
  ASSERT_OK(cluster_.WaitUntil(asked, name + " away", [&](const v1::StatusResponse& status) {
    for (const auto& node : status.nodes()) {
      if (node.name() == name) return node.state() == "dead" || node.state() == "out";
    }
    return false;
  }));
  const auto early = cluster_.Cli({"replace", "--yes", name});
  EXPECT_EQ(early.exit_code, 14) << early.err;
  EXPECT_THAT(early.err, HasSubstr("no node has come"));
  cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4}));
  const auto replaced = cluster_.Cli({"replace", "--yes", name}, {}, kRepairTimeout);
  ASSERT_EQ(replaced.exit_code, 0) << replaced.out << replaced.err;
  ASSERT_OK(WaitMembers(asked, 4));  // no dead one is left behind
  const auto repaired = cluster_.Cli({"repair", "--wait"}, {}, kRepairTimeout);
  EXPECT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
  const auto explained = cluster_.Cli({"--json", "explain", files_[2].name});
  EXPECT_EQ(explained.exit_code, 0);
  EXPECT_THAT(explained.out, HasSubstr("\"code\":\"OK\""));
  EXPECT_EQ(cluster_.Cli({"explain", "no such file"}).exit_code, 12);
  Proved("drain and its undo, ok-to-stop, forget refused for a live node, replace of a wiped one: 12 files whole");
}

TEST_F(Upkeep, ExplainSaysWhyACopyCannotBePlaced) {
  ASSERT_OK(cluster_.Up(3));
  PutFiles("why/", 4);
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  cluster_.Kill(*follower);
  const std::string name = "n" + std::to_string(*follower);
  std::string seen;
  const absl::Status explained = ProcessCluster::Await("explain names the node", kRepairTimeout, [&] {
    seen = cluster_.Cli({"explain", files_[1].name}).out;
    return seen.find("NO_NODE_LEFT") != std::string::npos && seen.find(name + " (out)") != std::string::npos;
  });
  EXPECT_TRUE(explained.ok()) << explained << seen;
  const auto repair = cluster_.Cli({"repair", "--wait"}, {}, kRepairTimeout);
  EXPECT_EQ(repair.exit_code, 2) << repair.out << repair.err;
}

// A rolling restart.
TEST_F(Upkeep, RollingRestartUnderLoadFailsNoRequest) {
  ASSERT_OK(cluster_.Up(3));
  Workload workload(cluster_, {.seed = 21});
  for (const int n : {1, 2, 3}) {
    ASSERT_OK(workload.AwaitProgress(10, 10, kRepairTimeout));
    ASSERT_OK(cluster_.Terminate(n).status());
    ASSERT_OK(workload.AwaitProgress(10, 10, kRepairTimeout));
    cluster_.Start(n);
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  }
  workload.Stop();
  EXPECT_THAT(workload.Violations(), IsEmpty());
  EXPECT_EQ(workload.Count(Workload::Fate::kFailed), 0);
  EXPECT_EQ(workload.Count(Workload::Fate::kUnknown), 0);
  ASSERT_OK(workload.Verify({1, 2, 3}));
  Proved("each of 3 nodes restarted under load, no request failed: " + workload.Summary());
}

}  // namespace
}  // namespace dfs::testing
