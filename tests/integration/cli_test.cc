// dfs-cli as scripts use it: exit codes, what goes to standard output, JSON.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "common/checksum.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/byte_proxy.h"
#include "tests/support/http_client.h"

namespace dfs::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using nlohmann::json;

constexpr int kPartly = 2;
constexpr int kNotFound = 12;
constexpr int kConflict = 13;
constexpr int kPrecondition = 14;
constexpr int kUsage = 64;
constexpr int kLocal = 74;
constexpr int kUnreachable = 111;

class Cli : public ThreeNodes {
 protected:
  static CommandResult Run(const std::vector<std::string>& arguments, std::string_view in = {}) {
    return cluster().Cli(arguments, in);
  }
  // Runs with --json; each line of standard output parsed.
  static std::vector<json> Json(std::vector<std::string> arguments, int exit_code = 0,
                                std::string_view in = {}) {
    arguments.insert(arguments.begin(), "--json");
    const auto result = Run(arguments, in);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    std::vector<json> out;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      out.push_back(json::parse(line, nullptr, /*allow_exceptions=*/false));
      EXPECT_FALSE(out.back().is_discarded()) << line;
    }
    return out;
  }
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) out.push_back(line);
    return out;
  }
  const TemporaryFolder folder_;
};

// Feature 1.
TEST_F(Cli, PutAndGetThroughFilesAndPipes) {
  const std::string content = MakeBytes(1, 3'000'000);
  WriteFile(folder_.File("local"), content);
  EXPECT_EQ(Run({"put", folder_.File("local"), "cli/file"}).exit_code, 0);
  EXPECT_EQ(Run({"get", "cli/file", folder_.File("copy")}).exit_code, 0);
  EXPECT_TRUE(ReadFile(folder_.File("copy")) == content);
  EXPECT_EQ(Run({"put", "-", "cli/piped"}, content).exit_code, 0);
  const auto got = Run({"get", "cli/piped", "-"});
  EXPECT_EQ(got.exit_code, 0);
  EXPECT_TRUE(got.out == content) << "only the data is on standard output";
  EXPECT_EQ(Run({"get", "--range=100-199", "cli/piped", "-"}).out, content.substr(100, 100));
  // Without REMOTE the base name is taken.
  EXPECT_EQ(Run({"put", folder_.File("local")}).exit_code, 0);
  EXPECT_EQ(Run({"stat", "local"}).exit_code, 0);
}

// Feature 1.
TEST_F(Cli, EmptyFile) {
  EXPECT_EQ(Run({"put", "-", "cli/empty"}).exit_code, 0);
  const auto got = Run({"get", "cli/empty", "-"});
  EXPECT_EQ(got.exit_code, 0);
  EXPECT_EQ(got.out, "");
  EXPECT_EQ(Run({"get", "cli/empty", folder_.File("empty")}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder_.File("empty")));
  EXPECT_EQ(std::filesystem::file_size(folder_.File("empty")), 0U);
}

TEST_F(Cli, MissingFileIsTwelveAndLeavesNothingBehind) {
  for (const std::string verb : {"get", "stat", "locate", "remove"}) {
    const auto result = Run({verb, "cli/no-such-file"});
    EXPECT_EQ(result.exit_code, kNotFound) << verb;
    EXPECT_EQ(result.out, "") << verb;
    EXPECT_THAT(result.err, HasSubstr("cli/no-such-file")) << verb;
  }
  EXPECT_EQ(Run({"get", "cli/no-such-file", folder_.File("missing")}).exit_code, kNotFound);
  EXPECT_THAT(std::vector<std::filesystem::path>(
                  std::filesystem::directory_iterator(folder_.path()), {}),
              IsEmpty())
      << "no file, not even a partial one";
}

TEST_F(Cli, FailedGetKeepsTheLocalFile) {
  WriteFile(folder_.File("precious"), "local content");
  EXPECT_EQ(Run({"get", "cli/no-such-file", folder_.File("precious")}).exit_code, kNotFound);
  EXPECT_EQ(ReadFile(folder_.File("precious")), "local content");
}

TEST_F(Cli, RemoveTwiceAndForcedAndPartly) {
  EXPECT_EQ(Run({"put", "-", "cli/removed"}, "x").exit_code, 0);
  EXPECT_EQ(Run({"remove", "cli/removed"}).exit_code, 0);
  const auto again = Run({"remove", "cli/removed"});
  EXPECT_EQ(again.exit_code, kNotFound);
  EXPECT_THAT(again.err, HasSubstr("no such file"));
  EXPECT_EQ(Run({"remove", "-f", "cli/removed"}).exit_code, 0);
  EXPECT_EQ(Run({"put", "-", "cli/removed"}, "x").exit_code, 0);
  EXPECT_EQ(Run({"remove", "cli/removed", "cli/no-such-file"}).exit_code, kPartly);
  EXPECT_EQ(Run({"stat", "cli/removed"}).exit_code, kNotFound);
}

TEST_F(Cli, OverwriteAndConditions) {
  EXPECT_EQ(Run({"remove", "-f", "cli/versions"}).exit_code, 0);
  const auto first = Json({"put", "-", "cli/versions"}, 0, "one");
  ASSERT_EQ(first.size(), 1U);
  const auto version = first[0]["version"].get<std::uint64_t>();
  EXPECT_EQ(Run({"put", "--if-absent", "-", "cli/versions"}, "two").exit_code, kConflict);
  EXPECT_EQ(Run({"put", "--if-version=" + std::to_string(version), "-", "cli/versions"}, "three").exit_code, 0);
  EXPECT_EQ(Run({"put", "--if-version=" + std::to_string(version), "-", "cli/versions"}, "four").exit_code,
            kPrecondition);
  EXPECT_EQ(Run({"get", "cli/versions", "-"}).out, "three");
}

// Feature 5.
TEST_F(Cli, ListIsSortedAndEmptyListIsEmpty) {
  EXPECT_EQ(Run({"clear", "--yes", "cli/ls/"}).exit_code, 0);
  const auto empty = Run({"ls", "cli/ls/"});
  EXPECT_EQ(empty.exit_code, 0);
  EXPECT_EQ(empty.out, "");
  for (const char* name : {"cli/ls/b", "cli/ls/a", "cli/ls/C"}) {
    EXPECT_EQ(Run({"put", "-", name}, "x").exit_code, 0);
  }
  EXPECT_THAT(Lines(Run({"ls", "cli/ls/"}).out), ElementsAre("cli/ls/C", "cli/ls/a", "cli/ls/b"));
  const auto rows = Json({"ls", "cli/ls/"});
  ASSERT_EQ(rows.size(), 3U);
  for (const auto& row : rows) {
    for (const char* field : {"name", "size", "version", "time", "health"}) EXPECT_TRUE(row.contains(field)) << field;
  }
}

// Feature 9.
TEST_F(Cli, ClearAsksBeforeItRemoves) {
  EXPECT_EQ(Run({"put", "-", "cli/clear/a"}, "x").exit_code, 0);
  EXPECT_EQ(Run({"clear", "cli/clear/"}).exit_code, kUsage);
  EXPECT_EQ(Run({"stat", "cli/clear/a"}).exit_code, 0);
  EXPECT_EQ(Run({"clear", "--yes", "cli/clear/"}).exit_code, 0);
  EXPECT_EQ(Run({"stat", "cli/clear/a"}).exit_code, kNotFound);
}

// Features 8, 10.
TEST_F(Cli, JsonHasTheFieldsThatScriptsRelyOn) {
  const auto put = Json({"put", "-", "cli/json"}, 0, "content");
  ASSERT_EQ(put.size(), 1U);
  EXPECT_EQ(put[0]["name"], "cli/json");
  EXPECT_EQ(put[0]["size"], 7);
  EXPECT_GE(put[0]["replicas"], 2);
  EXPECT_GE(put[0]["version"], 1);

  const auto stat = Json({"stat", "cli/json"});
  ASSERT_EQ(stat.size(), 1U);
  for (const char* field : {"name", "size", "version", "replicas"}) EXPECT_TRUE(stat[0].contains(field)) << field;
  EXPECT_EQ(stat[0]["crc32c"], "61af7533");
  EXPECT_EQ(stat[0]["content_hash"], ToString(Xxh3("content", 7)));
  EXPECT_THAT(stat[0]["time"].get<std::string>(), ::testing::MatchesRegex("20..-..-..T.*Z"));

  const auto locate = Json({"locate", "cli/json"});
  ASSERT_EQ(locate.size(), 3U);
  for (const auto& row : locate) {
    for (const char* field : {"node", "address", "zone", "state", "size", "checksum", "version", "chunk"}) {
      EXPECT_TRUE(row.contains(field)) << field;
    }
  }

  const auto status = Json({"status"});
  ASSERT_EQ(status.size(), 1U);
  EXPECT_THAT(status[0]["health"].get<std::string>(), ::testing::AnyOf("OK", "WARN"));
  EXPECT_THAT(status[0]["leader"].get<std::string>(), HasSubstr("n"));
  for (const char* field : {"term", "files", "under_replicated"}) EXPECT_TRUE(status[0].contains(field)) << field;
  ASSERT_EQ(status[0]["nodes"].size(), 3U);
  for (const auto& node : status[0]["nodes"]) {
    for (const char* field : {"name", "id", "address", "zone", "state", "role"}) EXPECT_TRUE(node.contains(field)) << field;
  }
  EXPECT_EQ(Json({"report"}).size(), 1U);

  // Errors too are JSON, with a word that scripts can compare.
  const auto error = Json({"stat", "cli/no-such-file"}, kNotFound);
  ASSERT_EQ(error.size(), 1U);
  EXPECT_EQ(error[0]["status"], "error");
  EXPECT_TRUE(error[0]["error"].contains("message"));
  EXPECT_TRUE(error[0]["error"].contains("type"));
}

TEST_F(Cli, MembersShowRingNeighboursOfEachNode) {
  const auto text = Run({"members"});
  EXPECT_EQ(text.exit_code, 0);
  for (const char* name : {"n1", "n2", "n3"}) EXPECT_THAT(text.out, HasSubstr(name));
  EXPECT_THAT(text.out, HasSubstr("alive"));
}

// Feature 6.
TEST_F(Cli, LsHereNamesWhatTheNodeHolds) {
  EXPECT_EQ(Run({"put", "-", "cli/here"}, "content").exit_code, 0);
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  for (const char* node : {"n1", "n2", "n3"}) {
    EXPECT_THAT(Run({"lshere", std::string("--node=") + node}).out, HasSubstr("cli/here")) << node;
  }
}

// Defect "path traversal, collision, length and UTF-8 of names".
TEST_F(Cli, NamesOfAllKinds) {
  for (const std::string& name :
       {std::string("../escape"), std::string("/absolute"), std::string("a/../b"), std::string("a//b"), std::string("."),
        std::string("line\nbreak"), std::string("bad utf8 \xFF"), std::string(1'025, 'n')}) {
    EXPECT_EQ(Run({"put", "-", name}, "x").exit_code, kUsage) << name;
    EXPECT_EQ(Run({"get", name, "-"}).exit_code, kUsage) << name;
  }
  const std::vector<std::string> names = {"cli/a/x", "cli/b/x", "cli/\xF0\x9F\x98\x80", "cli/with space", "cli/" + std::string(85, 'n'),
                                          "cli/" + std::string(255, 'n')};
  for (const std::string& name : names) EXPECT_EQ(Run({"put", "-", name}, "content of " + name).exit_code, 0) << name;
  for (const std::string& name : names) EXPECT_EQ(Run({"get", name, "-"}).out, "content of " + name);
}

// Feature 14.
TEST_F(Cli, UsageErrorsAreSixtyFour) {
  const std::vector<std::vector<std::string>> wrong = {
      {"no-such-verb"},       {"put"},       {"get"},
      {"remove"},             {"put", "-"},  {"get", "a", "b", "c"},
      {"--no-such-flag", "ls"}, {"get", "--range=9-1", "a", "-"}, {"get", "--range=x", "a", "-"},
      {"get", "--consistency=sometimes", "a", "-"}, {}};
  for (const auto& arguments : wrong) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    const auto result = Run(arguments);
    EXPECT_EQ(result.exit_code, kUsage) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, Not(IsEmpty()));
  }
  EXPECT_THAT(Run({"stat", "../escape"}).exit_code, kUsage);
}

TEST_F(Cli, VerbsOfLaterVersionsAreAbsentNotStubbed) {
  for (const char* verb : {"user", "token"}) {
    EXPECT_EQ(Run({verb, "x"}).exit_code, kUsage) << verb;
  }
}

TEST_F(Cli, HelpAndVersionAreForStandardOutput) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"help"}, {"--help"}, {"help", "put"}, {"put", "--help"}, {"version"}}) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    const auto result = Run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, Not(IsEmpty()));
  }
}

TEST_F(Cli, LocalErrorsAreSeventyFour) {
  EXPECT_EQ(Run({"put", folder_.File("no-such-file"), "cli/x"}).exit_code, kLocal);
  EXPECT_EQ(Run({"put", "-", "cli/local"}, "x").exit_code, 0);
  EXPECT_EQ(Run({"get", "cli/local", folder_.File("no/such/folder")}).exit_code, kLocal);
  // A full standard output.
  const auto full = RunCommand(
      {"sh", "-c", "exec \"$0\" \"$@\" > /dev/full", ProcessCluster::CliBinary(),
       "--endpoints=" + cluster().EndpointList(), "get", "cli/local", "-"});
  EXPECT_EQ(full.exit_code, kLocal) << full.err;
}

TEST_F(Cli, NoNodeReachableIsHundredAndEleven) {
  const auto result = RunCommand({ProcessCluster::CliBinary(), "--endpoints=127.0.0.1:1", "ls"});
  EXPECT_EQ(result.exit_code, kUnreachable) << result.err;
  EXPECT_LT(result.elapsed, absl::Seconds(10));
}

TEST_F(Cli, DeadEndpointAmongLiveOnesIsPassedOver) {
  const auto result = RunCommand({ProcessCluster::CliBinary(),
                                  "--endpoints=127.0.0.1:1," + cluster().EndpointOf(2), "ls"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Cli, EndpointsComeFromTheEnvironmentToo) {
  const auto result = RunCommand({ProcessCluster::CliBinary(), "status"}, "",
                                 {{"DFS_ENDPOINTS", cluster().EndpointList()}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

// Feature 51; defect "misleading benchmark".
TEST_F(Cli, BenchReportsItsOperations) {
  const auto rows = Json({"bench", "--size=4096", "--count=20", "--concurrency=4", "--op=put,get"});
  ASSERT_GE(rows.size(), 2U);
  std::vector<std::string> operations;
  for (const auto& row : rows) {
    if (!row.contains("op")) continue;
    operations.push_back(row["op"]);
    for (const char* field : {"size", "count", "concurrency", "seconds", "ops_per_s", "bytes_per_s", "p50_ms",
                              "p99_ms", "max_ms", "errors"}) {
      EXPECT_TRUE(row.contains(field)) << field;
    }
    EXPECT_EQ(row["errors"], 0);
    // What the figures depend on is printed with them, so that nobody takes one kind for another.
    EXPECT_EQ(row["durable"], true);
    EXPECT_EQ(row["checksums_verified"], true);
    EXPECT_EQ(row["client_cache"], "none");
    EXPECT_GT(row["processors"], 0);
    EXPECT_EQ(row["bucket"], "default");
    EXPECT_EQ(row["replicas"], 3);
    EXPECT_EQ(row["write_quorum"], 2);
    EXPECT_EQ(row["read_quorum"], 2);
    if (row["op"] == "put") {
      EXPECT_GE(row["replicas_durable_min"], 2);
    } else {
      EXPECT_THAT(row["server_cache"].get<std::string>(), HasSubstr("warm"));
      EXPECT_EQ(row["consistency"], "strong");
    }
  }
  EXPECT_THAT(operations, ElementsAre("put", "get"));
  const auto text = cluster().Cli({"bench", "--size=1", "--count=1", "--op=put"});
  EXPECT_THAT(text.out, HasSubstr("bucket default: 3 replicas, write quorum 2, read quorum 2")) << text.err;
}

// Any language, through the .proto files alone.
// Feature 16.
TEST_F(Cli, PythonExampleWorksAtEachNode) {
  for (int n = 1; n <= 3; ++n) {
    const auto result = RunCommand({"/usr/bin/python3",
                                    ProcessCluster::SourceFolder() + "/client/examples/put_get.py",
                                    "--endpoint", cluster().EndpointOf(n)},
                                   "", {{"PYTHONPATH", DFS_PYTHON_GEN}});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("equal"));
  }
  Proved("a Python client made from the .proto files puts, gets and removes at each node");
}

// The put is killed between two files: at a pipe that nobody writes to. The get is killed within one: where the file would
// become longer than the process may write.
TEST_F(Cli, TreeComesBackWholeThoughBothTransfersWereKilled) {
  constexpr std::uint64_t kWritable = std::uint64_t{10} << 20;
  const std::map<std::string, std::string> content = {
      {"one/a/small.txt", "small"},        {"one/empty", ""},           {"one/large", MakeBytes(7, 24'000'000)},
      {"one/\xC3\xA9 b/c.txt", "two words"}, {"two/late.txt", "late"}, {"two/more/d", MakeBytes(8, 300'000)}};
  for (const auto& [name, bytes] : content) {
    std::filesystem::create_directories(std::filesystem::path(folder_.File("src/" + name)).parent_path());
    WriteFile(folder_.File("src/" + name), bytes);
  }
  ASSERT_EQ(::mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  const std::vector<std::string> command = {ProcessCluster::CliBinary(), "--endpoints=" + cluster().EndpointList()};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), command.begin(), command.end());
    return words;
  };
  {
    ChildProcess put(with({"put", "-r", "--jobs=1", folder_.File("src/one"), folder_.File("pipe"), folder_.File("src/two"), "cli/tree/"}), {});
    ASSERT_OK(ProcessCluster::Await("the first folder is stored", absl::Minutes(1),
                                    [&] { return Lines(Run({"ls", "-r", "cli/tree/one"}).out).size() == 4; }));
    put.Kill();
  }
  EXPECT_EQ(Run({"ls", "-r", "cli/tree/two"}).out, "");
  const auto again = Json({"put", "-r", "--resume", folder_.File("src/one"), folder_.File("src/two"), "cli/tree/"});
  ASSERT_EQ(again.size(), content.size());
  for (const auto& line : again) {
    EXPECT_EQ(line.contains("was_there"), line["name"].get<std::string>().starts_with("cli/tree/one/")) << line;
  }

  std::vector<std::string> limited = with({"get", "-r", "--jobs=1", "cli/tree", folder_.File("copy")});
  limited.insert(limited.begin(), {"prlimit", "--core=0", "--fsize=" + std::to_string(kWritable)});
  EXPECT_EQ(RunCommand(limited).exit_code, 128 + SIGXFSZ);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("copy/one/large")));
  for (const auto& line : Json({"get", "-r", "cli/tree", folder_.File("copy")})) {
    if (line["name"] == "cli/tree/one/large") EXPECT_EQ(line["resumed_from"], kWritable) << line;
  }
  std::map<std::string, std::string> copied;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.File("copy"))) {
    if (!entry.is_regular_file()) continue;
    copied[std::filesystem::relative(entry.path(), folder_.File("copy")).string()] = ReadFile(entry.path().string());
  }
  EXPECT_TRUE(copied == content);
  EXPECT_EQ(Run({"remove", "-r", "--max-delete=" + std::to_string(content.size()), "cli/tree"}).exit_code, 0);
  EXPECT_EQ(Run({"ls", "cli/tree"}).out, "");
  Proved("a tree comes back byte for byte though the put and the get of it were killed; both went on where they stopped");
}

TEST_F(Cli, SimulationChangesNothing) {
  EXPECT_EQ(Run({"put", "-", "cli/simulated"}, "12345").exit_code, 0);
  // `line` is a regular expression: n2 and n3 join in any order.
  const auto simulated = [&](const std::vector<std::string>& words, const std::string& line) {
    const auto result = Run(words);
    EXPECT_EQ(result.exit_code, 0) << words[0] << result.err;
    EXPECT_THAT(result.out, ContainsRegex("SIMULATION: would " + line));
    EXPECT_THAT(result.err, HasSubstr("nothing was changed"));
  };
  simulated({"mb", "-n", "new"}, "mb new: mode quorum, 3 replicas");
  simulated({"gc", "-n"}, "gc n1");
  simulated({"scrub", "-n", "n2"}, "scrub n2: read and check");
  simulated({"drain", "-n", "n2"}, "drain n2 \\(id [23], alive, holds");
  simulated({"leave", "-n", "n3"}, "leave n3");
  simulated({"forget", "-n", "n3"}, "forget n3");
  simulated({"remove", "-n", "cli/simulated"}, "remove cli/simulated");
  simulated({"clear", "-n", "cli/simulated"}, "clear \"cli/simulated\": 1 files, 5 bytes");
  EXPECT_EQ(Run({"mb", "-n", "default"}).exit_code, kConflict);
  EXPECT_EQ(Run({"rb", "-n", "default"}).exit_code, kConflict) << "it has files";
  EXPECT_EQ(Run({"rb", "-n", "new"}).exit_code, kNotFound) << "it was not made";
  EXPECT_EQ(Run({"get", "cli/simulated", "-"}).out, "12345");
  for (const auto& row : Json({"members"})) EXPECT_EQ(row["state"], "alive") << row;
}

TEST_F(Cli, CheckDiskMeasuresAndLeavesNothingBehind) {
  const auto result = Run({"--json", "check", "disk", "--size=1M", folder_.path()});
  const json here = json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(here.is_object()) << result.out << result.err;
  EXPECT_EQ(result.exit_code, here["is_fast_enough"].get<bool>() ? 0 : 1) << "this machine's disk may be slow";
  for (const char* field : {"path", "syncs", "sync_p50_ms", "sync_p99_ms", "sync_max_ms", "bytes_per_s", "free_bytes"}) EXPECT_TRUE(here.contains(field)) << field;
  EXPECT_GT(here["sync_p99_ms"], 0);
  EXPECT_THAT(std::vector<std::filesystem::path>(std::filesystem::directory_iterator(folder_.path()), {}), IsEmpty());
  EXPECT_EQ(Run({"put", "-", "cli/synced"}, "x").exit_code, 0);
  EXPECT_THAT(Run({"check", "disk"}).out, HasSubstr("SYNC P99"));
  EXPECT_EQ(Run({"check", "disk", folder_.File("no/such")}).exit_code, kLocal);
  EXPECT_EQ(Run({"check", "disk", "--size=1", folder_.path()}).exit_code, kUsage);
  EXPECT_EQ(Run({"check", "memory"}).exit_code, kUsage);
}

TEST_F(Cli, ServerRefusesWhatItCannotDo) {
  const auto server = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> command = {ProcessCluster::ServerBinary()};
    command.insert(command.end(), flags.begin(), flags.end());
    return RunCommand(command, "", {}, absl::Seconds(20));
  };
  const std::string data = "--data-dir=" + folder_.File("data");
  // Another machine could reach it, and nothing is encrypted yet.
  EXPECT_EQ(server({data, "--listen=0.0.0.0:19990", "--peer-listen=127.0.0.1:19991", "--bootstrap"}).exit_code, kUsage);
  EXPECT_EQ(server({data, "--listen=127.0.0.1:19990", "--peer-listen=[::]:19991", "--bootstrap"}).exit_code, kUsage);
  EXPECT_EQ(server({data, "--listen=nonsense", "--peer-listen=127.0.0.1:19991", "--bootstrap"}).exit_code, kUsage);
  EXPECT_EQ(server({data, "--listen=127.0.0.1:19990"}).exit_code, kUsage);
  // Neither --bootstrap nor --join, and the folder belongs to no cluster.
  EXPECT_EQ(server({data, "--listen=127.0.0.1:19990", "--peer-listen=127.0.0.1:19991"}).exit_code, kUsage);
  // An address in use.
  const auto in_use = server({data, "--listen=" + cluster().EndpointOf(1), "--peer-listen=127.0.0.1:19991", "--bootstrap"});
  EXPECT_GT(in_use.exit_code, 0);
  EXPECT_LT(in_use.exit_code, 128) << in_use.err;
  EXPECT_THAT(in_use.err, HasSubstr(cluster().EndpointOf(1)));
}

// Interrupted uploads go on where they stopped, within a file too.
TEST_F(Cli, PutGoesOnWithinAFileAfterItsClientWasKilled) {
  constexpr std::uint64_t kBytes = 104'000'000;
  constexpr std::uint64_t kHeldAt = 75'000'000;  // in its second chunk
  WriteFile(folder_.File("large"), MakeBytes(11, kBytes));
  const auto counter = [](const std::string& line) {
    std::uint64_t sum = 0;
    for (int n = 1; n <= 3; ++n) {
      const std::string page = HttpClient(cluster().HttpAddressOf(n)).Get("/metrics").body;
      const auto at = page.find("\n" + line + " ");
      if (at != std::string::npos) sum += static_cast<std::uint64_t>(std::stod(page.substr(at + line.size() + 2)));
    }
    return sum;
  };
  const auto received = [&] { return counter("dfs_received_bytes_total{door=\"grpc\",operation=\"put\"}"); };
  const std::uint64_t before = received();
  const Environment state = {{"XDG_STATE_HOME", folder_.File("state")}};
  {
    ByteProxy proxy(cluster().EndpointOf(1), 65'536);
    proxy.HoldAfter(kHeldAt);
    ChildProcess put({ProcessCluster::CliBinary(), "--endpoints=" + proxy.endpoint(), "put", "--resume", folder_.File("large"), "cli/large"},
                     {}, state);
    ASSERT_OK(ProcessCluster::Await("the put is held up", absl::Minutes(1), [&] { return proxy.has_held(); }));
    put.Kill();
    ASSERT_OK(ProcessCluster::Await("the node keeps the put", absl::Minutes(1), [&] { return counter("dfs_parked_puts") == 1 && received() > before; }));
  }
  EXPECT_EQ(Run({"stat", "cli/large"}).exit_code, kNotFound);
  const std::uint64_t first = received() - before;
  EXPECT_GT(first, kHeldAt / 2);
  // From another node, by another way: the one that was sent to is not there any more under the name it had.
  const auto again = RunCommand({ProcessCluster::CliBinary(), "--endpoints=" + cluster().EndpointOf(2), "--json", "put", "--resume",
                                 folder_.File("large"), "cli/large"},
                                {}, state);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const json line = json::parse(again.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_EQ(line["resumed_from"], first) << again.out;
  EXPECT_EQ(received() - before, kBytes) << "each byte was sent once";
  EXPECT_EQ(counter("dfs_parked_puts"), 0u);
  EXPECT_EQ(counter("dfs_resumed_bytes_total"), first);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.File("state/dfs/puts")));
  EXPECT_EQ(Run({"get", "cli/large", folder_.File("copy")}).exit_code, 0);
  const std::string copy = ReadFile(folder_.File("copy"));
  EXPECT_TRUE(copy == ReadFile(folder_.File("large")));
  const auto stat = Json({"stat", "cli/large"});
  ASSERT_EQ(stat.size(), 1U);
  EXPECT_EQ(stat[0]["content_hash"], ToString(Xxh3(copy.data(), copy.size()))) << "of all chunks together";
  Proved("a put of 104 MB whose client was killed went on where it stopped, from another node: each byte was received once");
}

}  // namespace
}  // namespace dfs::testing
