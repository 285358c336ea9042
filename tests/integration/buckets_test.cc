// Buckets of one to five replicas, versions, conditions, quota and mv, with five real nodes in three zones, mostly through
// dfs-cli.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proto/wire_status.h"
#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using nlohmann::json;

constexpr int kNotFound = 12;
constexpr int kConflict = 13;
constexpr int kPrecondition = 14;
constexpr int kNoQuorum = 15;
constexpr int kUsage = 64;
constexpr int kTryAgain = 75;
constexpr int kNodes = 5;

class Buckets : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ProcessCluster::Options options;
    options.zone = ZoneOf;
    cluster_ = std::make_unique<ProcessCluster>(std::move(options));
    ASSERT_OK(cluster_->Up(kNodes));
  }
  static void TearDownTestSuite() { cluster_.reset(); }
  static ProcessCluster& cluster() { return *cluster_; }

  static CommandResult Run(const std::vector<std::string>& arguments, std::string_view in = {}) {
    return cluster().Cli(arguments, in);
  }
  static int Code(const std::vector<std::string>& arguments, std::string_view in = {}) {
    const auto result = Run(arguments, in);
    if (result.exit_code != 0) last_error_ = result.err;
    return result.exit_code;
  }
  static std::vector<json> Json(std::vector<std::string> arguments, std::string_view in = {}) {
    arguments.insert(arguments.begin(), "--json");
    const auto result = Run(arguments, in);
    EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
    std::vector<json> out;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      out.push_back(json::parse(line, nullptr, /*allow_exceptions=*/false));
      EXPECT_FALSE(out.back().is_discarded()) << line;
    }
    return out;
  }
  static std::uint64_t PutVersion(const std::string& bucket, const std::string& name,
                                  std::string_view content) {
    const auto put = Json({"--bucket=" + bucket, "put", "-", name}, content);
    return put.empty() ? 0 : put[0].value("version", std::uint64_t{0});
  }
  // The names of nodes that locate tells in state ok.
  static std::set<std::string> NodesOf(const std::string& bucket, const std::string& name) {
    std::set<std::string> nodes;
    for (const auto& row : Json({"--bucket=" + bucket, "locate", name})) {
      if (row["state"] == "ok") nodes.insert(row["node"].get<std::string>());
    }
    return nodes;
  }
  static int NumberOf(const std::string& node) { return std::stoi(node.substr(1)); }
  // Two, two and one.
  static std::string ZoneOf(int n) { return "zone-" + std::to_string((n + 1) / 2); }

  static inline std::string last_error_;

 private:
  static inline std::unique_ptr<ProcessCluster> cluster_;
};

// Feature 20.
TEST_F(Buckets, AreMadeListedAndRemoved) {
  EXPECT_EQ(Code({"mb", "first"}), 0);
  EXPECT_EQ(Code({"mb", "first"}), kConflict);
  EXPECT_EQ(Code({"mb", "Not_A_Name"}), kUsage);
  EXPECT_EQ(Code({"mb", "--replicas=8", "x"}), kUsage);
  EXPECT_EQ(Code({"mb", "--mode=gossip", "--replicas=3", "x"}), kUsage);
  EXPECT_THAT(last_error_, HasSubstr("no other options"));
  EXPECT_EQ(Code({"mb", "--write-quorum=1", "--read-quorum=2", "x"}), kUsage);
  EXPECT_THAT(last_error_, HasSubstr("could miss the last put"));
  EXPECT_EQ(Code({"mb", "--write-quorum=1", "--read-quorum=2", "--allow-no-overlap", "loose"}), 0);
  EXPECT_EQ(Code({"--bucket=none", "put", "-", "a"}, "x"), kNotFound);
  EXPECT_EQ(Code({"--bucket=none", "ls"}), kNotFound);

  PutVersion("first", "same", "in first");
  PutVersion("default", "same", "in default");
  EXPECT_EQ(Run({"--bucket=first", "get", "same", "-"}).out, "in first");
  EXPECT_EQ(Run({"get", "same", "-"}).out, "in default");
  const auto listed = Json({"buckets"});
  ASSERT_THAT(listed, SizeIs(3));
  EXPECT_EQ(listed[1]["bucket"], "first");
  EXPECT_EQ(listed[1]["files"], 1);
  EXPECT_EQ(listed[1]["bytes"], 8);
  EXPECT_EQ(Code({"rb", "first"}), kConflict);
  EXPECT_THAT(last_error_, HasSubstr("dfs-cli --bucket=first clear"));
  EXPECT_EQ(Code({"--bucket=first", "clear", "--yes"}), 0);
  EXPECT_EQ(Code({"rb", "first"}), 0);
  EXPECT_EQ(Code({"rb", "first"}), kNotFound);
  EXPECT_EQ(Code({"rb", "default"}), kUsage);
  EXPECT_EQ(Code({"--bucket=first", "get", "same", "-"}), kNotFound);
  EXPECT_EQ(Run({"get", "same", "-"}).out, "in default");
}

// What was made through one node is there for a put through any other at once, though its own state may lag.
TEST_F(Buckets, MadeAtOneNodeIsKnownAtEveryOther) {
  for (int round = 0; round < 4; ++round) {
    const std::string bucket = "round-" + std::to_string(round);
    client::FileClient maker({cluster().EndpointOf(1 + round)});
    ASSERT_OK(maker.MakeBucket(bucket).status());
    for (int n = 1; n <= kNodes; ++n) {
      auto messages = HonestPut("a" + std::to_string(n), "content", {});
      const auto id = NewRequestId(cluster().ClientChannel(n));
      ASSERT_OK(id.status());
      messages[0].mutable_header()->set_bucket(bucket);
      *messages[0].mutable_header()->mutable_request_id() = *id;
      EXPECT_OK(SendPut(cluster().ClientChannel(n), messages).status());
    }
  }
}

TEST_F(Buckets, ConditionsAreTheCallersToChoose) {
  EXPECT_EQ(Code({"put", "--if-absent", "-", "cond"}, "1"), 0);
  EXPECT_EQ(Code({"put", "--if-absent", "-", "cond"}, "2"), kConflict);
  const std::uint64_t version = Json({"stat", "cond"})[0]["version"];
  const std::string right = "--if-version=" + std::to_string(version);
  const std::string wrong = "--if-version=" + std::to_string(version + 1);
  EXPECT_EQ(Code({"put", wrong, "-", "cond"}, "2"), kPrecondition);
  EXPECT_EQ(Code({"remove", wrong, "cond"}), kPrecondition);
  EXPECT_EQ(Code({"mv", wrong, "cond", "cond2"}), kPrecondition);
  EXPECT_EQ(Run({"get", "cond", "-"}).out, "1") << "nothing changed";
  EXPECT_EQ(Code({"put", right, "-", "cond"}, "2"), 0);
  EXPECT_EQ(Code({"remove", right, "cond"}), kPrecondition) << "that was the version before";
  EXPECT_EQ(Code({"put", "--if-absent", right, "-", "cond"}, "2"), kUsage);
}

// Feature 11.
TEST_F(Buckets, FilesAreRenamedInOneStep) {
  const std::uint64_t before = PutVersion("default", "dir/a", "moved");
  const auto moved = Json({"mv", "dir/a", "other/b"});
  ASSERT_THAT(moved, SizeIs(1));
  EXPECT_GT(moved[0]["version"], before);
  EXPECT_EQ(Code({"stat", "dir/a"}), kNotFound);
  for (int n = 1; n <= kNodes; ++n) {
    const auto got = GetAt(cluster().ClientChannel(n), "other/b");
    ASSERT_OK(got.status());
    EXPECT_EQ(*got, "moved") << n;
  }
  PutVersion("default", "other/c", "replaced");
  EXPECT_EQ(Code({"mv", "--if-absent", "other/b", "other/c"}), kConflict);
  EXPECT_EQ(Code({"mv", "other/b", "other/c"}), 0);
  EXPECT_EQ(Run({"get", "other/c", "-"}).out, "moved");
  EXPECT_EQ(Code({"undelete", "--replace", "other/c"}), 0) << "what it replaced is in the trash";
  EXPECT_EQ(Run({"get", "other/c", "-"}).out, "replaced");
  EXPECT_EQ(Code({"mv", "no/such", "x"}), kNotFound);
  EXPECT_EQ(Code({"mv", "other/c", "other/c"}), kUsage);
}

// Feature 36.
TEST_F(Buckets, OlderVersionsAreReadUntilTheBucketKeepsNoMore) {
  ASSERT_EQ(Code({"mb", "--versions=3", "kept"}), 0);
  std::vector<std::uint64_t> versions;
  for (const char* content : {"one", "two", "three", "four"}) {
    versions.push_back(PutVersion("kept", "doc", content));
  }
  const auto get = [](std::uint64_t version) {
    return Run({"--bucket=kept", "get", "--version=" + std::to_string(version), "doc", "-"});
  };
  EXPECT_EQ(get(versions[0]).exit_code, kNotFound);
  EXPECT_EQ(get(versions[1]).out, "two");
  EXPECT_EQ(get(versions[2]).out, "three");
  EXPECT_EQ(get(versions[3]).out, "four");
  PutVersion("kept", "doc2", "x");
  std::vector<std::uint64_t> listed;
  for (const auto& row : Json({"--bucket=kept", "ls", "--versions"})) listed.push_back(row["version"]);
  EXPECT_THAT(listed, ElementsAre(versions[3], versions[2], versions[1], versions.back() + 1));
  EXPECT_THAT(Json({"--bucket=kept", "ls"}), SizeIs(2));
  const auto old = Json({"--bucket=kept", "stat", "--version=" + std::to_string(versions[1]), "doc"});
  EXPECT_EQ(old[0]["old"], true);
  // The hybrid clock of each version.
  std::vector<std::uint64_t> times;
  for (const std::size_t i : {1U, 2U, 3U}) {
    const auto stat = Json({"--bucket=kept", "stat", "--version=" + std::to_string(versions[i]), "doc"});
    times.push_back(stat[0].value("time_us", std::uint64_t{0}));
  }
  EXPECT_GT(times[0], 0u);
  EXPECT_LT(times[0], times[1]);
  EXPECT_LT(times[1], times[2]);
  EXPECT_THAT(Run({"--bucket=kept", "stat", "doc"}).out, HasSubstr(std::to_string(times[2]) + " (hybrid logical, us)"));
  EXPECT_LT(old[0]["commit_index"], Json({"--bucket=kept", "stat", "doc"})[0]["commit_index"]);
  EXPECT_EQ(Code({"--bucket=kept", "remove", "--version=" + std::to_string(versions[2]), "doc"}), 0);
  EXPECT_EQ(get(versions[2]).exit_code, kNotFound);
  EXPECT_EQ(Code({"--bucket=kept", "remove", "--version=" + std::to_string(versions[3]), "doc"}),
            kPrecondition);
  EXPECT_EQ(Code({"--bucket=kept", "remove", "doc"}), 0);
  EXPECT_EQ(get(versions[1]).exit_code, kNotFound);
}

// Feature 6.
TEST_F(Buckets, LsHereNamesAFileAtTheNodesThatHoldItOnly) {
  ASSERT_EQ(Code({"mb", "--replicas=1", "lonely"}), 0);
  PutVersion("lonely", "held/once", MakeBytes(3, 400'000));
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  const auto holders = NodesOf("lonely", "held/once");
  ASSERT_THAT(holders, SizeIs(1));
  for (int n = 1; n <= kNodes; ++n) {
    const std::string node = "n" + std::to_string(n);
    int rows = 0;
    for (const auto& row : Json({"lshere", "--node=" + node})) rows += row["name"] == "held/once" ? 1 : 0;
    EXPECT_EQ(rows, holders.contains(node) ? 1 : 0) << node;
  }
}

// Feature 19.
TEST_F(Buckets, CopiesAreInDistinctZonesWhileThereAreZones) {
  ASSERT_EQ(Code({"mb", "spread"}), 0);
  constexpr int kFiles = 12;
  for (int i = 0; i < kFiles; ++i) PutVersion("spread", "file/" + std::to_string(i), MakeBytes(4, 300'000));
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  std::set<std::string> used;
  for (int i = 0; i < kFiles; ++i) {
    const auto rows = Json({"--bucket=spread", "locate", "file/" + std::to_string(i)});
    std::set<std::string> zones;
    for (const auto& row : rows) {
      EXPECT_EQ(row["zone"], ZoneOf(NumberOf(row["node"]))) << row;
      zones.insert(row["zone"].get<std::string>());
      used.insert(row["node"].get<std::string>());
    }
    EXPECT_THAT(rows, SizeIs(3));
    EXPECT_THAT(zones, SizeIs(3)) << i;
  }
  EXPECT_GT(used.size(), 3U) << "zones of two nodes have one copy of each file, but not always on the same node";
  Proved("each of " + std::to_string(kFiles) + " files had its three copies in three zones, of two, two and one real nodes (feature 19)");
}

TEST_F(Buckets, QuotaIsAClearError) {
  ASSERT_EQ(Code({"mb", "--quota-bytes=10", "--quota-files=2", "small"}), 0);
  PutVersion("small", "a", "12345");
  EXPECT_EQ(Code({"--bucket=small", "put", "-", "b"}, "123456"), kTryAgain);
  EXPECT_THAT(last_error_, HasSubstr("may hold 10 bytes, and holds 5; this needs 6 more"));
  EXPECT_EQ(Code({"--bucket=small", "put", "-", "b"}, "12345"), 0);
  EXPECT_EQ(Code({"--bucket=small", "put", "-", "c"}, ""), kTryAgain);
  EXPECT_THAT(last_error_, HasSubstr("may hold 2 files"));
  EXPECT_EQ(Code({"--bucket=small", "remove", "a"}), 0);
  EXPECT_EQ(Code({"--bucket=small", "put", "-", "c"}, ""), 0);
}

// Without a terminal.
// Feature 35.
TEST_F(Buckets, WhatAnotherClientJustWroteIsNotOverwrittenUnasked) {
  EXPECT_EQ(Code({"--writer=ann@x", "put", "-", "both"}, "ann"), 0);
  EXPECT_EQ(Code({"--writer=ann@x", "put", "-", "both"}, "ann again"), 0);
  EXPECT_EQ(Code({"--writer=bob@y", "put", "-", "both"}, "bob"), kConflict);
  EXPECT_THAT(last_error_, HasSubstr("ann@x wrote version"));
  EXPECT_THAT(last_error_, HasSubstr("--force"));
  EXPECT_EQ(Run({"get", "both", "-"}).out, "ann again");
  const std::uint64_t version = Json({"stat", "both"})[0]["version"];
  EXPECT_EQ(Code({"--writer=bob@y", "put", "--if-version=" + std::to_string(version), "-", "both"},
                 "bob"),
            0);
  EXPECT_EQ(Code({"--writer=ann@x", "put", "--force", "-", "both"}, "ann"), 0);
  // Programs are asked only where the bucket says so.
  ASSERT_OK(PutAt(cluster().ClientChannel(1), "both", "program").status());
  ASSERT_EQ(Code({"mb", "--conflict-window=1h", "careful"}), 0);
  client::FileClientOptions ann;
  ann.bucket = "careful";
  ann.writer = "ann";
  client::FileClient ann_client(cluster().Endpoints(), ann);
  client::FileClientOptions bob = ann;
  bob.writer = "bob";
  client::FileClient bob_client(cluster().Endpoints(), bob);
  ASSERT_OK(Put(ann_client, "a", "1"));
  const absl::Status refused = Put(bob_client, "a", "2");
  EXPECT_TRUE(absl::IsAborted(refused)) << refused.ToString();
  EXPECT_EQ(OutcomeOf(refused), v1::ErrorDetail::NOTHING_CHANGED);
  ASSERT_EQ(Code({"mb", "--conflict-window=0", "careless"}), 0);
  EXPECT_EQ(Code({"--bucket=careless", "--writer=ann@x", "put", "-", "a"}, "1"), 0);
  EXPECT_EQ(Code({"--bucket=careless", "--writer=bob@y", "put", "-", "a"}, "1"), 0);
}

// Last: it kills nodes.
// Feature 32.
TEST_F(Buckets, ReplicasAndQuorumsAreTheBuckets) {
  ASSERT_OK(cluster().WaitUntil(1, "five voters", [](const v1::StatusResponse& status) {
    return std::count_if(status.nodes().begin(), status.nodes().end(), [](const auto& node) {
             return node.role() != "learner";
           }) == kNodes;
  }));
  ASSERT_EQ(Code({"mb", "--replicas=5", "--write-quorum=3", "--read-quorum=3", "wide"}), 0);
  ASSERT_EQ(Code({"mb", "--replicas=1", "single"}), 0);
  ASSERT_EQ(Code({"mb", "--replicas=2", "pair"}), 0);
  const std::string large = MakeBytes(1, 700'000);  // no small chunk
  for (const char* bucket : {"wide", "single", "pair"}) {
    PutVersion(bucket, "small", "content");
    PutVersion(bucket, "large", large);
    PutVersion(bucket, "empty", "");
  }
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  EXPECT_THAT(NodesOf("wide", "large"), SizeIs(5));
  EXPECT_THAT(NodesOf("pair", "large"), SizeIs(2));
  const auto holders = NodesOf("single", "large");
  ASSERT_THAT(holders, SizeIs(1));
  EXPECT_EQ(Json({"--bucket=wide", "stat", "small"})[0]["health"], "5/5");
  EXPECT_EQ(Json({"--bucket=single", "stat", "small"})[0]["health"], "1/1");

  // The one node that has it all: files of one copy are lost to readers without it, those of five are not.
  const int holder = NumberOf(*holders.begin());
  const auto endangered = Run({"ok-to-stop", "n" + std::to_string(holder)});
  EXPECT_EQ(endangered.exit_code, kPrecondition);
  EXPECT_THAT(endangered.out + endangered.err, HasSubstr("large"));
  cluster().Kill(holder);
  std::vector<int> rest;
  for (int n = 1; n <= kNodes; ++n) {
    if (n != holder) rest.push_back(n);
  }
  ASSERT_OK(cluster().WaitReady(rest));
  EXPECT_EQ(Code({"--bucket=single", "get", "--timeout=10s", "large", "-"}), kNoQuorum);
  EXPECT_TRUE(Run({"--bucket=wide", "get", "large", "-"}).out == large);
  EXPECT_GT(PutVersion("single", "new", "content"), 0u) << "it goes to a node that lives";

  // Three of five are enough for the bucket and for the log; two are not.
  cluster().Kill(rest[0]);
  const std::vector<int> three(rest.begin() + 1, rest.end());
  ASSERT_OK(cluster().WaitReady(three));
  EXPECT_GT(PutVersion("wide", "three", "content"), 0u);
  EXPECT_EQ(Run({"--bucket=wide", "get", "three", "-"}).out, "content");
  EXPECT_TRUE(Run({"--bucket=wide", "get", "large", "-"}).out == large);
  cluster().Kill(three[0]);
  EXPECT_EQ(Code({"--bucket=wide", "get", "large", "-"}), kNoQuorum);
  const auto stale = GetAt(cluster().ClientChannel(three[1]), [&] {
    v1::GetRequest request;
    request.set_bucket("wide");
    request.set_name("large");
    request.set_consistency(v1::EVENTUAL);
    return request;
  }());
  ASSERT_OK(stale.status());
  EXPECT_TRUE(*stale == large);
  cluster().Start(holder);
  ASSERT_OK(cluster().WaitReady({holder, three[1], three[2]}));
  EXPECT_TRUE(Run({"--bucket=single", "get", "large", "-"}).out == large);
  EXPECT_TRUE(Run({"--bucket=wide", "get", "large", "-"}).out == large);
  Proved("buckets of 1, 2 and 5 replicas kept their quorums while three of five nodes were killed (feature 19)");
}

}  // namespace
}  // namespace dfs::testing
