// The program itself, run as users run it, against nodes in this process.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/client/cli_fixture.h"

namespace dfs::client {
namespace {

TEST_F(CliTest, FileGoesInAndComesOut) {
  std::string bytes(3'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + (i >> 11));
  WriteFile(folder / "x.bin", bytes);
  const Result put = Run("put x.bin");
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_EQ(put.out, "x.bin  3000000 bytes  version 1  2 replicas\n");
  EXPECT_EQ(put.err, "");
  const Result get = Run("get x.bin y.bin");
  EXPECT_EQ(get.code, 0) << get.err;
  EXPECT_EQ(get.out, "");
  EXPECT_TRUE(ReadFile(folder / "y.bin") == bytes);
  EXPECT_EQ(PartialFiles(), 0);
  EXPECT_TRUE(Run("get x.bin -").out == bytes);
  EXPECT_EQ(Run("get --range=10-19 x.bin -").out, bytes.substr(10, 10));
  EXPECT_EQ(Run("get --range=2999990- x.bin -").out, bytes.substr(2'999'990));
}

// Words that a script leaves empty, and numbers that would be others, mean nothing.
TEST_F(CliTest, WhatAScriptDidNotMeanIsNotDone) {
  WriteFile(folder / "f", "hello");
  ASSERT_EQ(Run("put f a/b").code, 0);
  for (const char* words :
       {"--bucket= ls", "put f ''", "get a/b ''", "clear --yes ''", "clear --yes 'a/*'", "ls --after=", "ls --limit=-1",
        "get --version=-1 a/b -", "put --if-version=-1 f a/b", "--config=/ ls"}) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 64) << words;
    EXPECT_LT(result.err.size(), 200U) << words << ": " << result.err;
  }
  EXPECT_EQ(Run("ls").out, "a/b\n");
  EXPECT_EQ(Run("put f 'a*'").code, 0);
  EXPECT_EQ(Run("clear --yes --literal 'a*'").code, 0);
  EXPECT_EQ(Run("ls").out, "a/b\n");
  EXPECT_NE(Run("put f /x").err.find("slash at an end"), std::string::npos);
}

TEST_F(CliTest, StandardInputIsStored) {
  EXPECT_EQ(Run("put - a/b", "printf hello |").code, 0);
  EXPECT_EQ(Run("get a/b -").out, "hello");
  EXPECT_EQ(Run("put -", "printf hello |").code, 64);
  EXPECT_EQ(Run("get a/b").code, 0);
  EXPECT_EQ(ReadFile(folder / "b"), "hello");
}

TEST_F(CliTest, JsonHasTheFieldsThatScriptsRelyOn) {
  WriteFile(folder / "x", "12345");
  const auto put = Run("--json put x").Lines();
  ASSERT_EQ(put.size(), 1U);
  EXPECT_EQ(put[0]["status"], "success");
  EXPECT_EQ(put[0]["name"], "x");
  EXPECT_EQ(put[0]["size"], 5);
  EXPECT_EQ(put[0]["version"], 1);
  EXPECT_EQ(put[0]["replicas"], 2);
  const auto stat = Run("stat x --json").Lines();
  ASSERT_EQ(stat.size(), 1U);
  for (const char* field : {"status", "name", "size", "version", "replicas", "crc32c"}) {
    EXPECT_TRUE(stat[0].contains(field)) << field;
  }
  const auto locate = Run("--json locate x").Lines();
  ASSERT_EQ(locate.size(), 3U);
  for (const char* field :
       {"status", "node", "address", "zone", "state", "size", "checksum", "version", "chunk"}) {
    EXPECT_TRUE(locate[2].contains(field)) << field;
  }
  EXPECT_EQ(locate[2]["state"], "missing");
  const auto ls = Run("--json ls").Lines();
  ASSERT_EQ(ls.size(), 1U);
  for (const char* field : {"status", "name", "size", "version", "time", "health"}) {
    EXPECT_TRUE(ls[0].contains(field)) << field;
  }
  EXPECT_EQ(ls[0]["health"], "2/3");
  const auto status = Run("--json status").Lines();
  ASSERT_EQ(status.size(), 1U);
  EXPECT_EQ(status[0]["status"], "success");
  EXPECT_EQ(status[0]["health"], "WARN");
  EXPECT_EQ(status[0]["leader"], "a");
  EXPECT_EQ(status[0]["term"], 3);
  EXPECT_TRUE(status[0].contains("files"));
  EXPECT_TRUE(status[0].contains("under_replicated"));
  ASSERT_EQ(status[0]["nodes"].size(), 2U);
  for (const char* field : {"name", "id", "address", "zone", "state", "role"}) {
    EXPECT_TRUE(status[0]["nodes"][1].contains(field)) << field;
  }
  const auto here = Run("--json lshere").Lines();
  ASSERT_EQ(here.size(), 1U);
  EXPECT_EQ(here[0]["node"], "a");
  EXPECT_EQ(Run("--json members").Lines().at(0)["name"], "a");
}

TEST_F(CliTest, ErrorsAreJsonToo) {
  const Result result = Run("--json stat nothing");
  EXPECT_EQ(result.code, 12);
  ASSERT_EQ(result.Lines().size(), 1U);
  const Json error = result.Lines()[0];
  EXPECT_EQ(error["status"], "error");
  EXPECT_EQ(error["error"]["code"], 12);
  EXPECT_EQ(error["error"]["type"], "not_found");
  EXPECT_FALSE(error["error"]["message"].get<std::string>().empty());
  EXPECT_EQ(Run("--json nonsense").Lines().at(0)["error"]["code"], 64);
}

TEST_F(CliTest, LongListingHasItsColumns) {
  EXPECT_EQ(Run("put - b/2", "printf 22 |").code, 0);
  EXPECT_EQ(Run("put - a/1", "printf 1 |").code, 0);
  EXPECT_EQ(Run("ls").out, "a/1\nb/2\n");
  EXPECT_EQ(Run("ls b").out, "b/2\n");
  EXPECT_EQ(Run("ls -l").out,
            "1  2  2023-11-14T22:13:20Z  2/3  a/1\n2  1  2023-11-14T22:13:20Z  2/3  b/2\n");
  EXPECT_EQ(Run("ls none").out, "");
  EXPECT_EQ(Run("ls none").code, 0);
}

TEST_F(CliTest, FirstNamesOfAListingAreNotHeldBack) {
  for (const char* name : {"1", "2", "3", "4"}) EXPECT_EQ(Run("put - " + std::string(name), "printf x |").code, 0);
  a.Inject("List", {Fault::kHangMidway});  // behind a page of three
  const std::string command = "DFS_ENDPOINTS=" + a.address() + "," + b.address() + " " DFS_CLI_PATH " --timeout=600s ls";
  FILE* const out = ::popen(command.c_str(), "r");
  ASSERT_NE(out, nullptr);
  pollfd waiting{::fileno(out), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 60'000), 1) << "nothing was printed";
  a.Kill();
  std::string names;
  for (int c = std::fgetc(out); c != EOF; c = std::fgetc(out)) names += static_cast<char>(c);
  EXPECT_EQ(names, "1\n2\n3\n4\n");
  EXPECT_EQ(::pclose(out), 0);
}

TEST_F(CliTest, RemoveSaysWhatWasPartlyDone) {
  for (const char* name : {"x", "y", "z"}) {
    EXPECT_EQ(Run("put - " + std::string(name), "printf 1 |").code, 0);
  }
  EXPECT_EQ(Run("remove none").code, 12);
  EXPECT_EQ(Run("remove x none").code, 2);
  EXPECT_EQ(Run("remove -f none").code, 0);
  EXPECT_EQ(Run("remove -f none").err, "");
  EXPECT_EQ(Run("rm y z").code, 0);
  EXPECT_EQ(Run("ls").out, "");
}

TEST_F(CliTest, ConditionsOfPut) {
  WriteFile(folder / "x", "1");
  EXPECT_EQ(Run("put --if-absent x").code, 0);
  EXPECT_EQ(Run("put --if-absent x").code, 13);
  EXPECT_EQ(Run("put --if-version=7 x").code, 14);
  EXPECT_EQ(Run("put --if-version=1 x").code, 0);
  EXPECT_EQ(Run("put --if-version=1 --if-absent x").code, 64);
}

TEST_F(CliTest, ClearNeedsAWordOfConfirmation) {
  EXPECT_EQ(Run("put - p/1", "printf 1 |").code, 0);
  EXPECT_EQ(Run("put - q", "printf 1 |").code, 0);
  EXPECT_EQ(Run("clear p/ </dev/null").code, 64);
  EXPECT_EQ(Run("ls").out, "p/1\nq\n");
  EXPECT_EQ(Run("clear p/ --yes").code, 0);
  EXPECT_EQ(Run("ls").out, "q\n");
}

TEST_F(CliTest, NoQuorumIsReportedWithWhoIsMissing) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Get", std::vector<Fault>(200, Fault::kNoQuorum));
  }
  const auto began = std::chrono::steady_clock::now();
  const Result result = Run("get x -");
  EXPECT_EQ(result.code, 15);
  EXPECT_NE(result.err.find("nothing was changed"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("n2, n3"), std::string::npos) << result.err;
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(5'500));
}

TEST_F(CliTest, UnknownOutcomeHasItsOwnCode) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Remove", std::vector<Fault>(200, Fault::kBreakBefore));
    node->Inject("Settle", std::vector<Fault>(200, Fault::kNotLeader));
  }
  EXPECT_EQ(Run("remove x --timeout=1s").code, 16);
}

TEST_F(CliTest, NobodyReachable) {
  a.Kill();
  b.Kill();
  const Result stat = Run("stat x");
  EXPECT_EQ(stat.code, 111);
  const Result status = Run("--json status");
  EXPECT_EQ(status.code, 111);
  ASSERT_EQ(status.Lines().size(), 1U);
  EXPECT_EQ(status.Lines()[0]["health"], "ERR");
  EXPECT_EQ(status.Lines()[0]["nodes"].size(), 2U);
  EXPECT_EQ(status.Lines()[0]["nodes"][0]["state"], "unreachable");
}

TEST_F(CliTest, StatusFailsIfTheHealthIsError) {
  EXPECT_EQ(Run("status").code, 0);
  a.Inject("Status", {Fault::kDamage});
  EXPECT_EQ(Run("report").code, 1);
}

// What the leader knows may be from before the node was replaced, or lost, that the user waits for.
TEST_F(CliTest, WaitingForRepairBelievesOnlyWhatWasLookedAtSince) {
  constexpr std::uint64_t kMinute = 60'000;
  const auto say = [](std::uint64_t incomplete, std::uint64_t waiting, std::uint64_t age_ms) {
    v1::RepairProgress progress;
    progress.set_chunks_incomplete(incomplete);
    progress.set_copies_missing(incomplete);
    progress.set_chunks_waiting(waiting);
    progress.set_age_ms(age_ms);
    return progress;
  };
  a.SayOfRepair({say(7, 7, kMinute), say(7, 7, kMinute), say(7, 7, kMinute), say(7, 0, 1), say(0, 0, 1)});
  EXPECT_EQ(Run("repair --wait").code, 0) << "all waited for a node; then they did not";
  a.SayOfRepair({say(0, 0, kMinute), say(0, 0, kMinute), say(0, 0, kMinute), say(7, 7, 1)});
  EXPECT_EQ(Run("repair --wait").code, 2) << "nothing was missing; then it was";
}

TEST_F(CliTest, LocalErrorsAreTold) {
  EXPECT_EQ(Run("put none").code, 74);
  EXPECT_EQ(Run("put .").code, 74);
  EXPECT_EQ(Run("put - x", "printf 1 |").code, 0);
  EXPECT_EQ(Run("get x no/such/folder/x").code, 74);
  EXPECT_EQ(Run("get none out").code, 12);
  EXPECT_FALSE(fs::exists(folder / "out"));
  EXPECT_EQ(PartialFiles(), 0);
}

TEST_F(CliTest, DamagedBytesLeaveTheOldFile) {
  EXPECT_EQ(Run("put - x", "printf 1 |").code, 0);
  WriteFile(folder / "x", "old");
  for (FakeNode* node : {&a, &b}) node->Inject("Get", std::vector<Fault>(5, Fault::kDamage));
  EXPECT_EQ(Run("get x").code, 65);
  EXPECT_EQ(ReadFile(folder / "x"), "old");
  EXPECT_EQ(PartialFiles(), 0);
}

TEST_F(CliTest, DevicesAreWrittenInPlace) {
  EXPECT_EQ(Run("put - x", "printf 1 |").code, 0);
  EXPECT_EQ(Run("get x /dev/null").code, 0);
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

// Feature 46.
TEST_F(CliTest, InterruptEndsWith130AndLeavesNoPartialFile) {
  EXPECT_EQ(Run("put - x", "head -c 3000000 /dev/zero |").code, 0);
  a.Inject("Get", {Fault::kHangMidway});
  WriteFile(folder / "script", DFS_CLI_PATH " get x & child=$!\n" + UntilOneIs(".*.partial") + "kill -INT $child; wait $child\n");
  const Result result = RunScript();
  EXPECT_EQ(result.code, 130) << result.err;
  EXPECT_NE(result.err.find("dfs-cli: interrupted\n"), std::string::npos) << "by its own hand: " << result.err;
  EXPECT_EQ(PartialFiles(), 0);
  EXPECT_FALSE(fs::exists(folder / "x"));
}

// The first names come early, in columns too; and nothing is asked for that nobody reads.
TEST_F(CliTest, LongListingIsPrintedAsItComes) {
  for (int i = 0; i < 7; ++i) StoreDirectly("f" + std::to_string(i));
  a.Inject("List", {Fault::kHangMidway});
  WriteFile(folder / "script", DFS_CLI_PATH " ls -l >rows & child=$!\n" + UntilOneIs("rows") + "kill -INT $child; wait $child\n");
  EXPECT_EQ(RunScript().code, 130);
  const std::string rows = ReadFile(folder / "rows");
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 3) << rows;
}

TEST_F(CliTest, ListingEndsWhenNobodyReadsIt) {
  for (int i = 10; i < 40; ++i) StoreDirectly("f" + std::to_string(i));
  EXPECT_EQ(Run("ls 'f*' >/dev/full; echo $?").out, "74\n");
  EXPECT_LE(a.calls("List") + b.calls("List"), 2);
}

TEST_F(CliTest, ListingEndsAtItsLimit) {
  for (int i = 10; i < 40; ++i) StoreDirectly("f" + std::to_string(i));
  const Result result = Run("ls --limit=6 --include='f1*' 'f*'");
  EXPECT_EQ(result.out, "f10\nf11\nf12\nf13\nf14\nf15\n");
  EXPECT_EQ(a.calls("List") + b.calls("List"), 2) << "three names a call";
}

TEST_F(CliTest, EveryFlagComesFromTheEnvironmentAndTheFlagWins) {
  EXPECT_EQ(Run("put - x", "printf 1 |").code, 0);
  EXPECT_EQ(Run("ls", "DFS_JSON=true").Lines().at(0)["name"], "x");
  EXPECT_EQ(Run("ls", "DFS_LONG=true DFS_HUMAN_READABLE=true").out.find("1  1  2023"), 0U);
  EXPECT_EQ(Run("stat x", "DFS_TIMEOUT=nonsense").code, 64);
  EXPECT_EQ(Run("stat x --timeout=3s", "DFS_TIMEOUT=nonsense").code, 0);
}

TEST_F(CliTest, BenchMeasuresAndCleansUp) {
  const Result result = Run("--json bench --size=4K --count=50 --concurrency=4");
  ASSERT_EQ(result.code, 0) << result.err;
  const auto lines = result.Lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["op"], "put");
  EXPECT_EQ(lines[1]["op"], "get");
  for (const char* field : {"size", "count", "concurrency", "seconds", "ops_per_s", "bytes_per_s",
                            "p50_ms", "p99_ms", "max_ms", "errors"}) {
    EXPECT_TRUE(lines[0].contains(field)) << field;
  }
  EXPECT_EQ(lines[0]["errors"], 0);
  EXPECT_EQ(lines[0]["replicas_durable_min"], 2);
  EXPECT_GT(lines[1]["p50_ms"].get<double>(), 0);
  EXPECT_EQ(Run("ls").out, "");
  a.Inject("Put", {Fault::kNoQuorum});
  EXPECT_EQ(Run("bench --count=3 --keep --op=put").code, 0);
  EXPECT_NE(Run("ls").out, "");
}

TEST_F(CliTest, ClosedPipeIsNoCrash) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Run("put - f" + std::to_string(i), "head -c 300000 /dev/zero |").code, 0);
  }
  const Result result = Run("get f0 - | head -c 1 | wc -c");
  EXPECT_EQ(result.out, "1\n");
}

TEST_F(CliTest, ConditionThatDoesNotHoldCostsNoTransfer) {
  WriteFile(folder / "x", std::string(9 << 20, 'a'));
  ASSERT_EQ(Run("put --if-absent x").code, 0);
  const int puts = a.calls("Put") + b.calls("Put");
  EXPECT_EQ(Run("put --if-absent x").code, 13);
  EXPECT_EQ(Run("put --if-version=7 x").code, 14);
  EXPECT_EQ(a.calls("Put") + b.calls("Put"), puts);
  EXPECT_EQ(Run("put --if-version=1 x").code, 0);
}

TEST_F(CliTest, FindPrintsWhatIsCalledSoAsLargeOrAsNew) {
  WriteFile(folder / "small", "x");
  WriteFile(folder / "large", std::string(20'000, 'y'));
  for (const char* put : {"small logs/a.log", "large logs/old/b.log", "large logs/b.txt", "small logs", "small 'we[i]rd/c.log'"}) {
    ASSERT_EQ(Run("put " + std::string(put)).code, 0);
  }
  EXPECT_EQ(Run("find").out, "logs\nlogs/a.log\nlogs/b.txt\nlogs/old/b.log\nwe[i]rd/c.log\n");
  EXPECT_EQ(Run("find logs").out, "logs\nlogs/a.log\nlogs/b.txt\nlogs/old/b.log\n") << "the file of this name, too";
  EXPECT_EQ(Run("find logs --name '*.log'").out, "logs/a.log\nlogs/old/b.log\n");
  EXPECT_EQ(Run("find 'we[i]rd/' --name '?.log'").out, "we[i]rd/c.log\n") << "a folder is no pattern";
  EXPECT_EQ(Run("find --name b.txt").out, "logs/b.txt\n");
  EXPECT_EQ(Run("find --size +10K").out, "logs/b.txt\nlogs/old/b.log\n");
  EXPECT_EQ(Run("find --size=-10K --name '*.log'").out, "logs/a.log\nwe[i]rd/c.log\n");
  EXPECT_EQ(Run("find --size 20000 logs/old").out, "logs/old/b.log\n");
  EXPECT_EQ(Run("find --newer 2001-02-03 --name a.log").out, "logs/a.log\n");
  EXPECT_EQ(Run("find --newer 2099-01-01T00:00:00Z").out, "");
  EXPECT_EQ(Run("find none").code, 0) << "nothing is an answer";
  EXPECT_EQ(Run("find logs/old --print0").out, std::string("logs/old/b.log\0", 15));
  EXPECT_EQ(Run("find --name '*.log' -0 | xargs -0 -n1 basename").out, "a.log\nb.log\nc.log\n");
  EXPECT_NE(Run("--json find logs/old").out.find("\"size\":20000"), std::string::npos);
  EXPECT_EQ(Run("find --name a/b").code, 64);
  EXPECT_EQ(Run("find --size many").code, 64);
  EXPECT_EQ(Run("find --newer yesterday").code, 64);
}

TEST_F(CliTest, RetriesAreAsManyAsAskedFor) {
  WriteFile(folder / "x", "x");
  a.Inject("Put", {Fault::kBreakUnstored});
  b.Inject("Put", {Fault::kBreakUnstored});
  const int before = a.calls("Put") + b.calls("Put");
  EXPECT_NE(Run("--retries=0 put x").code, 0);
  EXPECT_EQ(a.calls("Put") + b.calls("Put"), before + 1);
  EXPECT_EQ(Run("--retries=3 put x").code, 0);
  EXPECT_EQ(Run("--retries=many put x").code, 64);
}

// Feature 37.
TEST_F(CliTest, CacheIsReadAsLongAsTheVersionIsTheOneAskedFor) {
  const std::string cache = "XDG_CACHE_HOME=" + (folder / "cache").string();
  WriteFile(folder / "x", std::string(2'500'000, 'a'));
  ASSERT_EQ(Run("put x").code, 0);
  const Result first = Run("get --cache x y", cache);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.err.find("from the cache"), std::string::npos);
  const int gets = a.calls("Get") + b.calls("Get");
  fs::remove(folder / "y");
  const Result second = Run("get --cache x y", cache);
  EXPECT_NE(second.err.find("from the cache"), std::string::npos) << second.err;
  EXPECT_TRUE(ReadFile(folder / "y") == std::string(2'500'000, 'a'));
  EXPECT_EQ(a.calls("Get") + b.calls("Get"), gets) << "no bytes came from the cluster";
  EXPECT_TRUE(Run("get --cache x -", cache).out == std::string(2'500'000, 'a'));
  EXPECT_EQ(Run("--json get --cache x y", cache).Lines()[0]["from_cache"], true);
  // Another version is another file.
  WriteFile(folder / "x", "new");
  ASSERT_EQ(Run("put x").code, 0);
  EXPECT_EQ(Run("get --cache x -", cache).out, "new");
  EXPECT_EQ(Run("--json get --cache x y", cache).Lines()[0]["from_cache"], true);
  EXPECT_EQ(Run("get --cache --range=0-1 x -", cache).code, 64) << "whole files only";
}

// Feature 37.
TEST_F(CliTest, DamagedCacheIsNotBelieved) {
  const std::string cache = "XDG_CACHE_HOME=" + (folder / "cache").string();
  WriteFile(folder / "x", "content");
  ASSERT_EQ(Run("put x").code, 0);
  ASSERT_EQ(Run("get --cache x y", cache).code, 0);
  int damaged = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "cache")) {
    if (!entry.is_regular_file()) continue;
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
    WriteFile(entry.path(), "contenT");
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  const Result again = Run("--json get --cache x y", cache);
  EXPECT_EQ(again.Lines()[0]["from_cache"], false);
  EXPECT_EQ(ReadFile(folder / "y"), "content");
  EXPECT_EQ(Run("--json get --cache x y", cache).Lines()[0]["from_cache"], true) << "healed";
}

TEST_F(CliTest, CacheStaysWithinItsSize) {
  const std::string cache = "XDG_CACHE_HOME=" + (folder / "cache").string();
  for (const char* name : {"f1", "f2", "f3", "f4"}) {
    WriteFile(folder / name, std::string(1'000, 'a'));
    ASSERT_EQ(Run(std::string("put ") + name).code, 0);
    ASSERT_EQ(Run(std::string("get --cache --cache-size=2500 ") + name + " y", cache).code, 0);
  }
  std::uintmax_t total = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "cache")) {
    if (entry.is_regular_file()) total += entry.file_size();
  }
  EXPECT_EQ(total, 2'000U);
  EXPECT_EQ(Run("get --cache --cache-size=10 f1 -", cache).out, std::string(1'000, 'a')) << "too large for it";
}

// At a terminal.
class TerminalTest : public CliTest {
 protected:
  // Runs `dfs-cli ARGUMENTS` at a terminal of its own, and types `typed` once it asks.
  Result RunAtTerminal(const std::string& arguments, const std::string& typed,
                       const std::string& when = "[y/N]") const {
    const std::string command = "cd " + folder.string() + " && TERM=dumb XDG_STATE_HOME=" + folder.string() +
                                " DFS_ENDPOINTS=" + a.address() +
                                " exec " DFS_CLI_PATH " " + arguments;
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    Result result;
    bool has_typed = false;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(terminal, buffer, sizeof(buffer))) > 0;) {
      result.out.append(buffer, static_cast<std::size_t>(got));
      if (has_typed || result.out.find(when) == std::string::npos) continue;
      has_typed = ::write(terminal, typed.data(), typed.size()) == static_cast<ssize_t>(typed.size());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(terminal);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
  }
};

// Feature 35.
TEST_F(TerminalTest, AsksBeforeItReplacesWhatAnotherClientWroteJustNow) {
  WriteFile(folder / "x", "ann's");
  ASSERT_EQ(Run("--writer=ann put x").code, 0);
  WriteFile(folder / "x", "bob's");
  const Result refused = RunAtTerminal("--writer=bob put x", "\n");
  EXPECT_EQ(refused.code, 13) << refused.out;
  EXPECT_NE(refused.out.find("ann wrote version 1"), std::string::npos) << refused.out;
  EXPECT_EQ(Run("get x -").out, "ann's");
  const Result accepted = RunAtTerminal("--writer=bob put x", "y\n");
  EXPECT_EQ(accepted.code, 0) << accepted.out;
  EXPECT_EQ(Run("get x -").out, "bob's");
  EXPECT_EQ(RunAtTerminal("--writer=bob put x", "").code, 0) << "one's own: no question";
  EXPECT_EQ(RunAtTerminal("--writer=ann put --force x", "").code, 0) << "no question";
}

// No answer within 30 s is a no.
// Feature 35.
TEST_F(TerminalTest, DoesNotWaitForAnAnswerForEver) {
  if (std::getenv("DFS_TEST_NIGHTLY") == nullptr) GTEST_SKIP() << "takes half a minute: nightly";
  WriteFile(folder / "x", "ann's");
  ASSERT_EQ(Run("--writer=ann put x").code, 0);
  WriteFile(folder / "x", "bob's");
  const auto began = std::chrono::steady_clock::now();
  const Result refused = RunAtTerminal("--writer=bob put x", "");
  EXPECT_EQ(refused.code, 13) << refused.out;
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::seconds(29));
  EXPECT_EQ(Run("get x -").out, "ann's");
}

// Feature 14.
TEST_F(CliTest, ShellRunsLinesFromStandardInputAndStopsAtTheFirstThatFails) {
  WriteFile(folder / "x", "1");
  const auto all = Run("shell", "printf 'put x\\n# a comment\\n\\nput x \"a b\"\\nls\\n' |");
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_NE(all.out.find("a b\nx\n"), std::string::npos) << all.out;
  const auto stopped = Run("shell", "printf 'stat missing\\nput x late\\n' |");
  EXPECT_EQ(stopped.code, 12);
  EXPECT_EQ(Run("stat late").code, 12) << "nothing runs behind a failure";
  const auto goes_on = Run("shell --keep-going", "printf 'stat missing\\nput x late\\n' |");
  EXPECT_EQ(goes_on.code, 12) << "and says so in the end";
  EXPECT_EQ(Run("stat late").code, 0);
  const auto json = Run("--json shell", "printf 'ls\\n' |");
  EXPECT_EQ(json.Lines().at(0)["status"], "success") << "its own flags are those of every line";
  for (const std::string wrong : {"nonsense", "put", "stat 'open", "shell"}) {
    WriteFile(folder / "script", wrong + "\n");
    EXPECT_EQ(Run("shell <script").code, 64) << wrong;
  }
  EXPECT_EQ(Run("shell", "printf 'exit\\nnonsense\\n' |").code, 0);
}

// Feature 14.
TEST_F(TerminalTest, ShellAtATerminalCompletesAndRemembers) {
  WriteFile(folder / "x", "1");
  ASSERT_EQ(Run("put x reports/2026").code, 0);
  const auto first = RunAtTerminal("shell", "sta\t\t rep\t\nexit\n", "dfs> ");
  EXPECT_EQ(first.code, 0) << first.out;
  EXPECT_NE(first.out.find("stat\r\nstatus"), std::string::npos) << "two verbs begin so: " << first.out;
  EXPECT_NE(first.out.find("crc32c"), std::string::npos) << "the answer of stat reports/2026: " << first.out;
  EXPECT_NE(ReadFile(folder / "dfs" / "history").find("stat"), std::string::npos);
  struct stat status = {};
  ASSERT_EQ(::stat((folder / "dfs" / "history").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077, 0u) << "nobody else's to read";
  const auto again = RunAtTerminal("shell", "\x10\x10\nexit\n", "dfs> ");  // twice ^P: behind exit lies stat
  EXPECT_NE(again.out.find("crc32c"), std::string::npos) << again.out;
}

TEST_F(CliTest, FlagsComeFromTheLineElseTheEnvironmentElseTheFile) {
  WriteFile(folder / "conf", "timeout = 11s\nbucket = from-file\n[bench]\ncount = 7\nsize = 1K\n");
  const auto shown = Run("config show --json --config=conf", "DFS_BUCKET=from-environment DFS_SIZE=2K");
  ASSERT_EQ(shown.code, 0) << shown.err;
  std::map<std::string, std::string> said;
  for (const Json& line : shown.Lines()) {
    said[line["verb"].get<std::string>() + line["flag"].get<std::string>()] =
        line["value"].get<std::string>() + " " + line["origin"].get<std::string>();
  }
  EXPECT_EQ(said["--timeout"], "11s file");
  EXPECT_EQ(said["--bucket"], "from-environment environment");
  EXPECT_EQ(said["bench--count"], "7 file");
  EXPECT_EQ(said["bench--size"], "2K environment");
  EXPECT_EQ(said["--quiet"], " default");
  EXPECT_EQ(said["--json"], "true flag");
  EXPECT_EQ(said.count("bench--op"), 0u) << "nobody said anything of it";
  const auto bench = Run("bench --config conf --op=put --count=3 --json");
  ASSERT_EQ(bench.code, 0) << bench.err;
  EXPECT_EQ(bench.Lines().at(0)["count"], 3) << "the line";
  EXPECT_EQ(bench.Lines().at(0)["size"], 1'024) << "the file";
  EXPECT_NE(Run("config show --origin --config=conf").out.find("file conf"), std::string::npos);
  fs::create_directories(folder / "home" / "dfs");
  WriteFile(folder / "home" / "dfs" / "config", "json = true\n");
  EXPECT_EQ(Run("version", "XDG_CONFIG_HOME=" + (folder / "home").string()).Lines().at(0)["status"], "success");
  for (const std::string wrong : {"nonsense = 1\n", "[nonsense]\ncount = 1\n", "count = 1\n", "[bench]\nendpoints = a:1\n"}) {
    WriteFile(folder / "conf", wrong);
    EXPECT_EQ(Run("ls --config=conf").code, 64) << wrong;
  }
  EXPECT_EQ(Run("ls --config=not-there").code, 64);
}

TEST_F(CliTest, CertMakesWhatTlsNeedsAndOverwritesNothing) {
  const auto init = Run("cert init --dir=c --cluster=prod --json");
  ASSERT_EQ(init.code, 0) << init.err;
  EXPECT_EQ(init.Lines().at(0)["cluster"], "prod");
  EXPECT_EQ(Run("cert init --dir=c").code, 13);
  const auto issued = Run("cert issue n1 --node --dir=c --address=10.0.0.1,host.example --days=7 --json");
  ASSERT_EQ(issued.code, 0) << issued.err;
  const Json line = issued.Lines().at(0);
  EXPECT_EQ(line["role"], "node");
  EXPECT_EQ(line["cluster"], "prod");
  EXPECT_EQ(line["addresses"].size(), 2u);
  EXPECT_EQ(Run("cert issue n1 --client --dir=c").code, 13) << "there is one";
  EXPECT_EQ(Run("cert show c/n1.crt --json").Lines().at(0), line);
  for (const std::string wrong : {"cert", "cert revoke n1", "cert issue --node --dir=c", "cert issue n2 --dir=c",
                                  "cert issue n2 --node --client --dir=c", "cert issue ../n2 --node --dir=c",
                                  "cert issue n2 --node --dir=c --address=a/b", "cert issue n2 --node --dir=c --days=0"}) {
    EXPECT_EQ(Run(wrong).code, 64) << wrong;
  }
  EXPECT_EQ(Run("cert issue n2 --node --dir=nowhere").code, 12);
  EXPECT_EQ(Run("cert init --dir=d", "DFS_TLS_CERT=not-there-yet").code, 0) << "it asks nobody";
}

TEST_F(CliTest, TlsWithAServerInPlaintextSaysWhatToDo) {
  ASSERT_EQ(Run("cert init --dir=c && " DFS_CLI_PATH " cert issue me --client --dir=c").code, 0);
  const auto result = Run("ls --tls-cert=c/me.crt --tls-key=c/me.key --tls-ca=c/ca.crt");
  EXPECT_EQ(result.code, 77) << result.err;
  EXPECT_NE(result.err.find("does not speak TLS"), std::string::npos) << result.err;
  EXPECT_EQ(Run("ls").code, 0) << "which was not harmed";
}

}  // namespace
}  // namespace dfs::client
