// Gossip buckets with seven real nodes whose links are cut: every side goes on by itself, and all become equal.
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "client/retry_policy.h"
#include "tests/integration/network_fixture.h"
#include "tests/support/raw_calls.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using nlohmann::json;

constexpr int kNodes = 7;
constexpr int kLonely = 7;
constexpr int kNotFound = 12;
constexpr int kConflict = 13;
constexpr int kPrecondition = 14;
constexpr int kUsage = 64;
// Until all nodes are equal, and until they have forgotten what was removed. A quiet machine needs a tenth.
constexpr absl::Duration kEqualTimeout = absl::Seconds(60);
// 10 log2 of the number of nodes: so many exchanges of a node, once all see each other, and all are equal.
constexpr std::uint64_t kRoundsMax = 28;

class Gossip : public ::testing::Test {
 protected:
  // What a listing says: name -> version and checksum.
  using Listing = std::map<std::string, std::string>;

  static void SetUpTestSuite() {
    if (!OwnNetwork::WhyNot().empty()) return;
    network_ = std::make_unique<NamespaceNetwork>(kNodes);
    ProcessCluster::Options options = AtHosts(*network_, {"--gossip-tombstone-age=1s"});
    // Not as a flag, which a single start could not set otherwise.
    options.environment = [](int) { return Environment{{"DFS_GOSSIP_EVERY", "500ms"}}; };
    cluster_ = std::make_unique<ProcessCluster>(std::move(options));
    ASSERT_OK(cluster_->Up(kNodes));
    ASSERT_EQ(CliAt(1, {"mb", "--mode=gossip", "shared"}).exit_code, 0);
  }
  static void TearDownTestSuite() {
    cluster_.reset();
    network_.reset();
  }
  void SetUp() override {
    if (!OwnNetwork::WhyNot().empty()) GTEST_SKIP() << OwnNetwork::WhyNot();
    ASSERT_TRUE(cluster_ != nullptr);
  }
  void TearDown() override {
    if (network_ != nullptr) network_->Heal();
  }
  static ProcessCluster& cluster() { return *cluster_; }
  static NamespaceNetwork& network() { return *network_; }

  // dfs-cli on the machine of node `n`, which it asks first; on a lonely one there is nobody else.
  static CommandResult CliAt(int n, const std::vector<std::string>& arguments, std::string_view in = {},
                             const std::string& bucket = "shared") {
    std::vector<std::string> command = network().RunnerAt(n);
    command.insert(command.end(), {ProcessCluster::CliBinary(), "--endpoints=" + cluster().EndpointOf(n),
                                   "--bucket=" + bucket});
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunCommand(command, in);
  }
  static void PutAt(int n, const std::string& name, std::string_view content) {
    const auto put = CliAt(n, {"put", "-", name}, content);
    ASSERT_EQ(put.exit_code, 0) << put.err;
    EXPECT_THAT(put.out, HasSubstr("consistency=eventual"));
  }
  static void RemoveAt(int n, const std::string& name) {
    const auto removed = CliAt(n, {"remove", name});
    ASSERT_EQ(removed.exit_code, 0) << removed.err;
    EXPECT_THAT(removed.err, HasSubstr("consistency=eventual"));
  }
  static std::string GetAt(int n, const std::string& name) {
    const auto got = CliAt(n, {"get", name, "-"});
    return got.exit_code == 0 ? got.out : "exit code " + std::to_string(got.exit_code) + ": " + got.err;
  }
  static Listing ListAt(int n) {
    const auto listed = CliAt(n, {"--json", "ls"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    Listing out;
    std::istringstream lines(listed.out);
    for (std::string line; std::getline(lines, line);) {
      const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
      EXPECT_EQ(row.value("consistency", ""), "eventual") << line;
      out[row.value("name", "")] =
          std::to_string(row.value("version", std::uint64_t{0})) + " " + row.value("crc32c", "");
    }
    return out;
  }
  static std::set<std::string> NamesAt(int n) {
    std::set<std::string> out;
    for (const auto& [name, rest] : ListAt(n)) out.insert(name);
    return out;
  }
  // All nodes list these names, in the same versions.
  static absl::Status AwaitEqual(const std::set<std::string>& names) {
    std::string last;
    absl::Status status = ProcessCluster::Await("equal listings", kEqualTimeout, [&] {
      const Listing first = ListAt(1);
      for (int n = 1; n <= kNodes; ++n) {
        const Listing listing = n == 1 ? first : ListAt(n);
        std::set<std::string> found;
        for (const auto& [name, rest] : listing) found.insert(name);
        if (listing == first && found == names) continue;
        last = "node " + std::to_string(n) + " lists";
        for (const auto& name : found) last += " " + name;
        return false;
      }
      return true;
    });
    return status.ok() ? status : absl::UnavailableError(std::string(status.message()) + "; " + last);
  }
  static v1::GossipStatus StatusAt(int n) {
    const auto status = cluster().Status(n);
    return status.ok() ? status->gossip() : v1::GossipStatus();
  }
  // Exchanges that each node has tried so far.
  static std::vector<std::uint64_t> Rounds() {
    std::vector<std::uint64_t> rounds;
    for (int n = 1; n <= kNodes; ++n) {
      const v1::GossipStatus status = StatusAt(n);
      rounds.push_back(status.rounds() + status.rounds_failed());
    }
    return rounds;
  }
  static absl::Status AwaitAllSeeEachOther() {
    for (int n = 1; n <= kNodes; ++n) {
      const absl::Status status = cluster().WaitUntil(n, "seven nodes", [](const v1::StatusResponse& now) {
        return std::count_if(now.nodes().begin(), now.nodes().end(),
                             [](const auto& node) { return node.state() == "alive"; }) == kNodes;
      });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  // A byte in the middle of each file of the node's chunk store; how many there are.
  static int FlipObjects(int n) {
    namespace fs = std::filesystem;
    int flipped = 0;
    for (const auto& entry : fs::recursive_directory_iterator(cluster().DataFolder(n) + "/chunks/objects")) {
      if (!entry.is_regular_file()) continue;
      fs::permissions(entry.path(), fs::perms::owner_read | fs::perms::owner_write);
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const auto middle = static_cast<std::streamoff>(fs::file_size(entry.path()) / 2);
      file.seekg(middle);
      const char byte = static_cast<char>(file.get() ^ 0x20);
      file.seekp(middle);
      file.put(byte);
      EXPECT_TRUE(file.good()) << entry.path();
      ++flipped;
    }
    return flipped;
  }
  // Nothing is damaged there now, and something was.
  static bool IsHealed(int n) {
    const auto shown = CliAt(n, {"--json", "scrub", "n" + std::to_string(n), "--show"});
    const json row = json::parse(shown.out, nullptr, /*allow_exceptions=*/false);
    return row.is_object() && row.value("corrupt", 1) == 0 && row.value("quarantined", 0) > 0;
  }
  static void CutInto(const std::vector<std::set<int>>& sides) {
    LinkSet links(kNodes);
    for (const auto& side : sides) {
      for (const auto& other : sides) {
        if (&side == &other) continue;
        for (const int a : side) {
          for (const int b : other) links.Cut(a, b);
        }
      }
    }
    network().SetLinks(links);
  }

 private:
  static inline std::unique_ptr<NamespaceNetwork> network_;
  static inline std::unique_ptr<ProcessCluster> cluster_;
};

// Changes on a node that is cut off from all others; sides that merge again; a node that dies in the middle.
TEST_F(Gossip, EverySideTakesChangesAndAllBecomeEqual) {
  const std::string big(300'000, 'b');  // a file of the store, not a row
  PutAt(1, "changed", "of node 1");
  PutAt(2, "big", big);
  PutAt(3, "gone", "soon");
  PutAt(4, "fought", "for");
  ASSERT_OK(AwaitEqual({"changed", "big", "gone", "fought"}));
  EXPECT_EQ(GetAt(kLonely, "big"), big);

  CutInto({{1, 2, 3}, {4, 5, 6}, {kLonely}});
  RemoveAt(1, "gone");
  PutAt(2, "fought", "by 2");
  PutAt(5, "changed", "of node 5");
  PutAt(6, "fought", "by 6");
  RemoveAt(kLonely, "big");
  PutAt(kLonely, "lonely", "nobody else is here");
  cluster().Kill(5);
  PutAt(4, "side", "while 5 is dead");
  PutAt(kLonely, "fought", "by 7, last");
  EXPECT_EQ(NamesAt(kLonely), (std::set<std::string>{"changed", "gone", "fought", "lonely"}));
  EXPECT_EQ(GetAt(kLonely, "lonely"), "nobody else is here");
  EXPECT_EQ(GetAt(kLonely, "changed"), "of node 1");
  const auto removed = CliAt(kLonely, {"--json", "get", "big", "-"});
  EXPECT_EQ(removed.exit_code, kNotFound) << "it has been removed here";

  network().Heal();
  cluster().Start(5);
  const std::set<std::string> names = {"changed", "fought", "lonely", "side"};
  ASSERT_OK(AwaitAllSeeEachOther());
  const std::vector<std::uint64_t> before = Rounds();
  ASSERT_OK(AwaitEqual(names));
  const std::vector<std::uint64_t> after = Rounds();
  std::uint64_t rounds = 0;
  for (std::size_t i = 0; i < before.size(); ++i) rounds = std::max(rounds, after[i] - before[i]);
  EXPECT_LE(rounds, kRoundsMax);
  for (int n = 1; n <= kNodes; ++n) {
    EXPECT_EQ(GetAt(n, "fought"), "by 7, last");
    EXPECT_EQ(GetAt(n, "changed"), "of node 5");
    EXPECT_EQ(GetAt(n, "lonely"), "nobody else is here");
  }

  // Once nobody remembers the removals nothing but the rules keeps them from coming back.
  ASSERT_OK(ProcessCluster::Await("removed names to be forgotten", kEqualTimeout, [&] {
    for (int n = 1; n <= kNodes; ++n) {
      const v1::GossipStatus status = StatusAt(n);
      if (status.names() != names.size() || status.tombstones() != 0) return false;
    }
    return true;
  }));
  EXPECT_OK(AwaitEqual(names));
  EXPECT_EQ(StatusAt(1).messages_dropped(), 0u);
  Proved("gossip buckets: put, get, remove and list on each of three sides, one of them a lone node, while they are cut off and a node dies; "
         "merged, all seven are equal after at most " + std::to_string(rounds) + " rounds, the last writer has won, and nothing that was removed comes back");
}

// Feature 23.
TEST_F(Gossip, AGetAsksThePeersForWhatTheNodeHasMissed) {
  ASSERT_OK(ProcessCluster::Await("node 6 to know all", kEqualTimeout, [] { return StatusAt(6).is_complete(); }));
  cluster().Kill(6);
  PutAt(4, "missed", "while 6 is dead");
  cluster().Start(6, {"--gossip-every=1h"});  // it compares nothing by itself
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6, 7}));
  EXPECT_FALSE(NamesAt(6).contains("missed"));
  EXPECT_EQ(GetAt(6, "missed"), "while 6 is dead");
  EXPECT_OK(ProcessCluster::Await("what was read to be held", kEqualTimeout,
                                  [] { return NamesAt(6).contains("missed"); }));
  // For what comes next it compares again: rumours alone may miss it.
  cluster().Kill(6);
  cluster().Start(6);
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(Gossip, RottenBytesAreNeverServedAndAreMadeAnewFromAnotherMember) {
  const std::string large(1'500'000, 'l');
  const std::set<std::string> before = NamesAt(1);
  PutAt(3, "large", large);
  std::set<std::string> names = before;
  names.insert("large");
  ASSERT_OK(AwaitEqual(names));
  EXPECT_EQ(FlipObjects(2), 1) << "no other file is that large";
  EXPECT_EQ(GetAt(2, "large"), large);
  EXPECT_OK(ProcessCluster::Await("the damaged bytes to be replaced", kEqualTimeout, [] { return IsHealed(2); }));
  // Found by nobody's read.
  EXPECT_EQ(FlipObjects(5), 1);
  const auto scrub = CliAt(5, {"scrub", "n5", "--wait"});
  EXPECT_EQ(scrub.exit_code, 0) << scrub.out << scrub.err;
  EXPECT_OK(ProcessCluster::Await("the damaged bytes to be replaced", kEqualTimeout, [] { return IsHealed(5); }));
  EXPECT_EQ(GetAt(5, "large"), large);
  RemoveAt(5, "large");
  ASSERT_OK(AwaitEqual(before));
  Proved("gossip buckets: flipped bytes of a file on one of seven nodes: found by a get and by a scrub, never served, made anew from another member");
}

// Feature 19. Seven nodes are here: a bucket of the log's with as many copies.
TEST_F(Gossip, ABucketOfTheLogHasSevenCopies) {
  ASSERT_EQ(CliAt(1, {"mb", "--replicas=7", "seven"}).exit_code, 0);
  const auto seven = [](int n, const std::vector<std::string>& arguments, std::string_view in = {}) {
    return CliAt(n, arguments, in, "seven");
  };
  const std::string large(700'000, 's');
  ASSERT_EQ(seven(1, {"put", "-", "file"}, large).exit_code, 0);
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  std::set<std::string> nodes;
  std::istringstream lines(seven(1, {"--json", "locate", "file"}).out);
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
    EXPECT_EQ(row.value("state", ""), "ok") << line;
    nodes.insert(row.value("node", ""));
  }
  EXPECT_EQ(nodes.size(), static_cast<std::size_t>(kNodes));
  // Every node reads its own.
  CutInto({{1}, {2}, {3}, {4}, {5}, {6}, {kLonely}});
  for (int n = 1; n <= kNodes; ++n) {
    EXPECT_TRUE(seven(n, {"get", "--consistency=eventual", "file", "-"}).out == large) << "n" << n;
  }
  network().Heal();
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(seven(1, {"remove", "file"}).exit_code, 0);
  EXPECT_EQ(seven(1, {"rb", "seven"}).exit_code, 0);
}

// Rule R24.
TEST_F(Gossip, AClockFarOffIsToldAndLeavesNothingBehindOnceItIsRight) {
  const auto is_told = [] {
    const auto status = cluster().Status(1);
    if (!status.ok()) return false;
    for (const auto& reason : status->reasons()) {
      if (reason.code() == "CLOCK_OFF" && reason.text().find("of n6 ") != std::string::npos) return true;
    }
    return false;
  };
  std::set<std::string> names = NamesAt(1);
  cluster().Kill(6);
  cluster().Start(6, {"--allow-test-faults", "--test-clock-offset=1h"});
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6, 7}));
  ASSERT_OK(ProcessCluster::Await("the wrong clock to be told", kEqualTimeout, is_told));
  auto put = HonestPut("by the wrong clock", "x", *NewRequestId(cluster().ClientChannel(6)));
  put.front().mutable_header()->set_bucket("shared");
  const auto refused = SendPut(cluster().ClientChannel(6), put);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_EQ(client::ReasonOf(refused.status()), v1::ErrorDetail::CLOCK_OFF);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("s ahead of the median of its peers"));
  std::vector<std::string> command = network().RunnerAt(6);
  const std::string local = cluster().folder().path() + "/through";
  std::ofstream(local) << "the client goes on";
  command.insert(command.end(), {ProcessCluster::CliBinary(), "--bucket=shared", "put", local, "through another",
                                 "--endpoints=" + cluster().EndpointOf(6) + "," + cluster().EndpointOf(1)});
  const auto through = RunCommand(command);
  EXPECT_EQ(through.exit_code, 0) << through.err;
  PutAt(1, "of a right clock", "taken there, too");
  names.insert({"through another", "of a right clock"});
  ASSERT_OK(AwaitEqual(names));
  cluster().Kill(6);
  cluster().Start(6);
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6, 7}));
  ASSERT_OK(ProcessCluster::Await("the right clock to be told", kEqualTimeout, [&] { return !is_told(); }));
  put = HonestPut("its clock is right", "again", *NewRequestId(cluster().ClientChannel(6)));
  put.front().mutable_header()->set_bucket("shared");
  ASSERT_OK(SendPut(cluster().ClientChannel(6), put).status());
  names.insert("its clock is right");
  // What it took over with its wrong clock has not driven its times on.
  ASSERT_OK(AwaitEqual(names));
  Proved("gossip buckets: a node whose clock is an hour ahead takes no writes, status says so, and what it writes with its clock set reaches all at once");
}

TEST_F(Gossip, WhatNeedsTheOthersWordIsRefused) {
  EXPECT_EQ(CliAt(1, {"mb", "--mode=gossip", "--replicas=3", "other"}).exit_code, kUsage);
  EXPECT_EQ(CliAt(1, {"mb", "--mode=gossip", "--quota-files=3", "other"}).exit_code, kUsage);
  PutAt(2, "kept", "here");
  const auto listed = CliAt(2, {"ls"});
  EXPECT_THAT(listed.out, ::testing::HasSubstr("kept\n"));
  EXPECT_THAT(listed.out, Not(HasSubstr("eventual"))) << "names only, for whoever reads them";
  EXPECT_EQ(listed.err, "(consistency=eventual)\n");
  PutAt(2, "brief", "soon gone");
  EXPECT_EQ(json::parse(CliAt(2, {"--json", "remove", "brief"}).out).value("consistency", ""), "eventual");
  PutAt(2, "tree/one", "soon gone");
  EXPECT_EQ(json::parse(CliAt(2, {"--json", "remove", "-r", "tree"}).out).value("consistency", ""), "eventual");
  const auto conditional = CliAt(2, {"put", "--if-version=1", "-", "kept"}, "other");
  EXPECT_EQ(conditional.exit_code, kPrecondition);
  EXPECT_THAT(conditional.err, HasSubstr("mode gossip"));
  EXPECT_EQ(CliAt(2, {"mv", "kept", "moved"}).exit_code, kPrecondition);
  EXPECT_EQ(CliAt(2, {"rb", "shared"}).exit_code, kConflict) << "it has files";
  EXPECT_EQ(GetAt(2, "kept"), "here");
  const auto cleared = CliAt(2, {"clear", "--yes"});
  EXPECT_EQ(cleared.exit_code, 0) << cleared.err;
  EXPECT_THAT(cleared.err, HasSubstr("consistency=eventual"));
  ASSERT_OK(AwaitEqual({}));
  EXPECT_EQ(CliAt(2, {"rb", "shared"}).exit_code, 0);
  EXPECT_OK(ProcessCluster::Await("the bucket's records to go", kEqualTimeout, [] {
    for (int n = 1; n <= kNodes; ++n) {
      if (StatusAt(n).names() != 0) return false;
    }
    return true;
  }));
}

TEST_F(Gossip, WhoLeavesHandsOverWhatOnlyItHas) {
  ASSERT_EQ(CliAt(1, {"mb", "--mode=gossip", "shared"}).exit_code, 0);
  ASSERT_OK(ProcessCluster::Await("node 7 to know the bucket", kEqualTimeout,
                                  [] { return CliAt(kLonely, {"ls"}).exit_code == 0; }));
  CutInto({{1, 2, 3, 4, 5, 6}, {kLonely}});
  PutAt(kLonely, "only here", "while nobody could hear");
  network().Heal();
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6, 7}));
  const auto drained = CliAt(1, {"drain", "n7"});
  EXPECT_EQ(drained.exit_code, 0) << drained.out << drained.err;
  // Listings, which fetch nothing: a get would, while node 7 is there.
  int holders = 0;
  for (int n = 1; n < kLonely; ++n) holders += NamesAt(n).contains("only here") ? 1 : 0;
  EXPECT_GE(holders, 1);
  const auto left = CliAt(1, {"leave", "n7"});
  EXPECT_EQ(left.exit_code, 0) << left.out << left.err;
  EXPECT_EQ(GetAt(1, "only here"), "while nobody could hear");
  Proved("gossip buckets: a node is drained, and leaves, once another member has what was put on it while it was cut off");

  // An empty machine in the stead of another takes all over.
  cluster().Kill(6);
  cluster().Wipe(6);
  cluster().Start(6);
  ASSERT_OK(cluster().WaitReady({1, 2, 3, 4, 5, 6}));
  const auto replaced = CliAt(1, {"replace", "--yes", "n6"});
  EXPECT_EQ(replaced.exit_code, 0) << replaced.out << replaced.err;
  EXPECT_OK(ProcessCluster::Await("the new node to have the file", kEqualTimeout,
                                  [] { return NamesAt(6).contains("only here"); }));
  EXPECT_EQ(GetAt(6, "only here"), "while nobody could hear");
}

}  // namespace
}  // namespace dfs::testing
