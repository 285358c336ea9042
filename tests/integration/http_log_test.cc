// What nodes tell of what they do: in the log, and in /metrics.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/http_fixture.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;

class HttpLog : public Http {};

TEST_F(HttpLog, MetricsCountWhatGossipBucketsDo) {
  ASSERT_EQ(cluster().Cli({"mb", "--mode=gossip", "counted"}).exit_code, 0);
  ASSERT_EQ(cluster().Cli({"--bucket=counted", "put", "-", "a"}, "bytes").exit_code, 0);
  const auto await = [](const std::string& line) {
    return ProcessCluster::Await(line, absl::Seconds(60), [&line] {
      for (int n = 1; n <= 3; ++n) {
        const std::string body = At(n).Get("/metrics").body;
        if (body.find(line) == std::string::npos || body.find("\ndfs_gossip_rounds_total 0\n") != std::string::npos) {
          return false;
        }
      }
      return true;
    });
  };
  ASSERT_OK(await("\ndfs_gossip_names 1\n"));
  EXPECT_OK(await("\ndfs_gossip_tombstones 0\n"));
  int fetched = 0;
  for (int n = 1; n <= 3; ++n) {
    const std::string body = At(n).Get("/metrics").body;
    if (body.find("\ndfs_gossip_fetches_total 0\n") == std::string::npos) ++fetched;
    for (const char* line : {"dfs_gossip_rounds_failed_total ", "dfs_gossip_messages_total ", "dfs_gossip_messages_dropped_total 0\n",
                             "dfs_gossip_fetches_failed_total ", "dfs_gossip_refused_total 0\n", "dfs_gossip_held_back_total 0\n"}) {
      EXPECT_THAT(body, HasSubstr(line));
    }
  }
  EXPECT_EQ(fetched, 2) << "by those that were not asked to store it";
  ASSERT_EQ(cluster().Cli({"--bucket=counted", "remove", "a"}).exit_code, 0);
  EXPECT_OK(await("\ndfs_gossip_tombstones 1\n"));
  EXPECT_EQ(cluster().Cli({"rb", "counted"}).exit_code, 0);
}

// The whole lines of a log.
std::vector<std::string> LinesOf(const std::string& log) {
  std::vector<std::string> out;
  std::istringstream lines(log.substr(0, log.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}

// The first line that has it; empty: none.
std::string LineWith(const std::vector<std::string>& lines, const std::string& what) {
  const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(what) != std::string::npos; });
  return found == lines.end() ? "" : *found;
}

// What stands behind ` KEY_ms=`; -1: it does not stand there.
double MsIn(const std::string& line, const std::string& key) {
  const auto at = line.find(" " + key + "_ms=");
  return at == std::string::npos ? -1 : std::strtod(line.c_str() + at + key.size() + 5, nullptr);
}

// Feature 45.
TEST_F(HttpLog, TheLogTellsEachOperationWithItsTimesInOneLine) {
  const std::string content = MakeBytes(4, 700'000);
  ASSERT_EQ(At(1).Ask("PUT", "/upload/logged/http", {}, content).code, 201);
  ASSERT_EQ(At(1).Get("/upload/logged/http").body, content);
  client::FileClient own({cluster().EndpointOf(1)});
  ASSERT_OK(Put(own, "logged/grpc", content));
  ASSERT_EQ(Get(own, "logged/grpc").value_or(""), content);
  // Names that would be lines of their own. Both are refused.
  const std::string forged = "E20260101 00:00:00.000000     1 node.cc:1] all is lost";
  EXPECT_EQ(At(1).Get("/upload/a%0AE20260101%2000:00:00.000000%20%20%20%20%201%20node.cc:1]%20all%20is%20lost").code, 400);
  EXPECT_FALSE(own.Stat("b\n" + forged + "\r\x1b[2J\xc2\x9b").ok());

  const std::map<std::string, std::vector<std::string>> phases = {{"put", {"begin", "transfer", "sync", "commit"}},
                                                                  {"get", {"resolve", "first_byte", "rest"}}};
  const auto prefix = [](const std::string& operation, const std::string& door) {
    return "operation=" + operation + " door=" + door + " result=ok name=\"logged/" + door + "\" ";
  };
  const std::string of_http = "http GET target=\"/upload/a%0AE20260101";
  const std::string of_grpc = "operation=stat door=grpc result=refused name=\"b\\nE20260101";
  std::vector<std::string> log;
  ASSERT_OK(ProcessCluster::Await("lines about all of them", absl::Seconds(30), [&] {
    log = LinesOf(ReadFile(cluster().LogFile(1)));
    for (const std::string operation : {"put", "get"}) {
      for (const std::string door : {"http", "grpc"}) {
        if (LineWith(log, prefix(operation, door)).empty()) return false;
      }
    }
    return !LineWith(log, of_http).empty() && !LineWith(log, of_grpc).empty();
  }));
  for (const auto& [operation, names] : phases) {
    for (const std::string door : {"http", "grpc"}) {
      const std::string line = LineWith(log, prefix(operation, door));
      EXPECT_THAT(line, HasSubstr(operation == "put" ? "bytes_in=700000 bytes_out=" : "bytes_in=0 bytes_out=700000 "));
      double sum = 0;
      for (const auto& phase : names) {
        EXPECT_GE(MsIn(line, phase), 0) << phase << ": " << line;
        sum += MsIn(line, phase);
      }
      EXPECT_GT(sum, 0) << line;
      EXPECT_LE(sum, MsIn(line, "all") + 0.01) << line;
    }
  }
  EXPECT_THAT(LineWith(log, of_grpc), HasSubstr(forged + "\\r\\x1b[2J\\u009b\" bytes_in=0 "));
  for (const auto& line : log) {
    const bool is_event = line.size() > 30 && std::string("IWEF").find(line[0]) != std::string::npos &&
                          line.find_first_not_of("0123456789", 1) == 9 && line[9] == ' ' && line.find("] ") != std::string::npos;
    EXPECT_TRUE(is_event && line != forged) << "no event of its own: " << line;
  }
  Proved("feature 45: at --v=1 the log has each operation with its times by phase in one line; a name with line ends and control "
         "bytes stays within its line");
}

// Feature 45.
TEST(LogLevel, KeepsFromTheLogWhatIsLess) {
  ProcessCluster::Options options;
  // A warning at each start.
  options.environment = [](int) { return Environment{{"NOTIFY_SOCKET", "/no/such/folder/socket"}}; };
  ProcessCluster cluster(std::move(options));
  // What one run, in which a file is put and read, logs.
  const auto log_of_a_run = [&cluster](const std::vector<std::string>& flags) {
    const std::size_t before = ReadFile(cluster.LogFile(1)).size();
    cluster.Start(1, flags);
    EXPECT_OK(cluster.WaitReady({1}));
    client::FileClient client({cluster.EndpointOf(1)});
    EXPECT_OK(Put(client, "logged", "content"));
    EXPECT_EQ(Get(client, "logged").value_or(""), "content");
    EXPECT_EQ(cluster.Terminate(1).value_or(-1), 0);
    return LinesOf(ReadFile(cluster.LogFile(1)).substr(before));
  };
  const auto count = [](const std::vector<std::string>& log, char level) {
    return std::count_if(log.begin(), log.end(), [level](const std::string& line) { return line.starts_with(level); });
  };
  ASSERT_OK(cluster.Up(1));
  ASSERT_EQ(cluster.Terminate(1).value_or(-1), 0);
  const auto all = log_of_a_run({"--v=1"});
  EXPECT_NE(LineWith(all, "operation=put"), "");
  const auto usual = log_of_a_run({"--v=0"});
  EXPECT_EQ(LineWith(usual, "operation="), "");
  EXPECT_GT(count(usual, 'I'), 0);
  EXPECT_GT(count(usual, 'W'), 0);
  const auto warnings = log_of_a_run({"--log-level=warning", "--v=1"});
  EXPECT_EQ(count(warnings, 'I'), 0) << LineWith(warnings, "I");
  EXPECT_GT(count(warnings, 'W'), 0);
  const auto errors = log_of_a_run({"--log-level=error"});
  EXPECT_EQ(count(errors, 'I') + count(errors, 'W'), 0);
}

// Names of all metrics.
std::vector<std::string> MetricsOn(const std::string& page) {
  std::vector<std::string> out;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) out.push_back(line.substr(7, line.find(' ', 7) - 7));
  }
  return out;
}

// Feature 45.
TEST_F(HttpLog, EveryMetricStandsInTheTable) {
  ASSERT_EQ(At(1).Ask("PUT", "/upload/measured", {}, "x").code, 201);
  ASSERT_EQ(At(1).Get("/upload/measured").code, 200);
  const std::string page = At(1).Get("/metrics").body;
  const std::string readme = ReadFile(ProcessCluster::SourceFolder() + "/server/http/README.md");
  const auto names = MetricsOn(page);
  EXPECT_GT(names.size(), 20u);
  for (const auto& name : names) EXPECT_THAT(readme, HasSubstr("\n| `" + name + "`"));
  for (const std::string phase : {"begin", "transfer", "sync", "commit"}) {
    EXPECT_THAT(page, HasSubstr("dfs_operation_phase_seconds_count{operation=\"put\",phase=\"" + phase + "\"} "));
  }
  for (const std::string phase : {"resolve", "first_byte", "rest"}) {
    EXPECT_THAT(page, HasSubstr("dfs_operation_phase_seconds_count{operation=\"get\",phase=\"" + phase + "\"} "));
  }
}

}  // namespace
}  // namespace dfs::testing
