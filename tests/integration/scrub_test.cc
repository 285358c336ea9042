// Bytes that rot on one of three nodes: found, never served, healed by themselves.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

namespace fs = std::filesystem;

void FlipAt(const fs::path& path, std::uint64_t offset) {
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(file.get() ^ 0x20);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
  ASSERT_TRUE(file.good()) << path;
}

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Scrub : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(cluster.Up(3));
    client::FileClient client(cluster.Endpoints());
    for (const auto& [name, bytes] : files) ASSERT_OK(Put(client, name, bytes));
    ASSERT_OK(cluster.WaitFullyReplicated(1));
  }
  void ExpectAllRight(const std::vector<int>& nodes = {1, 2, 3}) {
    for (const int n : nodes) {
      client::FileClient client({cluster.EndpointOf(n)});
      for (const auto& [name, bytes] : files) {
        const auto got = Get(client, name);
        ASSERT_TRUE(got.ok()) << name << " through n" << n << ": " << got.status();
        ASSERT_TRUE(*got == bytes) << name << " through n" << n;
      }
    }
  }
  std::vector<fs::path> FilesOf(int n, const std::string& below) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(cluster.DataFolder(n) + below)) {
      if (entry.is_regular_file()) out.push_back(entry.path());
    }
    return out;
  }
  // The row of node n in `scrub --show`.
  v1::ScrubStatus StatusOf(int n) {
    client::FileClient client({cluster.EndpointOf(n)});
    auto response = client.Scrub(absl::StrCat("n", n), false);
    if (!response.ok() || response->nodes().empty()) return {};
    return response->nodes(0);
  }
  void ScrubAndExpectHealed(int n) {
    const auto scrub = cluster.Cli({"scrub", absl::StrCat("n", n), "--wait"});
    EXPECT_EQ(scrub.exit_code, 0) << scrub.out << scrub.err;
    EXPECT_OK(cluster.WaitFullyReplicated(1));
    EXPECT_EQ(StatusOf(n).corrupt_chunks(), 0u);
    ExpectAllRight();
    client::FileClient client(cluster.Endpoints());
    for (const auto& [name, bytes] : files) {
      EXPECT_OK(CheckCopies(cluster, client, {1, 2, 3}, name, FingerprintOf(bytes)));
    }
  }

  ProcessCluster cluster;
  std::map<std::string, std::string> files = {{"tiny", MakeBytes(1, 11)},
                                              {"small", MakeBytes(2, 100'000)},
                                              {"large", MakeBytes(3, 1'500'000)},
                                              {"larger", MakeBytes(4, 5'000'000)}};
};

// Feature 40.
TEST_F(Scrub, FlippedBytesInObjectFilesAreFoundNeverServedAndHealed) {
  const auto objects = FilesOf(2, "/chunks/objects");
  ASSERT_EQ(objects.size(), 2u);
  for (const auto& path : objects) FlipAt(path, fs::file_size(path) / 2);
  ExpectAllRight();
  ScrubAndExpectHealed(2);
  EXPECT_GE(StatusOf(2).quarantined_objects(), 2u) << "the damaged files are kept for inspection";
  EXPECT_GE(FilesOf(2, "/chunks/quarantine").size(), 2u);
  Proved("flipped bytes of object files on one of three nodes: found, never served, healed");
}

// Feature 40.
TEST_F(Scrub, AFileThatIsGoneComesBack) {
  ASSERT_OK(cluster.Terminate(2).status());
  for (const auto& path : FilesOf(2, "/chunks/objects")) fs::remove(path);
  cluster.Start(2);
  ASSERT_OK(cluster.WaitReady({1, 2, 3}));
  // Without anybody asking: the start finds it.
  EXPECT_OK(ProcessCluster::Await("the copies to be made again", absl::Seconds(30), [this] {
    return StatusOf(2).corrupt_chunks() == 0 && FilesOf(2, "/chunks/objects").size() == 2;
  }));
  ScrubAndExpectHealed(2);
}

TEST_F(Scrub, RottenSmallChunksInTheIndexAreFoundAndHealed) {
  // Starting anew moves them from the write-ahead log into blob files.
  ASSERT_OK(cluster.Terminate(2).status());
  cluster.Start(2);
  ASSERT_OK(cluster.WaitReady({1, 2, 3}));
  ASSERT_OK(cluster.Terminate(2).status());
  int flipped = 0;
  for (const auto& path : FilesOf(2, "/chunks/index")) {
    if (path.extension() != ".blob") continue;
    const auto at = ReadAll(path).find(files["small"].substr(5'000, 64));
    if (at == std::string::npos) continue;
    FlipAt(path, at + 7);
    ++flipped;
  }
  ASSERT_GE(flipped, 1);
  cluster.Start(2);
  ASSERT_OK(cluster.WaitReady({1, 2, 3}));
  ExpectAllRight();
  ScrubAndExpectHealed(2);
}

TEST_F(Scrub, ARottenSyncedLogOfTheIndexCostsItsChunksUntilTheyAreCopied) {
  // A clean stop writes the durable-through mark. After a kill within 40 ms of the last write the mark is behind, and
  // damage beyond it looks like a write that the crash tore.
  ASSERT_OK(cluster.Terminate(2).status());
  int flipped = 0;
  for (const auto& path : FilesOf(2, "/chunks/index")) {
    if (path.extension() != ".log") continue;
    const auto at = ReadAll(path).find(files["small"].substr(5'000, 64));
    if (at == std::string::npos) continue;
    FlipAt(path, at + 7);
    ++flipped;
  }
  ASSERT_EQ(flipped, 1);
  cluster.Start(2);
  ASSERT_OK(cluster.WaitReady({1, 2, 3}));
  EXPECT_NE(ReadAll(cluster.LogFile(2)).find("is made anew from what can be read"),
            std::string::npos);
  ExpectAllRight();
  ScrubAndExpectHealed(2);
}

TEST_F(Scrub, TheVerbSaysWhatItDoes) {
  const auto all = cluster.Cli({"--json", "scrub"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 3) << all.out;
  const auto nobody = cluster.Cli({"scrub", "n9"});
  EXPECT_EQ(nobody.exit_code, 12) << nobody.err;
  cluster.Kill(3);
  const auto partly = cluster.Cli({"--json", "scrub", "--show"});
  EXPECT_EQ(partly.exit_code, 2) << partly.out << partly.err;
  EXPECT_NE(partly.out.find("unreachable"), std::string::npos) << partly.out;
}

}  // namespace
}  // namespace dfs::testing
