// Nodes that join a cluster with data, leave it while the leader dies, and come back under a new id with what they hold.
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/workload.h"

namespace dfs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

constexpr absl::Duration kTimeout = absl::Seconds(60);
constexpr std::uint64_t kFileBytes = 1'000'000;

class Rebalance : public ::testing::Test {
 protected:
  Rebalance() : Rebalance({"--out-after=60s", "--trash-time=1s"}) {}
  explicit Rebalance(std::vector<std::string> flags) : cluster_(OptionsWith(std::move(flags))) {}

  void PutFiles(int count) {
    client::FileClient client(cluster_.Endpoints());
    for (int i = 0; i < count; ++i) {
      const std::string name = "file/" + std::to_string(files_);
      SeededSource source(static_cast<std::uint64_t>(files_), kFileBytes);
      ASSERT_OK(client.Put(name, source).status());
      ++files_;
    }
  }
  v1::RepairProgress Progress() {
    client::FileClient client(cluster_.Endpoints());
    const auto response = client.Repair();
    return response.ok() ? response->progress() : v1::RepairProgress();
  }
  // How many of the files each node has a good copy of, by name; each file must have three, on three nodes.
  std::map<std::string, int> CopiesByNode() {
    client::FileClient client(cluster_.Endpoints());
    std::map<std::string, int> copies;
    for (int i = 0; i < files_; ++i) {
      const auto where = client.Locate("file/" + std::to_string(i));
      if (!where.ok()) return {};
      std::set<std::string> nodes;
      for (const auto& row : where->locations()) {
        if (row.state() != v1::OK) return {};
        nodes.insert(row.node());
      }
      if (nodes.size() != 3) return {};
      for (const auto& node : nodes) ++copies[node];
    }
    return copies;
  }
  // Reads every copy from the store of the node that the log names.
  void ExpectEveryCopyIsRight() {
    client::FileClient client(cluster_.Endpoints());
    for (int i = 0; i < files_; ++i) {
      const std::string name = "file/" + std::to_string(i);
      const auto where = client.Locate(name);
      ASSERT_OK(where.status());
      std::vector<int> holders;
      for (const auto& row : where->locations()) holders.push_back(std::stoi(row.node().substr(1)));
      ASSERT_OK(CheckCopies(cluster_, client, holders, name,
                            FingerprintOfSeeded(static_cast<std::uint64_t>(i), kFileBytes)));
    }
  }
  absl::Status AwaitCopiesOn(const std::string& node, int at_least) {
    return ProcessCluster::Await(node + " holds its part", kTimeout,
                                 [&] { return CopiesByNode()[node] >= at_least; });
  }

  static ProcessCluster::Options OptionsWith(std::vector<std::string> flags) {
    for (const char* flag : {"--question-age=1s", "--collect-every=1s", "--purge-quiet=1s",
                             "--rebalance-slack=1000000"}) {
      flags.emplace_back(flag);
    }
    return {std::move(flags), nullptr};
  }

  ProcessCluster cluster_;
  int files_ = 0;
};

// Feature 26.
TEST_F(Rebalance, FourthAndFifthNodeGetTheirPartUnderLoadAndEveryFileStaysWhole) {
  ASSERT_OK(cluster_.Up(3));
  PutFiles(20);
  Workload workload(cluster_, {.seed = 77, .writers = 1, .readers = 1, .big_bytes = 100'000});
  ASSERT_OK(workload.AwaitProgress(5, 5, kTimeout));
  ASSERT_OK(cluster_.Up(4));
  ASSERT_OK(AwaitCopiesOn("n4", 8));
  ASSERT_OK(cluster_.Up(5));
  ASSERT_OK(AwaitCopiesOn("n5", 6));
  ASSERT_OK(workload.AwaitProgress(5, 5, kTimeout));
  workload.Stop();
  EXPECT_THAT(workload.Violations(), IsEmpty());
  EXPECT_EQ(workload.Count(Workload::Fate::kFailed), 0);
  ASSERT_OK(workload.Verify({1, 4, 5}));
  ExpectEveryCopyIsRight();
  ASSERT_OK(cluster_.WaitUntil(1, "five voters", [](const v1::StatusResponse& status) {
    int voters = 0;
    for (const auto& node : status.nodes()) voters += node.role() == "learner" ? 0 : 1;
    return voters == 5;
  }));
  const auto copies = CopiesByNode();
  std::string spread;
  for (const auto& [node, count] : copies) spread += " " + node + ":" + std::to_string(count);
  const auto progress = Progress();
  Proved("a fourth and a fifth node joined under load; 20 files of 1 MB are spread" + spread + ", every copy verified; five voters by "
         "themselves; " + std::to_string(progress.bytes_moved()) + " bytes moved; " + workload.Summary());
}

// Rule R20: what moves and repair leave behind is deleted though it is far more than a twentieth of
// what a node holds. Removed files stay in the trash for a day: nothing else is deleted here.
class LeftBehind : public Rebalance {
 protected:
  LeftBehind() : Rebalance({"--out-after=6s", "--chunk-trash-time=1s", "--fuse-bytes-min=20000"}) {}

  // Objects on the disk of node n, each a copy of a file.
  [[nodiscard]] int ObjectsOf(int n) const {
    int count = 0;
    std::error_code error;  // one may be gone before it is looked at
    for (fs::recursive_directory_iterator at(cluster_.DataFolder(n), error), end; at != end;
         at.increment(error)) {
      const bool is_object =
          at->is_regular_file(error) && at->path().string().find("/chunks/") != std::string::npos;
      if (is_object && at->file_size(error) >= kFileBytes) ++count;
    }
    return count;
  }
  bool HasStopped() {
    client::FileClient client(cluster_.Endpoints());
    const auto gc = client.Collect({});
    bool has_stopped = false;
    for (int i = 0; gc.ok() && i < gc->nodes_size(); ++i) {
      has_stopped = has_stopped || gc->nodes(i).is_stopped() || gc->nodes(i).withheld_bytes() > 0;
    }
    return has_stopped;
  }
  // Every copy is counted, and every node holds those that it is counted for and no others.
  absl::Status AwaitNothingElse(const std::string& what) {
    return ProcessCluster::Await(what, kTimeout, [&] {
      ever_stopped_ = ever_stopped_ || HasStopped();
      auto copies = CopiesByNode();
      if (copies.empty()) return ever_stopped_;
      for (const int n : cluster_.Running()) {
        if (ObjectsOf(n) != copies["n" + std::to_string(n)]) return ever_stopped_;
      }
      return true;
    });
  }
  bool ever_stopped_ = false;
};

TEST_F(LeftBehind, GoesByItselfAfterAJoinAndAfterAReturn) {
  ASSERT_OK(cluster_.Up(3));
  PutFiles(16);
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  for (const int n : {1, 2, 3}) ASSERT_EQ(ObjectsOf(n), files_) << n;
  ASSERT_OK(cluster_.Up(4));
  ASSERT_OK(AwaitCopiesOn("n4", 6));
  ASSERT_OK(AwaitNothingElse("what was moved is deleted where it was"));
  ASSERT_FALSE(ever_stopped_);
  const auto joined = CopiesByNode();

  // Away for so long that its copies are made anew.
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  const std::string name = "n" + std::to_string(*follower);
  cluster_.Kill(*follower);
  ASSERT_OK(ProcessCluster::Await("nobody is counted on " + name, kTimeout, [&] {
    const auto copies = CopiesByNode();
    return !copies.empty() && !copies.contains(name);
  }));
  const int kept = ObjectsOf(*follower);
  cluster_.Start(*follower);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4}));
  ASSERT_OK(AwaitNothingElse("what was made anew is deleted where it was"));
  EXPECT_FALSE(ever_stopped_);
  ExpectEveryCopyIsRight();
  std::string spread;
  for (const auto& [node, count] : joined) spread += " " + node + ":" + std::to_string(count);
  Proved("16 files on three nodes, 5 % the most that may go unasked: after a join" + spread +
         ", and a node that came back with " + std::to_string(kept) +
         " copies made anew meanwhile; everything left behind was deleted, nothing was withheld");
}

TEST_F(Rebalance, DrainAndLeaveGoOnWhenTheLeaderIsKilled) {
  ASSERT_OK(cluster_.Up(5));
  PutFiles(12);
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  std::vector<int> staying;
  for (const std::string verb : {"drain", "leave"}) {
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    int going = 0;
    for (const int n : cluster_.Running()) {
      if (n != *leader) going = n;
    }
    const std::string name = "n" + std::to_string(going);
    // Marked by this leader, carried out by the next one.
    client::FileClient client(cluster_.Endpoints());
    v1::ChangeMemberRequest change;
    change.set_change(verb == "drain" ? v1::ChangeMemberRequest::DRAIN : v1::ChangeMemberRequest::LEAVE);
    change.set_node(name);
    ASSERT_OK(client.ChangeMember(change).status());
    cluster_.Kill(*leader);
    const auto done = cluster_.Cli({verb, name}, {}, kTimeout);
    ASSERT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_EQ(CopiesByNode().count(name), 0u);
    cluster_.Start(*leader);
    staying = {1, 2, 3, 4, 5};
    if (verb == "leave") {
      std::erase(staying, going);
      break;
    }
    ASSERT_OK(cluster_.WaitReady(staying));
    ASSERT_EQ(cluster_.Cli({"drain", "--undo", name}).exit_code, 0);
  }
  ASSERT_OK(cluster_.WaitReady(staying));
  ExpectEveryCopyIsRight();
  Proved("drain and leave of a node go on under the next leader when the leader is killed; 12 files whole");
}

// Nobody stands by to take the seat: three voters, one dead for good, two members remain.
TEST_F(Rebalance, DeadVoterWithoutASuccessorIsForgotten) {
  ASSERT_OK(cluster_.Up(3));
  PutFiles(4);
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  const std::string name = "n" + std::to_string(*follower);
  cluster_.Kill(*follower);
  std::vector<int> left = {1, 2, 3};
  std::erase(left, *follower);
  ASSERT_OK(cluster_.WaitUntil(left[0], name + " dead", [&](const v1::StatusResponse& status) {
    for (const auto& node : status.nodes()) {
      if (node.name() == name) return node.state() == "dead" || node.state() == "out";
    }
    return false;
  }));
  const auto forgotten = cluster_.Cli({"forget", "--yes", name}, {}, kTimeout);
  ASSERT_EQ(forgotten.exit_code, 0) << forgotten.out << forgotten.err;
  ASSERT_OK(cluster_.WaitUntil(left[0], "two members, one voter", [](const v1::StatusResponse& status) {
    int voters = 0;
    for (const auto& node : status.nodes()) voters += node.role() == "learner" ? 0 : 1;
    return status.nodes_size() == 2 && voters == 1;
  }));
  client::FileClient client(cluster_.Endpoints());
  for (int i = 0; i < files_; ++i) {
    const auto got = Get(client, "file/" + std::to_string(i));
    ASSERT_OK(got.status());
    EXPECT_EQ(FingerprintOf(*got), FingerprintOfSeeded(static_cast<std::uint64_t>(i), kFileBytes));
  }
  ASSERT_OK(Put(client, "after", MakeBytes(9, 1'000)));
  Proved("a dead voter of three is forgotten with nobody to take its seat: one votes of two, files are read and written");
}

// The machine comes back under a new id: what it holds is read again, not sent again.
TEST_F(Rebalance, ReplacedNodeTakesItsCopiesFromItsOwnDisk) {
  ASSERT_OK(cluster_.Up(3));
  PutFiles(20);
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  const int n = *follower;
  const std::string name = "n" + std::to_string(n);
  ASSERT_OK(cluster_.Terminate(n).status());
  // An old backup is put back: the others notice, and the directory is set aside (rule R3).
  const std::string backup = cluster_.folder().path() + "/backup";
  fs::copy(cluster_.DataFolder(n), backup, fs::copy_options::recursive);
  cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  PutFiles(1);
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  ASSERT_OK(cluster_.Terminate(n).status());
  fs::remove_all(cluster_.DataFolder(n));
  fs::copy(backup, cluster_.DataFolder(n), fs::copy_options::recursive);
  fs::permissions(cluster_.DataFolder(n), fs::perms::owner_all);
  cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  // The old id is dead, the new one alive.
  const int asked = n == 1 ? 2 : 1;
  ASSERT_OK(cluster_.WaitUntil(asked, "the old id dead", [&](const v1::StatusResponse& status) {
    int dead = 0;
    for (const auto& node : status.nodes()) dead += node.state() == "dead" || node.state() == "out" ? 1 : 0;
    return dead == 1 && status.nodes_size() == 4;
  }));
  const auto before = Progress();
  const auto replaced = cluster_.Cli({"replace", "--yes", name}, {}, kTimeout);
  ASSERT_EQ(replaced.exit_code, 0) << replaced.out << replaced.err;
  const auto repaired = cluster_.Cli({"repair", "--wait"}, {}, kTimeout);
  ASSERT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
  const auto progress = Progress();
  const std::uint64_t adopted = progress.bytes_adopted() - before.bytes_adopted();
  const std::uint64_t made = progress.bytes_made() - before.bytes_made();
  EXPECT_GE(adopted, 20 * kFileBytes);
  EXPECT_LE(made, adopted + 2 * kFileBytes) << "only what was put after the backup comes over the network";
  ExpectEveryCopyIsRight();
  Proved("a node replaced under a new id: of " + std::to_string(made) + " bytes " +
         std::to_string(adopted) + " were taken from its own disk, verified");
}

}  // namespace
}  // namespace dfs::testing
