// Disks that show an older state than their node has shown to others (rules R1, R3): treated as
// wiped.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

namespace fs = std::filesystem;

class Rollback : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(cluster_.Up(3));
    PutMany("first");
    const auto status = cluster_.Status(1);
    ASSERT_OK(status.status());
    for (const auto& node : status->nodes()) ids_[node.name()] = node.node_id();
  }
  void PutMany(const std::string& prefix) {
    client::FileClient client(cluster_.Endpoints());
    for (int i = 0; i < 20; ++i) {
      const std::string name = prefix + "/" + std::to_string(i);
      ASSERT_OK(Put(client, name, MakeBytes(names_.size(), 3'000)));
      names_.push_back(name);
    }
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
  }
  // The id of the living node of that name, as node 1 sees it; 0 if there is none.
  std::uint32_t AliveId(const std::string& name) {
    const auto status = cluster_.Status(1);
    if (!status.ok()) return 0;
    for (const auto& node : status->nodes()) {
      if (node.name() == name && node.state() == "alive") return node.node_id();
    }
    return 0;
  }
  void ExpectNewId(int n, const std::string& old_name) {
    const std::string name = "n" + std::to_string(n);
    ASSERT_OK(ProcessCluster::Await(name + " under a new id", ProcessCluster::kReadyTimeout,
                                    [&] { return AliveId(name) > ids_[old_name]; }));
    bool is_kept = false;
    for (const auto& entry : fs::directory_iterator(cluster_.DataFolder(n))) {
      is_kept |= entry.path().filename().string().starts_with("set-aside-") &&
                 fs::exists(entry.path() / "meta") && fs::exists(entry.path() / "why");
    }
    EXPECT_TRUE(is_kept) << "the old data is set aside, not deleted";
  }
  void ExpectAllFiles(int n) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto got = GetAt(cluster_.ClientChannel(n), names_[i]);
      ASSERT_OK(got.status());
      EXPECT_TRUE(*got == MakeBytes(i, 3'000)) << names_[i];
    }
  }
  // Half of the newest write-ahead log is gone, and with it the node's own mark of how far it was
  // synced.
  void TruncateLog(int n) {
    fs::path newest;
    for (const auto& entry : fs::directory_iterator(cluster_.DataFolder(n) + "/meta")) {
      if (entry.path().extension() == ".log" && (newest.empty() || entry.path() > newest)) {
        newest = entry.path();
      }
    }
    ASSERT_FALSE(newest.empty());
    fs::resize_file(newest, fs::file_size(newest) / 2);
    fs::remove(cluster_.DataFolder(n) + "/durable_through");
  }
  static void Copy(const std::string& from, const std::string& to) {
    fs::copy(from, to, fs::copy_options::recursive);
    fs::permissions(to, fs::perms::owner_all);
  }
  ProcessCluster cluster_;
  std::map<std::string, std::uint32_t> ids_;
  std::vector<std::string> names_;
};

TEST_F(Rollback, RestoredBackupJoinsUnderANewId) {
  const std::string backup = cluster_.folder().File("backup");
  cluster_.Kill(3);
  Copy(cluster_.DataFolder(3), backup);
  cluster_.Start(3);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  PutMany("second");
  cluster_.Kill(3);
  cluster_.Wipe(3);
  Copy(backup, cluster_.DataFolder(3));
  cluster_.Start(3);
  ExpectNewId(3, "n3");
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ExpectAllFiles(3);
  // It stays what it is now.
  const std::uint32_t id = AliveId("n3");
  cluster_.Kill(3);
  cluster_.Start(3);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  EXPECT_EQ(AliveId("n3"), id);
  Proved("a restored old backup of a data directory joins under a new id, its data set aside");
}

TEST_F(Rollback, CloneOfARunningNodeJoinsUnderANewId) {
  cluster_.Kill(3);
  fs::create_directories(fs::path(cluster_.DataFolder(4)).parent_path());
  Copy(cluster_.DataFolder(3), cluster_.DataFolder(4));
  cluster_.Start(3);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  cluster_.Start(4);
  ExpectNewId(4, "n3");
  ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4}));
  EXPECT_EQ(AliveId("n3"), ids_["n3"]) << "the one that was there first keeps its id";
  ExpectAllFiles(4);
  Proved("a clone of a data directory, started beside the original, joins under a new id");
}

// Only the others know.
TEST_F(Rollback, TruncatedLogIsNoticedByTheOthers) {
  cluster_.Kill(3);
  TruncateLog(3);
  cluster_.Start(3);
  ExpectNewId(3, "n3");
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ExpectAllFiles(3);
  EXPECT_NE(ReadFile(cluster_.LogFile(3)).find("has seen term"), std::string::npos);
  Proved("a truncated log is noticed by the marks that the others keep");
}

// The witnesses have restarted: their marks come from their disks.
TEST_F(Rollback, MarksOutliveTheWitnesses) {
  // The copy on disk may be a second old.
  (void)ProcessCluster::Await("marks on disk", absl::Seconds(2), [] { return false; });
  for (const int n : {1, 2, 3}) cluster_.Kill(n);
  TruncateLog(3);
  for (const int n : {1, 2, 3}) cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady({1, 2}));
  ExpectNewId(3, "n3");
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ExpectAllFiles(3);
}

// Nothing is wrong with any of them: each keeps its id, and they wait for nobody.
TEST_F(Rollback, AllThatRestartKeepTheirIds) {
  for (int round = 0; round < 3; ++round) {
    for (const int n : {1, 2, 3}) cluster_.Kill(n);
    for (const int n : {1, 2, 3}) cluster_.Start(n);
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    for (const auto& [name, id] : ids_) EXPECT_EQ(AliveId(name), id);
    PutMany("round" + std::to_string(round));
  }
}

}  // namespace
}  // namespace dfs::testing
