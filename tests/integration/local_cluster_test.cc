// deploy/local/cluster with the binaries of this build.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"
#include "tests/support/http_client.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;

class LocalCluster : public ::testing::Test {
 protected:
  ~LocalCluster() override { Run({"down"}); }

  CommandResult Run(const std::vector<std::string>& arguments) { return RunScript("cluster", arguments); }
  CommandResult RunScript(const std::string& name, const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {ProcessCluster::SourceFolder() + "/deploy/local/" + name};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunCommand(command, "",
                      {{"DFS_LOCAL_DIR", folder_.File("local state")},
                       {"DFS_BIN_DIR", ProcessCluster::BinaryFolder()},
                       {"DFS_LOCAL_PORT_BASE", std::to_string(port_base_)}},
                      absl::Seconds(120));
  }
  CommandResult Cli(const std::vector<std::string>& arguments, std::string_view in = {}) {
    std::vector<std::string> command = {ProcessCluster::CliBinary()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    std::string endpoints;
    for (int n = 1; n <= 3; ++n) {
      endpoints += (n > 1 ? "," : "") + std::string("127.0.0.1:") + std::to_string(port_base_ + n * 10);
    }
    return RunCommand(command, in, {{"DFS_ENDPOINTS", endpoints}});
  }
  // Processes that serve a data directory of this test.
  int Processes() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string command = ReadFile(entry.path().string() + "/cmdline");
      if (command.find("--data-dir=" + folder_.path()) != std::string::npos) ++count;
    }
    return count;
  }

  const TemporaryFolder folder_;
  // Below the ports that the kernel gives to connections; tests that run at once differ.
  const int port_base_ = 12'000 + static_cast<int>(getpid()) % 70 * 100;
};

// All of it but the build, which `tests/run` makes of another kind.
TEST_F(LocalCluster, QuickstartStoresAndReadsFilesAndGoesOnWithoutTheLeader) {
  const auto all = RunScript("quickstart", {"--no-build"});
  ASSERT_EQ(all.exit_code, 0) << all.out << all.err;
  EXPECT_THAT(all.out, HasSubstr("All of it worked."));
  EXPECT_THAT(all.out, HasSubstr("three good copies of every file"));
  EXPECT_EQ(Processes(), 3) << "it leaves the cluster running";
  const auto again = RunScript("quickstart", {"--no-build"});
  EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
  EXPECT_EQ(RunScript("quickstart", {"--nobuild"}).exit_code, 64);
  Proved("deploy/local/quickstart stores, reads, loses and gets back a leader, twice, with the binaries of this build");
}

// Feature 47.
TEST_F(LocalCluster, WholeLife) {
  const auto up = Run({"up"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  EXPECT_EQ(Processes(), 3);
  const auto again = Run({"up"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.err, HasSubstr("is up already"));
  EXPECT_EQ(Cli({"put", "-", "file"}, "content").exit_code, 0);

  HttpClient http("127.0.0.1:" + std::to_string(port_base_ + 32));
  EXPECT_EQ(http.Get("/upload/file").body, "content") << "node 3 speaks HTTP";

  ASSERT_EQ(Run({"kill", "2"}).exit_code, 0);
  EXPECT_EQ(Processes(), 2);
  EXPECT_EQ(Run({"kill", "2"}).exit_code, 1) << "it does not run any more";
  EXPECT_EQ(Cli({"get", "file", "-"}).out, "content");
  EXPECT_EQ(Run({"wipe", "1"}).exit_code, 1) << "it runs";
  ASSERT_EQ(Run({"start", "2"}).exit_code, 0);

  ASSERT_EQ(Run({"stop", "1"}).exit_code, 0);
  ASSERT_EQ(Run({"wipe", "1"}).exit_code, 0);
  const auto start = Run({"start", "1"});
  ASSERT_EQ(start.exit_code, 0) << start.err;
  EXPECT_EQ(Cli({"get", "file", "-"}).out, "content") << "the wiped node 1 joined the old cluster";

  const auto status = Run({"status"});
  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_THAT(status.out, HasSubstr("n3: process"));
  EXPECT_THAT(Run({"env"}).out, HasSubstr("export DFS_ENDPOINTS=127.0.0.1:" + std::to_string(port_base_ + 10)));

  ASSERT_EQ(Run({"down"}).exit_code, 0);
  EXPECT_EQ(Processes(), 0) << "down leaves no process";
  EXPECT_THAT(Run({"down"}).err, HasSubstr("nothing runs"));
  const auto back = Run({"up"});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(Cli({"get", "file", "-"}).out, "content");
  Proved("deploy/local/cluster: up, kill, stop, start, wipe, status, down; nothing is left behind");
}

TEST_F(LocalCluster, UnderTls) {
  const auto up = Run({"up", "--nodes=1", "--tls"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  const auto put = RunCommand({"sh", "-ec", "eval \"$1\"; echo content | dfs-cli put - file; dfs-cli get file -", "sh",
                               Run({"env"}).out});
  EXPECT_EQ(put.exit_code, 0) << put.err;
  EXPECT_THAT(put.out, HasSubstr("content\n"));
  EXPECT_THAT(ReadFile(folder_.File("local state") + "/n1/server.log"), HasSubstr("TLS only"));
}

TEST_F(LocalCluster, ErrorsAreSaid) {
  EXPECT_EQ(Run({}).exit_code, 64);
  EXPECT_EQ(Run({"nonsense"}).exit_code, 64);
  EXPECT_EQ(Run({"up", "--nodes=10"}).exit_code, 64);
  EXPECT_EQ(Run({"kill", "x"}).exit_code, 64);
  EXPECT_EQ(Run({"kill", "1"}).exit_code, 1);
  EXPECT_EQ(Run({"status"}).exit_code, 1);
}

}  // namespace
}  // namespace dfs::testing
