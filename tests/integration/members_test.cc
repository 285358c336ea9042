// Nodes that join, come back empty, come back as somebody else, or just stand there.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/leader.grpc.pb.h"
#include "proto/wire_status.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/http_client.h"

namespace dfs::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::map<std::string, v1::NodeStatus> AliveByName(const v1::StatusResponse& status) {
  std::map<std::string, v1::NodeStatus> out;
  for (const auto& node : status.nodes()) {
    if (node.state() == "alive") out[node.name()] = node;
  }
  return out;
}

class Members : public ::testing::Test {
 protected:
  // Asks node `n` to let somebody in.
  absl::StatusOr<rpc::JoinResponse> Join(int n, const rpc::JoinRequest& request) {
    const auto leader = rpc::Leader::NewStub(cluster_.PeerChannel(n));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + absl::Seconds(10)));
    rpc::JoinResponse response;
    if (const auto status = leader->Join(&context, request, &response); !status.ok()) {
      return FromGrpc(status);
    }
    return response;
  }
  // A request as a fresh data directory makes it; nothing listens at its addresses.
  static rpc::JoinRequest JoinOf(const std::string& name) {
    rpc::JoinRequest request;
    request.mutable_storage_uuid()->set_high(SystemRandom64());
    request.mutable_storage_uuid()->set_low(SystemRandom64());
    request.set_name(name);
    request.set_zone("nowhere");
    request.set_client_address("127.0.0.1:2");
    request.set_peer_address("127.0.0.1:1");
    request.set_boot_epoch(1);
    return request;
  }
  rpc::Hash128 ClusterIdOf(const v1::StatusResponse& status) {
    const auto id = ParseUuid<ClusterId>(status.cluster_id());
    EXPECT_TRUE(id.has_value());
    return ToWire(id.value_or(ClusterId()));
  }

  ProcessCluster cluster_;
};

// Files put while there were fewer members reach 3 copies.
// Feature 26.
TEST_F(Members, ClusterGrowsFromOneToThreeAndFilesFollow) {
  std::vector<std::string> names;
  const std::vector<std::uint64_t> sizes = {0, 1, 5'000, 400'000, 3 * kMiB};
  for (int members = 1; members <= 3; ++members) {
    ASSERT_OK(cluster_.Up(members));
    client::FileClient client(cluster_.Endpoints());
    for (const std::uint64_t size : sizes) {
      names.push_back("grown/" + std::to_string(members) + "/" + std::to_string(size));
      SeededSource source(size, size);
      const auto put = client.Put(names.back(), source);
      ASSERT_OK(put.status());
      EXPECT_GE(put->replicas(), static_cast<std::uint32_t>(std::min(members, 2)));
    }
  }
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  client::FileClient client(cluster_.Endpoints());
  for (const auto& name : names) {
    const std::uint64_t size = std::stoull(name.substr(name.rfind('/') + 1));
    ASSERT_OK(CheckCopies(cluster_, client, {1, 2, 3}, name, FingerprintOfSeeded(size, size)));
  }
  ASSERT_OK(cluster_.WaitUntil(1, "three voters", [](const v1::StatusResponse& status) {
    int voters = 0;
    for (const auto& node : status.nodes()) voters += node.role() == "learner" ? 0 : 1;
    return status.nodes_size() == 3 && voters == 3;
  }));
  Proved("a cluster grown from 1 to 2 to 3 nodes: files put before have 3 verified copies");
}

// Features 18, 23.
TEST_F(Members, MoreThanThreeNodesWork) {
  ASSERT_OK(cluster_.Up(3));
  ASSERT_EQ(cluster_.Cli({"mb", "--replicas=all", "everywhere"}).exit_code, 0);
  const std::string everywhere = MakeBytes(2, 700'000);
  ASSERT_EQ(cluster_.Cli({"--bucket=everywhere", "put", "-", "file"}, everywhere).exit_code, 0);
  ASSERT_OK(cluster_.Up(5));
  client::FileClient client(cluster_.Endpoints());
  for (int i = 0; i < 20; ++i) ASSERT_OK(Put(client, "five/" + std::to_string(i), MakeBytes(1, 500'000)));
  ASSERT_OK(cluster_.WaitFullyReplicated(5));
  std::set<std::string> used;
  for (int i = 0; i < 20; ++i) {
    const auto where = client.Locate("five/" + std::to_string(i));
    ASSERT_OK(where.status());
    std::set<std::string> nodes;
    for (const auto& row : where->locations()) nodes.insert(row.node());
    EXPECT_EQ(nodes.size(), 3U);
    used.insert(nodes.begin(), nodes.end());
  }
  EXPECT_GT(used.size(), 3U) << "placement uses more than three of five nodes";
  // Each node serves also what it does not hold.
  for (int n = 1; n <= 5; ++n) {
    const auto got = GetAt(cluster_.ClientChannel(n), "five/0");
    ASSERT_OK(got.status());
    EXPECT_TRUE(*got == MakeBytes(1, 500'000)) << "n" << n;
  }
  // The copies on nodes 4 and 5 were made when they joined: any one node would do for a reader now.
  const auto located = cluster_.Cli({"--bucket=everywhere", "--json", "locate", "file"});
  for (int n = 1; n <= 5; ++n) {
    EXPECT_THAT(located.out, ::testing::HasSubstr("\"node\":\"n" + std::to_string(n) + "\"")) << located.out;
  }
  EXPECT_THAT(located.out, ::testing::Not(::testing::HasSubstr("missing")));
  EXPECT_TRUE(cluster_.Cli({"--bucket=everywhere", "get", "file", "-"}).out == everywhere);
  Proved("feature 18: a file of a bucket with a copy on every member got one on each of two nodes that joined later");
}

// Rule R1: a wiped disk is a new node.
TEST_F(Members, WipedNodeJoinsUnderANewIdByItself) {
  ASSERT_OK(cluster_.Up(3));
  client::FileClient client(cluster_.Endpoints());
  ASSERT_OK(Put(client, "before-wipe", MakeBytes(1, 2'000'000)));
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  const auto before = cluster_.Status(1);
  ASSERT_OK(before.status());
  const v1::NodeStatus old_node = AliveByName(*before)["n3"];
  cluster_.Kill(3);
  cluster_.Wipe(3);
  cluster_.Start(3);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  const auto after = cluster_.Status(1);
  ASSERT_OK(after.status());
  const v1::NodeStatus new_node = AliveByName(*after)["n3"];
  EXPECT_GT(new_node.node_id(), old_node.node_id());
  EXPECT_NE(new_node.storage_uuid(), old_node.storage_uuid());
  const auto got = Get(client, "before-wipe");
  ASSERT_OK(got.status());
  EXPECT_TRUE(*got == MakeBytes(1, 2'000'000));
  ASSERT_OK(Put(client, "after-wipe", MakeBytes(2, 2'000'000)));
  const auto at_new = GetAt(cluster_.ClientChannel(3), "after-wipe");
  ASSERT_OK(at_new.status());
  EXPECT_TRUE(*at_new == MakeBytes(2, 2'000'000));
  Proved("a wiped node joins by itself under a new id");
}

// Also node 1, which formed the cluster: a wiped one must not form a second cluster.
TEST_F(Members, WipedFirstNodeDoesNotFormASecondCluster) {
  ASSERT_OK(cluster_.Up(3));
  const auto before = cluster_.Status(2);
  ASSERT_OK(before.status());
  cluster_.Kill(1);
  cluster_.Wipe(1);
  cluster_.Start(1);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  const auto after = cluster_.Status(1);
  ASSERT_OK(after.status());
  EXPECT_EQ(after->cluster_id(), before->cluster_id());
}

// Which nodes have a copy of one of these files.
std::set<std::string> HoldersOf(client::FileClient& client, const std::vector<std::string>& names) {
  std::set<std::string> out;
  for (const auto& name : names) {
    const auto where = client.Locate(name);
    EXPECT_OK(where.status());
    if (!where.ok()) continue;
    for (const auto& row : where->locations()) out.insert(row.node());
  }
  return out;
}

std::map<std::string, std::string> RolesOf(const v1::StatusResponse& status) {
  std::map<std::string, std::string> out;
  for (const auto& node : status.nodes()) out[node.name()] = node.role();
  return out;
}

class Roles : public ::testing::Test {
 protected:
  std::string RoleOf(const std::string& name) {
    const auto status = cluster_.Status(1);
    EXPECT_OK(status.status());
    return status.ok() ? RolesOf(*status)[name] : "";
  }
  // Files of all kinds, through node `n` alone; checked through it, too.
  void PutThrough(int n, const std::string& folder) {
    client::FileClient client({cluster_.EndpointOf(n)});
    for (int i = 0; i < 24; ++i) {
      const std::uint64_t size = i % 8 == 0 ? 2 * kMiB : static_cast<std::uint64_t>(i) * 700;
      names_.push_back(folder + "/" + std::to_string(i));
      SeededSource source(size, size);
      const auto put = client.Put(names_.back(), source);
      ASSERT_OK(put.status());
      EXPECT_GE(put->replicas(), 2u);
      FingerprintSink sink;
      ASSERT_OK(client.Get(names_.back(), sink).status());
      EXPECT_EQ(sink.fingerprint(), FingerprintOfSeeded(size, size));
    }
  }

  ProcessCluster cluster_{ProcessCluster::Options{.flags = {"--out-after=1s"}, .environment = nullptr}};
  std::vector<std::string> names_;
};

// Feature 17.
TEST_F(Roles, GatewaysHoldNothingAndStorageNodesNeverVote) {
  ASSERT_OK(cluster_.Up(3));
  cluster_.Start(4, {"--role=gateway"});
  cluster_.Start(5, {"--role=replica"});
  ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4, 5}));
  EXPECT_EQ(RoleOf("n4"), "gateway");
  EXPECT_EQ(RoleOf("n5"), "storage");

  PutThrough(4, "rpc");
  HttpClient http(cluster_.HttpAddressOf(4));
  EXPECT_EQ(http.Ask("PUT", "/upload/http/file", {}, "by HTTP").code, 201);
  EXPECT_EQ(http.Get("/upload/http/file").body, "by HTTP");
  names_.emplace_back("http/file");
  client::FileClient client({cluster_.EndpointOf(1)});
  const auto holders = HoldersOf(client, names_);
  EXPECT_FALSE(holders.contains("n4"));
  EXPECT_TRUE(holders.contains("n5")) << "of 25 files with 3 copies on 4 nodes";
  EXPECT_EQ(cluster_.Cli({"ok-to-stop", "n4"}).exit_code, 0);

  // What it was about to tell of late third copies would be lost with it, and found by repair.
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  cluster_.Kill(4);
  ASSERT_OK(cluster_.WaitUntil(1, "a dead gateway", [](const v1::StatusResponse& status) {
    return !AliveByName(status).contains("n4");
  }));
  const auto status = cluster_.Status(1);
  ASSERT_OK(status.status());
  EXPECT_EQ(status->under_replicated(), 0u);
  PutThrough(1, "after");
  EXPECT_EQ(cluster_.Cli({"forget", "--yes", "n4"}).exit_code, 0);
  ASSERT_OK(cluster_.WaitUntil(1, "four members", [](const v1::StatusResponse& now) { return now.nodes_size() == 4; }));

  // A voter is lost: its copies go to the storage node, its vote to nobody.
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  cluster_.Kill(3);
  ASSERT_OK(cluster_.WaitUntil(1, "three copies without node 3", [](const v1::StatusResponse& now) {
    return std::any_of(now.nodes().begin(), now.nodes().end(), [](const auto& node) { return node.state() == "out"; }) &&
           now.under_replicated() == 0;
  }));
  EXPECT_TRUE(HoldersOf(client, {"rpc/0"}).contains("n5"));
  EXPECT_EQ(RoleOf("n5"), "storage");
  PutThrough(5, "through-storage");
  Proved("a gateway serves gRPC and HTTP, holds none of 49 files and is lost without one too few; a storage node gets a lost voter's "
         "copies and not its vote");
}

// Whether any file below the folder has these bytes.
bool HasBytes(const std::string& folder, const std::string& bytes) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (content.find(bytes) != std::string::npos) return true;
  }
  return false;
}

class StorageNodes : public ::testing::Test {
 protected:
  static constexpr std::string_view kSecret = "a-name-that-is-nowhere-else";

  void Start() {
    ASSERT_OK(cluster_.Up(3));
    cluster_.Start(4, {"--role=storage"});
    cluster_.Start(5, {"--role=storage"});
    ASSERT_OK(cluster_.WaitReady({1, 2, 3, 4, 5}));
  }
  [[nodiscard]] static std::string NameOf(int i) { return std::string(kSecret) + "/" + std::to_string(i); }
  static void Put(client::FileClient& client, const std::string& name, std::uint64_t seed, std::uint64_t size) {
    SeededSource source(seed, size);
    EXPECT_OK(client.Put(name, source).status());
  }
  static void ExpectBytes(client::FileClient& client, const std::string& name, std::uint64_t seed, std::uint64_t size,
                          v1::Consistency consistency = v1::STRONG) {
    FingerprintSink sink;
    client::GetOptions options;
    options.consistency = consistency;
    EXPECT_OK(client.Get(name, sink, options).status());
    EXPECT_EQ(sink.fingerprint(), FingerprintOfSeeded(seed, size)) << name;
  }
  static int CountNames(client::FileClient& client, const client::ListOptions& options) {
    int count = 0;
    EXPECT_OK(client.List(options, [&](const v1::FileInfo&) { ++count; }));
    return count;
  }
  // Chunks that the node holds, trashed ones too.
  std::size_t Held(client::FileClient& client, const std::string& name, std::set<std::string>* names) {
    const auto status = cluster_.Status(1);
    EXPECT_OK(status.status());
    std::size_t held = 0;
    for (const auto& node : status->nodes()) {
      if (node.name() != name) continue;
      EXPECT_OK(client.ListHere(node.node_id(), [&](const std::string& holder, const v1::HereChunk& chunk) {
        EXPECT_EQ(holder, name);
        names->insert(chunk.name());
        ++held;
      }));
    }
    return held;
  }

  ProcessCluster cluster_{ProcessCluster::Options{
      .flags = {"--trash-time=1s", "--chunk-trash-time=1s", "--question-age=1s", "--collect-every=300ms",
                "--purge-quiet=1s"},
      .environment = nullptr}};
};

// Feature 17.
TEST_F(StorageNodes, KeepNoMetadataOfFilesAndAskTheirPeers) {
  ASSERT_NO_FATAL_FAILURE(Start());
  constexpr int kFiles = 20;
  client::FileClient client({cluster_.EndpointOf(5)});
  for (int i = 0; i < kFiles; ++i) Put(client, NameOf(i), static_cast<std::uint64_t>(i), 100'000);
  Put(client, NameOf(0), 100, 3 * kMiB);  // again
  ExpectBytes(client, NameOf(0), 100, 3 * kMiB);
  for (int i = 1; i < kFiles; ++i) {
    ExpectBytes(client, NameOf(i), static_cast<std::uint64_t>(i), 100'000, i % 2 == 0 ? v1::STRONG : v1::EVENTUAL);
  }
  EXPECT_EQ(CountNames(client, {}), kFiles);
  EXPECT_OK(client.Stat(NameOf(1)).status());
  EXPECT_TRUE(absl::IsNotFound(client.Stat("none").status()));
  EXPECT_GT(client.Stat(NameOf(0))->version(), client.Stat(NameOf(1))->version()) << "the newest";

  // Buckets.
  client::FileClientOptions in_bucket;
  in_bucket.bucket = "pictures";
  EXPECT_OK(client.MakeBucket("pictures").status());
  client::FileClient pictures({cluster_.EndpointOf(4)}, in_bucket);
  Put(pictures, NameOf(1), 200, 10);
  ExpectBytes(pictures, NameOf(1), 200, 10);
  EXPECT_TRUE(absl::IsFailedPrecondition(client.RemoveBucket("pictures"))) << "not empty";
  EXPECT_OK(pictures.Remove(NameOf(1)).status());
  const auto buckets = client.Buckets();
  ASSERT_OK(buckets.status());
  EXPECT_EQ(buckets->buckets_size(), 2);

  // They hold copies, whose names others know.
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  std::set<std::string> names;
  EXPECT_GT(Held(client, "n4", &names), 0u);
  EXPECT_GT(Held(client, "n5", &names), 0u);
  EXPECT_TRUE(names.contains(NameOf(1)) || names.contains(NameOf(2)) || names.contains(NameOf(3)));

  // In the eyes of the disk.
  EXPECT_TRUE(HasBytes(cluster_.DataFolder(1), std::string(kSecret))) << "the names are found where they are";
  for (const int n : {4, 5}) EXPECT_FALSE(HasBytes(cluster_.DataFolder(n), std::string(kSecret))) << n;

  // What is removed is collected on them, too.
  for (int i = 1; i < kFiles; ++i) EXPECT_OK(client.Remove(NameOf(i)).status());
  ASSERT_OK(ProcessCluster::Await("only one file's chunks are left", absl::Seconds(60), [&] {
    std::set<std::string> left;
    return Held(client, "n4", &left) + Held(client, "n5", &left) <= 2;
  }));
  ExpectBytes(client, NameOf(0), 100, 3 * kMiB);
  Proved("two storage-only nodes store, list, read and collect 21 files without a name on their disks");
}

// Feature 17.
TEST_F(StorageNodes, GoOnWithoutTheLeaderAndAfterARestart) {
  ASSERT_NO_FATAL_FAILURE(Start());
  client::FileClient client({cluster_.EndpointOf(5)});
  for (int i = 0; i < 10; ++i) Put(client, NameOf(i), static_cast<std::uint64_t>(i), 2'000);
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  cluster_.Kill(*leader);
  for (int i = 0; i < 10; ++i) ExpectBytes(client, NameOf(i), static_cast<std::uint64_t>(i), 2'000);
  Put(client, "after", 50, 2'000);
  // Its own start needs nobody's word but the ring's; --role is not said again.
  cluster_.Kill(5);
  cluster_.Start(5);
  std::vector<int> living = cluster_.Running();
  ASSERT_OK(cluster_.WaitReady(living));
  ExpectBytes(client, "after", 50, 2'000);
  // Nobody who knows files is left to ask: it says so, and which nodes.
  for (const int n : living) {
    if (n < 4) cluster_.Kill(n);
  }
  const CommandResult get = RunCommand({ProcessCluster::CliBinary(), "--endpoints=" + cluster_.EndpointOf(5), "stat", "after"});
  EXPECT_EQ(get.exit_code, 15) << get.err;
  Proved("storage-only nodes go on with a new leader, after a restart, and say exit 15 when nobody who knows files lives");
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// As its older users start it: master and replica by flags, nothing else.
// Features 17, 25.
TEST_F(Roles, OldCommandLinesWorkAndARoleIsForGood) {
  ASSERT_OK(cluster_.Up(3));
  const Environment home = {{"XDG_STATE_HOME", cluster_.folder().path() + "/state"}};
  const std::string log = cluster_.folder().path() + "/old.log";
  const std::string port = cluster_.HttpAddressOf(9).substr(cluster_.HttpAddressOf(9).rfind(':') + 1);
  const std::vector<std::string> master = {ProcessCluster::ServerBinary(), "--role=gateway",
                                           "--peers=" + cluster_.PeerAddressOf(1), "--http-port=" + port};
  std::vector<std::string> replica = {ProcessCluster::ServerBinary(), "--role=replica", "--name=old",
                                      "--storage-root=" + cluster_.folder().path() + "/old",
                                      "--peers=" + cluster_.PeerAddressOf(1)};
  for (int start = 0; start < 2; ++start) {  // the second finds its directory again, at other ports
    ChildProcess gateway(master, {.in = "", .out = log, .err = log}, home);
    ChildProcess storage(replica, {.in = "", .out = log, .err = log});
    ASSERT_OK(cluster_.WaitUntil(1, "old roles", [&](const v1::StatusResponse& now) {
      return AliveByName(now).size() == 5 && now.nodes_size() == 5 && RolesOf(now)["old"] == "storage";
    }));
    HttpClient http("127.0.0.1:" + port);
    ASSERT_OK(ProcessCluster::Await("a put through the gateway", absl::Seconds(30), [&] {
      return http.Ask("PUT", "/upload/old", {}, std::to_string(start)).code == 201;
    }));
    EXPECT_EQ(http.Get("/upload/old").body, std::to_string(start));
    // It was told of node 1 alone.
    ASSERT_OK(ProcessCluster::Await("it knows all others", absl::Seconds(30), [&] {
      const std::string seen = http.Get("/status").body;
      return Count(seen, "\"state\":\"alive\"") == 5 && Count(seen, "\"name\":\"n3\"") == 1;
    }));
    gateway.Signal(SIGTERM);
    storage.Signal(SIGTERM);
    EXPECT_EQ(gateway.WaitFor(absl::Seconds(30)), 0);
    EXPECT_EQ(storage.WaitFor(absl::Seconds(30)), 0);
  }
  replica[1] = "--role=gateway";
  const CommandResult refused = RunCommand(replica);
  EXPECT_EQ(refused.exit_code, 64);
  EXPECT_THAT(refused.err, ::testing::HasSubstr("joined with --role=storage"));
}

// Rule R1: a known node id with another storage uuid is refused.
TEST_F(Members, OldIdWithAnotherDiskIsRefused) {
  ASSERT_OK(cluster_.Up(3));
  const auto status = cluster_.Status(1);
  ASSERT_OK(status.status());
  rpc::JoinRequest request = JoinOf("impostor");
  *request.mutable_claimed_cluster_id() = ClusterIdOf(*status);
  request.set_claimed_node_id(AliveByName(*status)["n2"].node_id());
  for (const int n : {1, 2, 3}) {
    const auto answer = Join(n, request);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition)
        << answer.status().ToString();
  }
  const auto after = cluster_.Status(1);
  ASSERT_OK(after.status());
  EXPECT_EQ(after->nodes_size(), 3);
  Proved("a node that claims its old id with another storage uuid is refused");
}

TEST_F(Members, NodeOfAnotherClusterIsRefused) {
  ASSERT_OK(cluster_.Up(1));
  rpc::JoinRequest request = JoinOf("stranger");
  request.mutable_claimed_cluster_id()->set_high(1);
  request.mutable_claimed_cluster_id()->set_low(2);
  request.set_claimed_node_id(7);
  EXPECT_EQ(Join(1, request).status().code(), absl::StatusCode::kFailedPrecondition);
}

// Feature 28; defect "false failure detection".
TEST_F(Members, IdleClusterChangesNothing) {
  ASSERT_OK(cluster_.Up(3));
  // What must not change: leader, term, states and incarnations as each node sees them.
  const auto picture = [&](int n) {
    std::string out;
    const auto status = cluster_.Status(n);
    if (!status.ok()) return status.status().ToString();
    out = status->leader() + " " + std::to_string(status->term());
    for (const auto& node : status->nodes()) {
      out += " " + node.name() + "=" + node.state() + "/" + node.role() + "/" +
             std::to_string(node.incarnation());
    }
    return out;
  };
  // Joining ends with the third voter; idleness begins there.
  ASSERT_OK(cluster_.WaitUntil(1, "three voters", [](const v1::StatusResponse& status) {
    int voters = 0;
    for (const auto& node : status.nodes()) voters += node.role() == "learner" ? 0 : 1;
    return voters == 3;
  }));
  std::map<int, std::string> first;
  for (const int n : {1, 2, 3}) first[n] = picture(n);
  std::string change;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables
  const auto idle = std::getenv("DFS_TEST_NIGHTLY") != nullptr ? absl::Minutes(10) : absl::Seconds(10);
  const auto ended = ProcessCluster::Await("a change", idle, [&] {
    for (const int n : {1, 2, 3}) {
      if (const std::string now = picture(n); now != first[n]) {
        change = "n" + std::to_string(n) + ": " + first[n] + " became " + now;
      }
    }
    return !change.empty();
  });
  EXPECT_TRUE(absl::IsUnavailable(ended)) << change;
  Proved(absl::FormatDuration(idle) + " of idleness: no suspicion, no election, no change of state");
}

// A cluster that loses each fifth message between its nodes serves all the same, says so, and takes nobody for dead.
// Feature 48; defect "false failure detection".
TEST(MessageLoss, OnPurposeIsSurvivedAndSaid) {
  ProcessCluster cluster({.flags = {"--allow-test-faults", "--test-drop-percent=20"}, .environment = nullptr});
  ASSERT_OK(cluster.Up(3));
  // While nodes start, they are rightly called dead.
  std::map<int, std::size_t> started;
  for (const int n : {1, 2, 3}) started[n] = ReadFile(cluster.LogFile(n)).size();
  // Each begins at its node, and waits as clients do while there is no leader for a moment.
  std::map<int, std::unique_ptr<client::FileClient>> clients;
  for (const int n : {1, 2, 3}) clients[n] = std::make_unique<client::FileClient>(std::vector<std::string>{cluster.EndpointOf(n)});
  const MonotonicTime end = SystemClock().Now() + absl::Seconds(3);
  int files = 0;
  while (files < 30 || SystemClock().Now() < end) {
    const std::string name = "lossy/" + std::to_string(files % 30);
    const std::string content = MakeBytes(static_cast<std::uint64_t>(files), files % 5 == 0 ? 400'000 : 1'000);
    ASSERT_OK(Put(*clients[1 + files % 3], name, content));
    const auto got = Get(*clients[1 + ++files % 3], name);
    ASSERT_OK(got.status());
    ASSERT_TRUE(*got == content);
  }
  int lost = 0;
  for (const int n : {1, 2, 3}) {
    const auto status = cluster.Status(n);
    ASSERT_OK(status.status());
    EXPECT_EQ(status->health(), v1::HEALTH_WARN);
    const std::string text = status->reasons().empty() ? "" : status->reasons(0).text();
    EXPECT_EQ(text.find("n" + std::to_string(n) + " was started for a test and ON PURPOSE loses 20 %"), 0U) << text;
    const auto at = text.find('(');
    if (at != std::string::npos) lost += std::stoi(text.substr(at + 1));
    const std::string log = ReadFile(cluster.LogFile(n)).substr(started[n]);
    EXPECT_EQ(log.find(" to 3, incarnation"), std::string::npos) << "somebody was called dead: " << log;
  }
  EXPECT_GT(lost, 20);
  Proved("feature 48: with 20 % of all messages between nodes lost (" + std::to_string(lost) + " of them), " +
         std::to_string(files) + " puts and gets worked and nobody was called dead");
}

TEST_F(Members, SecondServerOnOneDataDirectoryIsRefused) {
  ASSERT_OK(cluster_.Up(1));
  const auto second = RunCommand({ProcessCluster::ServerBinary(), "--data-dir=" + cluster_.DataFolder(1),
                                  "--listen=127.0.0.1:" + std::to_string(19'998),
                                  "--peer-listen=127.0.0.1:" + std::to_string(19'999)},
                                 "", {}, absl::Seconds(20));
  EXPECT_GT(second.exit_code, 0) << second.err;
  EXPECT_LT(second.exit_code, 128) << second.err;
  ASSERT_OK(cluster_.WaitReady({1}));
}

}  // namespace
}  // namespace dfs::testing
