#include "server/node/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/flag_sources.h"

namespace dfs::node {
namespace {

ParsedConfig Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "dfs-server");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  return ParseConfig(static_cast<int>(argv.size()), argv.data());
}

Config Good() {
  Config config;
  config.data_dir = "d";
  config.listen = "127.0.0.1:7710";
  config.peer_listen = "127.0.0.1:7711";
  return config;
}

TEST(Config, ReadsFlagsAndLists) {
  const auto parsed = Parse({"--data-dir=/d", "--listen=127.0.0.1:7710",
                             "--peer-listen=127.0.0.1:7711", "--join=a:1,b:2", "--zone=z",
                             "--name=n1", "--trash-time=3s"});
  ASSERT_EQ(parsed.exit_code, -1);
  EXPECT_EQ(parsed.config.join, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(parsed.config.zone, "z");
  EXPECT_EQ(parsed.config.trash_time, absl::Seconds(3));
  EXPECT_FALSE(parsed.config.bootstrap);
}

TEST(Config, TheLogsLevelIsAWord) {
  const auto parsed = Parse({"--data-dir=/d", "--listen=a:1", "--peer-listen=a:2", "--v=1", "--log-level=warning"});
  ASSERT_EQ(parsed.exit_code, -1);
  EXPECT_EQ(parsed.config.log_verbosity, 1);
  EXPECT_EQ(parsed.config.log_level, 1);
  EXPECT_FALSE(Parse({"--data-dir=/d", "--listen=a:1", "--peer-listen=a:2"}).config.log_verbosity);
  EXPECT_EQ(Parse({"--data-dir=/d", "--listen=a:1", "--peer-listen=a:2", "--log-level=loud"}).exit_code, 64);
}

// Feature 17.
TEST(Config, OldNamesAreAliases) {
  const auto parsed = Parse({"--storage-root=/d", "--listen=127.0.0.1:1", "--peer-listen=127.0.0.1:2",
                             "--peers=a:1"});
  ASSERT_EQ(parsed.exit_code, -1);
  EXPECT_EQ(parsed.config.data_dir, "/d");
  EXPECT_EQ(parsed.config.join, std::vector<std::string>{"a:1"});
}

TEST(Config, AGatewayNeedsItsPeersAndAnHttpPortOnly) {
  const char* before = std::getenv("XDG_STATE_HOME");
  const std::string kept = before == nullptr ? "" : before;
  char folder[] = "/tmp/dfs_state_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  setenv("XDG_STATE_HOME", folder, 1);
  const auto parsed = Parse({"--role=gateway", "--peers=127.0.0.1:7711", "--http-port=8080"});
  ASSERT_EQ(parsed.exit_code, -1);
  Config config = parsed.config;
  ASSERT_TRUE(CompleteConfig(&config).ok());
  EXPECT_TRUE(CheckConfig(config).ok()) << CheckConfig(config);
  EXPECT_EQ(config.http_listen, "127.0.0.1:8080");
  EXPECT_EQ(config.data_dir, std::string(folder) + "/dfs/gateway-8080");
  EXPECT_NE(config.listen, config.peer_listen);
  config.bootstrap = true;
  EXPECT_FALSE(CheckConfig(config).ok());
  if (before == nullptr) {
    unsetenv("XDG_STATE_HOME");
  } else {
    setenv("XDG_STATE_HOME", kept.c_str(), 1);
  }
  std::filesystem::remove_all(folder);
}

TEST(Config, OnlyOtherRolesMayLeaveAddressesOut) {
  EXPECT_EQ(Parse({"--data-dir=/d"}).exit_code, 64);
  EXPECT_EQ(Parse({"--role=node", "--data-dir=/d", "--listen=a:1"}).exit_code, 64);
  Config config = Parse({"--role=replica", "--storage-root=/d", "--peers=a:1"}).config;
  EXPECT_EQ(config.role, rpc::STORAGE_ONLY);
  ASSERT_TRUE(CompleteConfig(&config).ok());
  EXPECT_TRUE(CheckConfig(config).ok()) << CheckConfig(config);
  EXPECT_EQ(Parse({"--role=king"}).exit_code, 64);
}

class ConfigSources : public ::testing::Test {
 protected:
  ConfigSources() {
    char pattern[] = "/tmp/dfs_config_test_XXXXXX";
    const int fd = mkstemp(pattern);
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = pattern;
  }
  ~ConfigSources() override {
    for (const char* name : {"DFS_ZONE", "DFS_NAME", "DFS_JOIN", "DFS_CONFIG", "DFS_INSECURE"}) unsetenv(name);
    unlink(path_.c_str());
  }
  void Write(const std::string& text) const { std::ofstream(path_) << text; }

  std::string path_;
};

TEST_F(ConfigSources, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  Write("# of this node\nzone = from-file\nname = from-file\ndata-dir = /from-file\ntrash-time = 7s\ninsecure = true\n"
        "peer-listen = \"127.0.0.1:2\"\n");
  setenv("DFS_ZONE", "from-environment", 1);
  setenv("DFS_NAME", "from-environment", 1);
  setenv("DFS_JOIN", "a:1,b:2", 1);
  const auto parsed = Parse({"--config=" + path_, "--name=from-flag", "--listen=127.0.0.1:1"});
  ASSERT_EQ(parsed.exit_code, -1);
  EXPECT_EQ(parsed.config.name, "from-flag");
  EXPECT_EQ(parsed.config.zone, "from-environment");
  EXPECT_EQ(parsed.config.data_dir, "/from-file");
  EXPECT_EQ(parsed.config.peer_listen, "127.0.0.1:2");
  EXPECT_EQ(parsed.config.trash_time, absl::Seconds(7));
  EXPECT_TRUE(parsed.config.insecure);
  EXPECT_EQ(parsed.config.join, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(parsed.config.out_after, absl::Minutes(2)) << "the default";
  EXPECT_EQ(Parse({"--listen=127.0.0.1:1", "--peers=c:3", "--config", path_}).config.join,
            std::vector<std::string>{"c:3"}) << "by the other name of the flag";
}

TEST_F(ConfigSources, AFileThatSaysNonsenseIsRefused) {
  const std::vector<std::string> whole = {"--data-dir=/d", "--listen=127.0.0.1:1", "--peer-listen=127.0.0.1:2"};
  const auto with_file = [&] {
    auto words = whole;
    words.push_back("--config=" + path_);
    return Parse(words).exit_code;
  };
  EXPECT_EQ(with_file(), -1) << "an empty file";
  Write("zonne = z\n");
  EXPECT_EQ(with_file(), 64);
  Write("[put]\nzone = z\n");
  EXPECT_EQ(with_file(), 64);
  setenv("DFS_CONFIG", "/nonexistent", 1);
  EXPECT_EQ(Parse(whole).exit_code, 64);
}

TEST_F(ConfigSources, AFileThatCannotBeReadIsToldWithTheReason) {
  const auto why = [](const std::string& path) { return std::string(FlagFile::Read(path).status().message()); };
  EXPECT_NE(why("/nonexistent").find("cannot be read: No such file or directory"), std::string::npos);
  EXPECT_NE(why("/").find("cannot be read: it is a directory"), std::string::npos);
}

// Feature 48.
TEST(Config, TestFaultsNeedAWordOfTheirOwn) {
  Config config = Good();
  config.test_drop_percent = 1;
  const absl::Status refused = CheckConfig(config);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("--allow-test-faults"), absl::string_view::npos) << refused;
  config.allow_test_faults = true;
  EXPECT_TRUE(CheckConfig(config).ok());
  config.test_clock_offset = -absl::Seconds(1);
  EXPECT_TRUE(CheckConfig(config).ok());
  config.allow_test_faults = false;
  config.test_drop_percent = 0;
  EXPECT_FALSE(CheckConfig(config).ok());
  const auto parsed = [](const std::string& flag) {
    return Parse({"--data-dir=/d", "--listen=127.0.0.1:1", "--peer-listen=127.0.0.1:2", "--allow-test-faults", flag});
  };
  EXPECT_EQ(parsed("--test-drop-percent=91").exit_code, 64);
  EXPECT_EQ(parsed("--test-clock-offset=often").exit_code, 64);
  EXPECT_EQ(parsed("--test-clock-offset=-90s").config.test_clock_offset, -absl::Seconds(90));
}

TEST(Config, MistakesAreUsageErrors) {
  EXPECT_EQ(Parse({}).exit_code, 64);
  EXPECT_EQ(Parse({"--data-dir=/d", "--listen=a:1", "--peer-listen=a:2", "--nonsense"}).exit_code, 64);
  EXPECT_EQ(Parse({"--data-dir=/d", "--listen=a:1", "--peer-listen=a:2", "--trash-time=x"}).exit_code,
            64);
}

TEST(Config, AskingForHelpIsNoMistake) { EXPECT_EQ(Parse({"--help"}).exit_code, 0); }

// Defect "unauthenticated internal endpoints".
TEST(Config, AddressesOfOtherMachinesNeedInsecure) {
  EXPECT_TRUE(CheckConfig(Good()).ok());
  for (const std::string address : {"0.0.0.0:7710", "10.1.2.3:7710", "example:7710", "[::]:7710"}) {
    Config config = Good();
    config.listen = address;
    EXPECT_FALSE(CheckConfig(config).ok()) << address;
    config.insecure = true;
    EXPECT_TRUE(CheckConfig(config).ok()) << address;
  }
  for (const std::string address : {"127.9.8.7:1", "localhost:1", "[::1]:1"}) {
    Config config = Good();
    config.listen = address;
    EXPECT_TRUE(CheckConfig(config).ok()) << address;
  }
}

TEST(Config, TlsTakesThePlaceOfInsecureAndIsWholeOrNotAtAll) {
  Config config = Good();
  config.listen = "0.0.0.0:7710";
  EXPECT_FALSE(CheckConfig(config).ok());
  config.tls_files = {"a", "b", "c"};
  EXPECT_TRUE(CheckConfig(config).ok());
  config.http_listen = "0.0.0.0:7712";
  EXPECT_TRUE(CheckConfig(config).ok());
  EXPECT_FALSE(LoadTls(&config).ok()) << "there are no such files";
  config.tls_files = {"a", "", "c"};
  const auto partial = LoadTls(&config);
  EXPECT_EQ(partial.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(partial.message().find("all three"), absl::string_view::npos);
  EXPECT_FALSE(config.tls.has_value()) << "never in plaintext by mistake, never half";
  config.tls_files = {};
  EXPECT_TRUE(LoadTls(&config).ok());
}

TEST(Config, MalformedAddressesAreRefused) {
  for (const std::string address : {"", "7710", "127.0.0.1", "127.0.0.1:", ":7710", "127.0.0.1:x",
                                    "127.0.0.1:65536", "127.0.0.1:-1"}) {
    Config config = Good();
    config.listen = address;
    EXPECT_FALSE(CheckConfig(config).ok()) << address;
    config = Good();
    config.join = {address};
    EXPECT_FALSE(CheckConfig(config).ok()) << address;
  }
}

TEST(Config, ListenersDiffer) {
  Config config = Good();
  config.peer_listen = config.listen;
  EXPECT_FALSE(CheckConfig(config).ok());
  for (const std::string& taken : {Good().listen, Good().peer_listen}) {
    config = Good();
    config.http_listen = taken;
    EXPECT_FALSE(CheckConfig(config).ok()) << taken;
  }
}

TEST(Config, TheHttpDoorIsOneMoreListener) {
  const std::vector<std::string> base = {"--data-dir=/d", "--listen=127.0.0.1:1",
                                         "--peer-listen=127.0.0.1:2"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = base;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Parse(arguments);
  };
  EXPECT_EQ(with({}).config.http_listen, "") << "there is none unless it is asked for";
  EXPECT_EQ(with({}).config.http_upload_limit, std::uint64_t{1} << 30);
  EXPECT_EQ(with({"--http-listen=127.0.0.1:3"}).config.http_listen, "127.0.0.1:3");
  EXPECT_EQ(with({"--http-port=8080"}).config.http_listen, "127.0.0.1:8080");
  EXPECT_EQ(with({"--http-port=8080", "--http-listen=127.0.0.1:3"}).exit_code, 64);
  EXPECT_EQ(with({"--http-port=65536"}).exit_code, 64);
  EXPECT_EQ(with({"--http-upload-limit=4MB"}).config.http_upload_limit, std::uint64_t{4} << 20);
  EXPECT_EQ(with({"--http-upload-limit=0"}).exit_code, 64);
  EXPECT_EQ(with({"--http-upload-limit=much"}).exit_code, 64);
  Config config = Good();
  config.http_listen = "0.0.0.0:7712";
  EXPECT_FALSE(CheckConfig(config).ok());
  config.insecure = true;
  EXPECT_TRUE(CheckConfig(config).ok());
  config.http_listen = "nonsense";
  EXPECT_FALSE(CheckConfig(config).ok());
}

}  // namespace
}  // namespace dfs::node
