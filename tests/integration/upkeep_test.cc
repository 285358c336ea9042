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

  absl::Status WaitState(int asked, const std::string& name, const std::string& state) {
    return cluster_.WaitUntil(asked, name + " " + state, [&](const v1::StatusResponse& status) {
      for (const auto& node : status.nodes()) {
        if (node.name() == name && node.state() == state) return true;
      }
      return false;
    });
  }

  ProcessCluster cluster_{{{"--out-after=3s", "--trash-time=1s", "--question-age=1s",
                            "--collect-every=1s", "--purge-quiet=1s"}}};
  std::vector<File> files_;
};

// FEATURES, row 33: permanent under-replication.
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

}  // namespace
}  // namespace dfs::testing
