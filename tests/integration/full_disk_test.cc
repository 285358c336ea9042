// Disks that are full: of one node, while clients go on; and the fuse of collection, on real processes.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.grpc.pb.h"
#include "client/retry_policy.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/disk_faults.h"
#include "tests/support/raw_calls.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;
constexpr std::uint64_t kDiskBytes = 320 * kMebi;
constexpr std::uint64_t kFileBytes = 6 * kMebi;
constexpr int kFilesToTheWatermark = 40;  // 100 MiB are free

// A disk of its own for one folder, and bytes on it that are not the node's.
class SmallDisk {
 public:
  // False: not permitted here.
  bool Mount(const std::string& folder) {
    std::filesystem::create_directories(folder);
    const std::string options = "mode=0700,size=" + std::to_string(kDiskBytes);
    if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, options.c_str()) != 0) return false;
    folder_ = folder;
    return true;
  }
  ~SmallDisk() {
    if (!folder_.empty()) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  [[nodiscard]] std::uint64_t FreeBytes() const {
    return std::filesystem::space(folder_).available;
  }
  // Writes until only so much is free.
  void FillUpTo(const std::string& name, std::uint64_t left) {
    std::ofstream out(folder_ + "/" + name, std::ios::binary | std::ios::app);
    const std::string page(4'096, 'x');
    while (out && FreeBytes() > left) {
      out << page;
      out.flush();
    }
  }
  void Remove(const std::string& name) { std::filesystem::remove(folder_ + "/" + name); }

 private:
  std::string folder_;
};

class FullDisk : public ::testing::Test {
 protected:
  void Put(const std::string& name, std::uint64_t size) {
    SeededSource source(files_.size(), size);
    ASSERT_OK(client_->Put(name, source).status());
    files_.push_back({name, size});
  }
  [[nodiscard]] std::string SpaceOf(int asked, const std::string& name) {
    const auto status = cluster_.Status(asked);
    if (!status.ok()) return "";
    for (const auto& node : status->nodes()) {
      if (node.name() == name) return node.space();
    }
    return "";
  }
  absl::Status AwaitSpace(const std::string& name, const std::string& space) {
    return ProcessCluster::Await(name + " is " + space, absl::Seconds(60),
                                 [&] { return SpaceOf(1, name) == space; });
  }
  absl::Status AwaitLine(int n, const std::string& words) {
    return ProcessCluster::Await(words, absl::Seconds(60), [&] {
      std::ifstream log(cluster_.LogFile(n));
      const std::string text((std::istreambuf_iterator<char>(log)), {});
      return text.find(words) != std::string::npos;
    });
  }
  // Nothing if it does not answer.
  v1::CollectStatus CollectionOf(const std::string& name) {
    v1::CollectRequest request;
    request.set_node(name);
    const auto gc = client_->Collect(request);
    return gc.ok() && gc->nodes_size() == 1 ? gc->nodes(0) : v1::CollectStatus();
  }
  [[nodiscard]] bool HasReason(const std::string& code) {
    const auto status = cluster_.Status(1);
    if (!status.ok()) return false;
    for (const auto& reason : status->reasons()) {
      if (reason.code() == code) return true;
    }
    return false;
  }

  [[nodiscard]] bool IsTrashEmpty() {
    client::ListOptions trash;
    trash.trash = true;
    int files = 0;
    return client_->List(trash, [&](const v1::FileInfo&) { ++files; }).ok() && files == 0;
  }

  // dfs-cli in the bucket of mode gossip, which asks node `n` first.
  CommandResult GossipCliAt(int n, const std::vector<std::string>& arguments, std::string_view in = {}) {
    std::vector<std::string> command = {ProcessCluster::CliBinary(), "--endpoints=" + cluster_.EndpointOf(n),
                                        "--bucket=shared"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunCommand(command, in);
  }
  bool ListsAt3(const std::string& name) {
    const auto listed = GossipCliAt(3, {"ls"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    return ("\n" + listed.out).find("\n" + name + "\n") != std::string::npos;
  }
  absl::StatusOr<v1::PutResponse> PutGossipAt(int n, const std::string& name, const std::string& content) {
    auto put = HonestPut(name, content, *NewRequestId(cluster_.ClientChannel(n)));
    put.front().mutable_header()->set_bucket("shared");
    put.front().mutable_header()->set_size(content.size());  // as dfs-cli does; of more than a chunk, too
    return SendPut(cluster_.ClientChannel(n), put);
  }
  // Files of a gossip bucket that node 3 has no room for are refused there, read through it, and no burden for others.
  void CheckGossipBucketWithoutRoomAt3() {
    const std::string content = MakeBytes(7, kFileBytes);
    ASSERT_EQ(cluster_.Cli({"mb", "--mode=gossip", "shared"}).exit_code, 0);
    ASSERT_OK(ProcessCluster::Await("node 3 to know the bucket", absl::Seconds(30),
                                    [&] { return GossipCliAt(3, {"ls"}).exit_code == 0; }));
    const auto refused = PutGossipAt(3, "refused", content);
    EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
    EXPECT_EQ(client::ReasonOf(refused.status()), v1::ErrorDetail::NO_SPACE);
    const std::string local = cluster_.folder().path() + "/elsewhere";
    std::ofstream(local, std::ios::binary) << content;
    const auto through = RunCommand({ProcessCluster::CliBinary(), "--bucket=shared", "put", local, "elsewhere",
                                     "--endpoints=" + cluster_.EndpointOf(3) + "," + cluster_.EndpointOf(1)});
    EXPECT_EQ(through.exit_code, 0) << "the client goes on to another node: " << through.err;
    const std::string two_chunks = MakeBytes(8, 64 * kMebi + 100'000);
    ASSERT_OK(PutGossipAt(1, "removed", two_chunks).status());
    v1::GetRequest get;
    get.set_bucket("shared");
    get.set_name("elsewhere");
    const auto got = GetAt(cluster_.ClientChannel(3), get);
    ASSERT_OK(got.status());
    EXPECT_TRUE(*got == content) << "what it cannot keep is read from a peer";
    get.set_name("removed");
    get.set_offset(62 * kMebi + 1);
    get.set_length(2 * kMebi + 50'000);
    const auto part = GetAt(cluster_.ClientChannel(3), get);
    ASSERT_OK(part.status());
    EXPECT_TRUE(*part == std::string_view(two_chunks).substr(get.offset(), get.length()));
    EXPECT_FALSE(ListsAt3("refused") || ListsAt3("elsewhere") || ListsAt3("removed"));
    // A removal needs next to no room.
    EXPECT_EQ(GossipCliAt(3, {"remove", "removed"}).exit_code, 0);
    ASSERT_OK(ProcessCluster::Await("the removal to reach node 1", absl::Seconds(30), [&] {
      const auto left = GossipCliAt(1, {"ls"});
      return left.exit_code == 0 && left.out == "elsewhere\n";
    }));
  }

  struct File {
    std::string name;
    std::uint64_t size = 0;
  };
  DiskFaults faults_;
  // An hour in the trash, but for what a full disk makes of it.
  ProcessCluster cluster_{{{"--trash-time=1h", "--trash-time-min=1s", "--chunk-trash-time=1s",
                            "--question-age=1s", "--collect-every=1s", "--purge-quiet=1s",
                            "--fuse-bytes-min=20000"},
                           [this](int n) { return faults_.EnvironmentOf(n); }}};
  std::unique_ptr<client::FileClient> client_;
  std::vector<File> files_;
};

TEST_F(FullDisk, OfOneNodeStopsNobodyAndRecoversByItself) {
  SmallDisk disk;
  if (!disk.Mount(cluster_.DataFolder(3))) {
    GTEST_SKIP() << "SKIPPED, NOTHING IS SHOWN: a tmpfs cannot be mounted here: "
                 << std::strerror(errno);
  }
  ASSERT_OK(cluster_.Up(3));
  client_ = std::make_unique<client::FileClient>(cluster_.Endpoints());
  ASSERT_OK(AwaitSpace("n3", "ok"));
  disk.FillUpTo("foreign", 100 * kMebi);

  // To the watermark, and beyond: with W = 2 nobody notices. The leader hears of it with the node's next report.
  for (int i = 0; i < kFilesToTheWatermark && SpaceOf(1, "n3") == "ok"; ++i) {
    ASSERT_NO_FATAL_FAILURE(Put("a/" + std::to_string(i), kFileBytes));
  }
  ASSERT_OK(ProcessCluster::Await("the disk to get full", absl::Seconds(60),
                                  [&] { return SpaceOf(1, "n3") != "ok"; }));
  for (int i = 0; i < 10; ++i) ASSERT_NO_FATAL_FAILURE(Put("b/" + std::to_string(i), kFileBytes));
  EXPECT_TRUE(HasReason("DISK_NEARLY_FULL") || HasReason("DISK_FULL"));
  EXPECT_TRUE(cluster_.IsRunning(3));
  EXPECT_GT(disk.FreeBytes(), 15 * kMebi) << "the reserve is for log and metadata";

  disk.FillUpTo("most", 20 * kMebi);
  ASSERT_NO_FATAL_FAILURE(CheckGossipBucketWithoutRoomAt3());

  // Foreign bytes take all of it.
  disk.FillUpTo("more", 0);
  for (int i = 0; i < 40; ++i) ASSERT_NO_FATAL_FAILURE(Put("c/" + std::to_string(i), 5'000));
  EXPECT_TRUE(cluster_.IsRunning(3)) << "its databases have room of their own for a while";
  cluster_.Kill(3);
  cluster_.Start(3);
  ASSERT_OK(AwaitLine(3, "waits until there is space"));
  ASSERT_NO_FATAL_FAILURE(Put("d", kFileBytes));

  disk.Remove("more");
  disk.Remove("most");
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));

  // While a disk is full, what is removed goes at once, not in an hour.
  disk.FillUpTo("most", 20 * kMebi);
  const std::size_t kept = files_.size() / 2;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (i % 2 == 0 && files_[i].size == kFileBytes) {
      ASSERT_OK(client_->Remove(files_[i].name).status());
    }
  }
  ASSERT_OK(ProcessCluster::Await("an empty trash", absl::Seconds(60), [&] { return IsTrashEmpty(); }));
  // Then there is room for what node 3 lacks.
  disk.Remove("most");
  disk.Remove("foreign");
  ASSERT_OK(cluster_.WaitFullyReplicated(1, absl::Seconds(120)));
  int checked = 0;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const File& file = files_[i];
    if (i % 2 == 0 && file.size == kFileBytes) continue;
    ASSERT_OK(CheckCopies(cluster_, *client_, {1, 2, 3}, file.name,
                          FingerprintOfSeeded(i, file.size)));
    ++checked;
  }
  EXPECT_GE(checked + 1, static_cast<int>(kept));
  // Its disk may be low once more until the copies of what was removed are deleted there.
  EXPECT_OK(ProcessCluster::Await("no word of a full disk", absl::Seconds(60),
                                  [&] { return !HasReason("DISK_FULL") && !HasReason("DISK_NEARLY_FULL"); }));
  // Of gossip buckets too it takes over by itself what it could not.
  ASSERT_OK(ProcessCluster::Await("the gossip bucket's file on node 3", absl::Seconds(60), [&] {
    return ListsAt3("elsewhere") && !ListsAt3("removed");
  }));
  Proved("a disk filled to its last byte: " + std::to_string(files_.size()) +
         " puts acknowledged meanwhile, none refused; the node came back by itself, " +
         std::to_string(checked) + " files whole on 3 nodes afterwards");
}

// The log's own write fails for want of space, once: nothing goes on from there, so the node begins anew.
TEST_F(FullDisk, LogThatCannotBeWrittenBeginsAnewAndTakesPart) {
#ifdef DFS_HAS_ADDRESS_SANITIZER
  GTEST_SKIP() << "the sanitizer's library must be loaded first";
#endif
  ASSERT_OK(cluster_.Up(3));
  client_ = std::make_unique<client::FileClient>(cluster_.Endpoints());
  const auto follower = cluster_.Follower();
  ASSERT_OK(follower.status());
  const int n = *follower;
  const pid_t pid = cluster_.PidOf(n);
  const auto epoch = [&](int asked) -> std::uint64_t {
    const auto status = cluster_.Status(asked);
    if (!status.ok()) return 0;
    for (const auto& node : status->nodes()) {
      if (node.name() == "n" + std::to_string(n)) return node.boot_epoch();
    }
    return 0;
  };
  const int other = n == 1 ? 2 : 1;
  const std::uint64_t before = epoch(other);
  faults_.Set(n, {{.op = "write", .path = cluster_.DataFolder(n) + "/meta", .error = ENOSPC, .count = 1}});
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(Put("f/" + std::to_string(i), 5'000));
  ASSERT_OK(AwaitLine(n, "begins anew"));
  faults_.Clear(n);  // or the new start meets it, too, and tries again every second
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  EXPECT_EQ(cluster_.PidOf(n), pid);
  EXPECT_GT(epoch(other), before);
  ASSERT_OK(cluster_.WaitFullyReplicated(other));
  for (std::size_t i = 0; i < files_.size(); ++i) {
    ASSERT_OK(CheckCopies(cluster_, *client_, {1, 2, 3}, files_[i].name,
                          FingerprintOfSeeded(i, files_[i].size)));
  }
  Proved("a log that could not be written for want of space: the node began anew in its process, nothing was lost");
}

// ---- the fuse (rule R20) ----

// Chunks of a term that is over, which no version names: what a mistaken leader would call everything.
void StoreOrphans(ProcessCluster& cluster, int n, std::uint64_t count, const std::string& bytes) {
  BlockChecksums sums;
  sums.Update(bytes.data(), bytes.size());
  rpc::WriteSmallRequest request;
  for (std::uint64_t i = 1; i <= count; ++i) {
    rpc::SmallChunk& chunk = *request.add_chunks();
    *chunk.mutable_chunk() = ToWire(ChunkId{{Term(0), i}, 0});
    chunk.set_size(static_cast<std::uint32_t>(bytes.size()));
    *chunk.mutable_hash() = ToWire(BlockChecksums::HashOf(sums.length(), sums.Table()));
    request.mutable_data()->append(bytes);
  }
  const auto replicas = rpc::Replicas::NewStub(cluster.PeerChannel(n));
  grpc::ClientContext context;
  rpc::WriteSmallResponse response;
  const grpc::Status status = replicas->WriteSmall(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (const auto& result : response.results()) ASSERT_EQ(result.error_code(), 0) << result.error_message();
}

TEST_F(FullDisk, GarbageThatIsTooMuchAtOnceWaitsForConfirmation) {
  ASSERT_OK(cluster_.Up(3));
  client_ = std::make_unique<client::FileClient>(cluster_.Endpoints());
  ASSERT_NO_FATAL_FAILURE(StoreOrphans(cluster_, 2, 3, std::string(1'000, 'o')));
  ASSERT_OK(ProcessCluster::Await("3,000 bytes go by themselves", absl::Seconds(30), [&] {
    return CollectionOf("n2").removed_chunks() == 3;
  }));

  ASSERT_NO_FATAL_FAILURE(StoreOrphans(cluster_, 2, 30, std::string(1'000, 'p')));
  ASSERT_OK(ProcessCluster::Await("node 2 stops", absl::Seconds(30),
                                  [&] { return HasReason("GC_STOPPED"); }));
  const auto shown = cluster_.Cli({"--json", "gc", "--show", "n2"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, ::testing::HasSubstr("\"state\":\"stopped\""));
  EXPECT_THAT(shown.out, ::testing::HasSubstr("\"withheld_bytes\":30000"));
  // Files that are removed go on to be freed, on that node too, and clients notice nothing.
  ASSERT_NO_FATAL_FAILURE(Put("file", 400'000));

  EXPECT_EQ(cluster_.Cli({"gc", "--confirm", "n2"}).exit_code, 0);
  ASSERT_OK(ProcessCluster::Await("what was confirmed goes", absl::Seconds(30), [&] {
    const v1::CollectStatus collection = CollectionOf("n2");
    return collection.removed_chunks() == 33 && !collection.is_stopped();
  }));
  EXPECT_OK(ProcessCluster::Await("nobody has stopped", absl::Seconds(30), [&] { return !HasReason("GC_STOPPED"); }));
  EXPECT_EQ(cluster_.Cli({"gc", "n9"}).exit_code, 12);
  Proved("30,000 bytes of garbage at once were withheld (limit 20,000), shown, confirmed and freed");
}

}  // namespace
}  // namespace dfs::testing
