// Disks of real nodes that rot or fail: nothing wrong is served, no acknowledged byte is lost, and the node heals, joins anew or
// stops and says why.
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/disk_faults.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
void Overwrite(const fs::path& path, const std::string& bytes) {
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class FailingDisk : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef DFS_HAS_ADDRESS_SANITIZER
    GTEST_SKIP() << "the sanitizer's library must be loaded first";
#endif
    ASSERT_OK(cluster_.Up(3));
    PutSome();
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
  }
  // Acknowledged from then on.
  void PutSome() {
    client::FileClient client(cluster_.Endpoints());
    for (const std::size_t size : {std::size_t{200}, std::size_t{20'000}, std::size_t{400'000}}) {
      const std::string name = absl::StrCat("file/", files_.size());
      const std::string content = MakeBytes(files_.size(), size);
      ASSERT_OK(Put(client, name, content));
      files_[name] = content;
    }
  }
  void ExpectAllRight(const std::vector<int>& nodes) {
    for (const int n : nodes) {
      client::FileClient client({cluster_.EndpointOf(n)});
      for (const auto& [name, content] : files_) {
        const auto got = Get(client, name);
        ASSERT_TRUE(got.ok()) << name << " through n" << n << ": " << got.status();
        ASSERT_TRUE(*got == content) << name << " through n" << n << ": wrong bytes";
      }
    }
  }
  void ExpectHealed() {
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    // The leader knows; a node that has just started says what it knew before.
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    ASSERT_OK(cluster_.WaitFullyReplicated(*leader, absl::Minutes(1)));
    ExpectAllRight({1, 2, 3});
    client::FileClient client(cluster_.Endpoints());
    // What a node has found damaged may be on its way to a leader that is as new as this.
    for (const auto& [name, content] : files_) {
      absl::Status checked;
      (void)ProcessCluster::Await("three good copies", absl::Minutes(1), [&, &name = name, &content = content] {
        checked = CheckCopies(cluster_, client, {1, 2, 3}, name, FingerprintOf(content));
        return checked.ok();
      });
      ASSERT_OK(checked);
    }
  }
  std::uint32_t AliveId(const std::string& name) {
    const auto status = cluster_.Status(1);
    if (!status.ok()) return 0;
    for (const auto& node : status->nodes()) {
      if (node.name() == name && node.state() == "alive") return node.node_id();
    }
    return 0;
  }
  // The largest file below `part` of the node's data whose name contains `mark`.
  fs::path Largest(int n, const std::string& part, const std::string& mark) {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(cluster_.DataFolder(n) + part)) {
      if (entry.path().filename().string().find(mark) == std::string::npos) continue;
      if (found.empty() || entry.file_size() > fs::file_size(found)) found = entry.path();
    }
    return found;
  }
  // Behind the first `from` bytes of its log.
  bool LogSays(int n, const std::string& text, std::size_t from = 0) {
    return ReadAll(cluster_.LogFile(n)).find(text, from) != std::string::npos;
  }
  static bool IsNightly() {
    return std::getenv("DFS_TEST_NIGHTLY") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  }

  DiskFaults faults_;
  ProcessCluster cluster_{{.flags = {}, .environment = [this](int n) {
                             return faults_.EnvironmentOf(n);
                           }}};
  std::map<std::string, std::string> files_;
};

// ---- rot, found at a start ----

TEST_F(FailingDisk, ADamagedChunkIndexIsMadeAnewAndItsNodeKeepsItsId) {
  const std::uint32_t id = AliveId("n3");
  int cases = 0;
  std::vector<std::string> victims = {"MANIFEST-", ".sst", "*"};
  if (IsNightly()) victims = {"MANIFEST-", "CURRENT", ".sst", ".blob", ".log", "*"};
  for (const std::string& victim : victims) {
    SCOPED_TRACE(victim);
    // A second start moves rows from the write-ahead log into tables.
    ASSERT_OK(cluster_.Terminate(3).status());
    cluster_.Start(3);
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    cluster_.Kill(3);
    const std::string folder = cluster_.DataFolder(3) + "/chunks/index";
    if (victim == "*") {
      fs::remove_all(folder);
    } else {
      const fs::path path = Largest(3, "/chunks/index", victim);
      ASSERT_FALSE(path.empty());
      const std::string bytes = ReadAll(path);
      Overwrite(path, bytes.substr(0, bytes.size() / 2) + "rubbish");
    }
    cluster_.Start(3);
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    ExpectAllRight({3});
    PutSome();
    ASSERT_EQ(cluster_.Cli({"scrub", "n3", "--wait"}).exit_code, 0);
    ExpectHealed();
    ++cases;
  }
  EXPECT_EQ(AliveId("n3"), id);
  EXPECT_TRUE(LogSays(3, "is made anew from what can be read of it"));
  Proved(absl::StrCat(cases, " damaged chunk indexes of a real node: made anew, every copy healed, same node id"));
}

TEST_F(FailingDisk, ADamagedLogIsSetAsideAndTheNodeJoinsAnew) {
  int cases = 0;
  for (const std::string victim : {"CURRENT", ".log"}) {
    SCOPED_TRACE(victim);
    const std::uint32_t id = AliveId("n3");
    ASSERT_NE(id, 0u);
    cluster_.Kill(3);
    const fs::path path = Largest(3, "/meta", victim);
    ASSERT_FALSE(path.empty());
    std::string bytes = ReadAll(path);
    bytes[bytes.size() / 3] = static_cast<char>(bytes[bytes.size() / 3] ^ 0x10);
    Overwrite(path, bytes);
    ExpectAllRight({1, 2});
    cluster_.Start(3);
    ASSERT_OK(ProcessCluster::Await("n3 under a new id", ProcessCluster::kReadyTimeout,
                                    [&] { return AliveId("n3") > id; }));
    EXPECT_TRUE(LogSays(3, "THE LOG OF THIS NODE IS DAMAGED"));
    PutSome();
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    ExpectAllRight({1, 2, 3});
    ++cases;
  }
  Proved(absl::StrCat(cases, " damaged logs of a real node: set aside, joined anew, nothing lost"));
}

TEST_F(FailingDisk, ADamagedLogIsKeptWhereNoClusterServesWithoutIt) {
  for (const int n : {1, 2, 3}) cluster_.Kill(n);
  const fs::path path = cluster_.DataFolder(1) + "/meta/CURRENT";
  Overwrite(path, "rubbish\n");
  // Without anybody to ask.
  const auto refused = RunCommand(
      {ProcessCluster::ServerBinary(), "--data-dir=" + cluster_.DataFolder(1),
       "--listen=" + cluster_.EndpointOf(1), "--peer-listen=" + cluster_.PeerAddressOf(1)},
      "", {}, absl::Seconds(20));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("pass --join="), std::string::npos) << refused.err;
  EXPECT_EQ(ReadAll(path), "rubbish\n");
  EXPECT_TRUE(fs::exists(cluster_.DataFolder(1) + "/chunks"));
}

// ---- rot, found while it runs ----

TEST_F(FailingDisk, ANodeWhoseCompactionMeetsRotStartsAgainByItself) {
  const std::uint32_t id = AliveId("n3");
  ASSERT_OK(cluster_.Terminate(3).status());
  cluster_.Start(3);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ASSERT_OK(cluster_.Terminate(3).status());
  int flipped = 0;
  for (const auto& entry : fs::directory_iterator(cluster_.DataFolder(3) + "/chunks/index")) {
    if (entry.path().extension() != ".sst") continue;
    std::string bytes = ReadAll(entry.path());
    // Its family's name stands behind the rows. Nothing reads the table of the chunks as a whole at a start.
    if (bytes.find("chunks") == std::string::npos) continue;
    bytes[3] = static_cast<char>(bytes[3] ^ 4);
    Overwrite(entry.path(), bytes);
    ++flipped;
  }
  ASSERT_GE(flipped, 1);
  // Each start writes a table; a few of them are compacted into one.
  constexpr char kSays[] = "THE CHUNK INDEX IS DAMAGED";
  for (int i = 0; i < 10 && !LogSays(3, kSays); ++i) {
    cluster_.Start(3);
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    PutSome();
    // The compaction runs beside us: a moment for it, not more.
    (void)ProcessCluster::Await("the compaction", absl::Seconds(1), [&] { return LogSays(3, kSays); });
    if (LogSays(3, kSays)) break;
    ASSERT_OK(cluster_.Terminate(3).status());
  }
  ASSERT_OK(ProcessCluster::Await("the rebuild", absl::Seconds(20), [&] {
    return LogSays(3, kSays) && LogSays(3, "is made anew from what can be read of it");
  }));
  // Nobody has started it again but itself.
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ASSERT_EQ(cluster_.Cli({"scrub", "n3", "--wait"}).exit_code, 0);
  ExpectHealed();
  EXPECT_EQ(AliveId("n3"), id);
  Proved("rot that a compaction meets while a real node runs: it starts again by itself, under the same id, and heals");
}

// ---- calls that fail ----

struct Case {
  std::string op;
  std::string part;
  int error;
  int count;
  bool is_leader;
};

class FailingCalls : public FailingDisk {
 protected:
  void Run(const Case& fault) {
    SCOPED_TRACE(absl::StrCat(fault.op, " below ", fault.part, " fails with errno ", fault.error,
                              fault.count < 0 ? " always" : " once", " at the ",
                              fault.is_leader ? "leader" : "follower"));
    const auto victim = fault.is_leader ? cluster_.Leader() : cluster_.Follower();
    ASSERT_OK(victim.status());
    const int met = faults_.Met(*victim, fault.op);
    const std::size_t said = ReadAll(cluster_.LogFile(*victim)).size();
    faults_.Set(*victim, {{.op = fault.op,
                           .path = cluster_.DataFolder(*victim) + fault.part,
                           .error = fault.error,
                           .count = fault.count}});
    // Acknowledged in spite of it, and readable at once.
    const MonotonicTime start = SystemClock().Now();
    PutSome();
    longest_ = std::max(longest_, SystemClock().Now() - start);
    std::vector<int> others;
    for (const int n : {1, 2, 3}) {
      if (n != *victim) others.push_back(n);
    }
    ExpectAllRight(others);
    if (fault.op == "sync") {
      const bool is_log = fault.part == "/meta";
      ASSERT_OK(ProcessCluster::Await("the node to say why", absl::Seconds(10), [&] {
        return LogSays(*victim, is_log ? "this node must stop" : "refuses all writes", said);
      }));
      if (is_log) {
        ASSERT_OK(ProcessCluster::Await("its end", absl::Seconds(10),
                                        [&] { return !cluster_.Status(*victim).ok(); }));
        const auto leader = cluster_.Leader();
        ASSERT_OK(leader.status());
        EXPECT_NE(*leader, *victim);
      }
    } else if (fault.part != "/meta") {
      // It answers with the bytes of others.
      ExpectAllRight({*victim});
    }
    // The log is in memory, and its database has its files open: not everything is met.
    if (fault.op == "sync" || fault.part == "/chunks") {
      EXPECT_GT(faults_.Met(*victim, fault.op), met) << "the fault was never met";
    }
    faults_.Clear(*victim);
    // A person restarts it, if it has not stopped by itself.
    cluster_.Kill(*victim);
    cluster_.Start(*victim);
    ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
    ExpectHealed();
    ++cases_;
  }

  int cases_ = 0;
  absl::Duration longest_;
};

TEST_F(FailingCalls, NoAcknowledgedByteIsLost) {
  // Each store, each role, each error at least once; at night all of them.
  std::vector<Case> cases = {{"sync", "/meta", EIO, 1, true},
                             {"sync", "/meta", EIO, -1, false},
                             {"sync", "/chunks", EIO, 1, false},
                             {"sync", "/chunks", EIO, -1, true},
                             {"read", "/chunks", EIO, -1, true},
                             {"open", "/chunks", EMFILE, -1, false}};
  if (IsNightly()) {
    cases.clear();
    for (const bool is_leader : {true, false}) {
      for (const std::string part : {"/meta", "/chunks/index", "/chunks/objects"}) {
        for (const int count : {1, -1}) {
          cases.push_back({"sync", part, EIO, count, is_leader});
          cases.push_back({"read", part, EIO, count, is_leader});
          cases.push_back({"open", part, EMFILE, count, is_leader});
        }
      }
    }
  }
  for (const Case& fault : cases) {
    if (HasFatalFailure()) break;
    Run(fault);
  }
  Proved(absl::StrCat(cases_, " kinds of failing disk calls on one of three real nodes: puts go on (three in at most ",
                      absl::FormatDuration(absl::Trunc(longest_, absl::Milliseconds(1))),
                      "), no acknowledged byte is lost"));
}

}  // namespace
}  // namespace dfs::testing
