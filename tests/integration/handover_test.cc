// Files that clients of the same machine take over through the server's Unix socket.
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "client/load.h"
#include "client/posix_byte_stream.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/http_client.h"

namespace dfs::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kSize = 130 * kMiB + 12'345;  // three chunks

// Nodes 1 and 2 have a socket; that of node 2 serves other users than its own only.
class Handover : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    sockets_ = new TemporaryFolder();
    cluster_ = std::make_unique<ProcessCluster>(ProcessCluster::Options{
        .flags = {},
        .environment =
            [](int n) {
              Environment out;
              if (n < 3) out["DFS_UNIX_SOCKET"] = Socket(n);
              if (n == 1) out["DFS_UNIX_SOCKET_OWN_USER"] = "true";
              return out;
            }});
    ASSERT_OK(cluster_->Up(3));
    client::FileClient client(cluster_->Endpoints());
    SeededSource source(1, kSize);
    ASSERT_OK(client.Put("large", source).status());
    SeededSource small(2, 1'000);
    ASSERT_OK(client.Put("small", small).status());
    ASSERT_OK(cluster_->WaitFullyReplicated(1));
  }
  static void TearDownTestSuite() {
    cluster_.reset();
    delete sockets_;
  }
  static std::string Socket(int n) { return sockets_->path() + "/" + std::to_string(n); }

  // Reads it through node `n` alone; returns how many bytes were handed over.
  static std::uint64_t Get(int n, const std::string& name, const Fingerprint& expected) {
    client::FileClient client({cluster_->EndpointOf(n)});
    FingerprintSink sink;
    EXPECT_OK(client.Get(name, sink).status());
    EXPECT_EQ(sink.fingerprint(), expected);
    return client.bytes_handed_over();
  }

  // That many bytes are handed over, at the latest when the machine is less busy: a disk that is slow to open a file is not waited for.
  static void ExpectHandedOver(std::uint64_t expected) {
    EXPECT_OK(ProcessCluster::Await("a get by hand-over", absl::Seconds(30), [&] {
      return Get(1, "large", FingerprintOfSeeded(1, kSize)) == expected || HasFailure();
    }));
  }

  static inline TemporaryFolder* sockets_ = nullptr;
  static inline std::unique_ptr<ProcessCluster> cluster_;
};

TEST_F(Handover, AllChunksOfAFileAreCopiedFromTheServersFiles) {
  ExpectHandedOver(kSize);
  const std::string page = HttpClient(cluster_->HttpAddressOf(1)).Get("/metrics").body;
  const std::string offered = "\ndfs_handover_offered_bytes_total ";
  ASSERT_NE(page.find(offered), std::string::npos);
  EXPECT_GE(std::strtod(page.c_str() + page.find(offered) + offered.size(), nullptr), static_cast<double>(kSize));
  Proved("a get on a replica's machine copies the chunk files that it is handed, and checks each block");
}

TEST_F(Handover, RangesAreExact) {
  const std::string all = MakeBytes(1, kSize);
  const auto handed = [&] {
    client::FileClient client({cluster_->EndpointOf(1)});
    for (const auto& [offset, length] : {std::pair<std::uint64_t, std::uint64_t>{1, 300'000},
                                         {64 * kMiB - 5, 70 * 1024},
                                         {65'536, 1 * kMiB},
                                         {kSize - 400'000, 400'000},
                                         {60 * kMiB, 70 * kMiB}}) {
      client::GetOptions options;
      options.offset = offset;
      options.length = length;
      client::StringSink sink;
      EXPECT_OK(client.Get("large", sink, options).status());
      EXPECT_TRUE(sink.bytes() == all.substr(offset, length)) << offset;
    }
    return client.bytes_handed_over();
  };
  EXPECT_OK(ProcessCluster::Await("ranges by hand-over", absl::Seconds(30),
                                  [&] { return handed() == 71 * kMiB + 300'000 + 70 * 1024 + 400'000 || HasFailure(); }));
}

TEST_F(Handover, GetsOfOneClientShareItsThreads) {
  constexpr std::size_t kGets = 8;  // more than it has threads for
  constexpr std::uint64_t kLength = 12 * kMiB + 1;
  const std::string all = MakeBytes(1, kSize);
  const auto handed = [&] {
    client::FileClient client({cluster_->EndpointOf(1)});
    const auto load = client::RunLoad(kGets, 2 * kGets, absl::InfiniteDuration(), [&](std::size_t worker, std::uint64_t) -> absl::Status {
      client::GetOptions options;
      options.offset = worker * 15 * kMiB + 77;
      options.length = kLength;
      client::StringSink sink;
      const auto got = client.Get("large", sink, options);
      if (!got.ok()) return got.status();
      return sink.bytes() == all.substr(options.offset, kLength) ? absl::OkStatus() : absl::DataLossError("other bytes");
    });
    EXPECT_EQ(load.errors, 0u) << load.first_error;
    return client.bytes_handed_over();
  };
  EXPECT_OK(ProcessCluster::Await("all gets by hand-over", absl::Seconds(30),
                                  [&] { return handed() == 2 * kGets * kLength || HasFailure(); }));
}

// Stops behind 3 MiB, while more is copied ahead.
class FullSink final : public client::ByteSink {
 public:
  [[nodiscard]] absl::Status Write(const Slices& bytes) override {
    bytes_ += bytes.size();
    return bytes_ <= 3 * kMiB ? absl::OkStatus() : client::LocalError("write", "sink", ENOSPC);
  }
  [[nodiscard]] bool Rewind() override { return false; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t bytes_ = 0;
};

TEST_F(Handover, ASinkThatFailsEndsTheCopy) {
  constexpr int kGets = 5;
  // How many of the gets had bytes handed over, before the sink was full.
  const auto handed = [] {
    int gets = 0;
    for (int i = 0; i < kGets; ++i) {
      client::FileClient client({cluster_->EndpointOf(1)});
      FullSink sink;
      EXPECT_TRUE(client::IsLocalError(client.Get("large", sink).status()));
      EXPECT_LE(sink.bytes(), 5 * kMiB);
      gets += client.bytes_handed_over() > 0 ? 1 : 0;
    }
    return gets;
  };
  EXPECT_OK(ProcessCluster::Await("gets by hand-over", absl::Seconds(30), [&] { return handed() == kGets || HasFailure(); }));
}

TEST_F(Handover, WhoeverGetsNoneReadsAsEver) {
  EXPECT_EQ(Get(2, "large", FingerprintOfSeeded(1, kSize)), 0u) << "this process is the server's own user";
  EXPECT_EQ(Get(3, "large", FingerprintOfSeeded(1, kSize)), 0u) << "no socket";
  EXPECT_EQ(Get(1, "small", FingerprintOfSeeded(2, 1'000)), 0u) << "it is in the database";
}

TEST_F(Handover, ASocketThatAKilledServerLeftBehindIsReplaced) {
  cluster_->Kill(1);
  EXPECT_TRUE(std::filesystem::exists(Socket(1)));
  cluster_->Start(1);
  ASSERT_OK(cluster_->WaitReady({1, 2, 3}));
  ExpectHandedOver(kSize);
}

TEST_F(Handover, DamagedBytesAreNoticedAndComeFromElsewhere) {
  // One bit of each large file of node 1.
  int flipped = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster_->DataFolder(1) + "/chunks/objects")) {
    if (!entry.is_regular_file() || entry.file_size() < kMiB) continue;
    ASSERT_EQ(chmod(entry.path().c_str(), 0600), 0);
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(700'000);
    const char byte = static_cast<char>(file.get() ^ 4);
    file.seekp(700'000);
    file.put(byte);
    flipped += file.good() ? 1 : 0;
  }
  EXPECT_EQ(flipped, 3);
  EXPECT_LT(Get(1, "large", FingerprintOfSeeded(1, kSize)), kSize);
}

}  // namespace
}  // namespace dfs::testing
