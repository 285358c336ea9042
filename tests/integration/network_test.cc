// Connections that split, merge or swallow bytes, and what transfers cost in memory and descriptors.
#include <grpcpp/create_channel.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "common/clock.h"
#include "common/executor.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/byte_proxy.h"
#include "tests/support/http_client.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

class Network : public ThreeNodes {};

// Defect "unframed messages over TCP".
TEST_F(Network, BytesOneByOneAndInAnyPiecesArriveRight) {
  const std::string content = MakeBytes(1, 30'000);
  const auto try_with = [&](std::size_t piece, bool gathers) {
    SCOPED_TRACE(piece);
    const std::string name = "pieces/" + std::to_string(piece) + (gathers ? "/gathered" : "");
    const ByteProxy proxy(cluster().EndpointOf(1), piece, gathers);
    const auto channel = grpc::CreateChannel(proxy.endpoint(), grpc::InsecureChannelCredentials());
    ASSERT_OK(PutAt(channel, name, content).status());
    const auto got = GetAt(channel, name);
    ASSERT_OK(got.status());
    EXPECT_TRUE(*got == content);
    const ByteProxy http_proxy(cluster().HttpAddressOf(1), piece, gathers);
    HttpClient http(http_proxy.endpoint());
    EXPECT_EQ(http.Ask("PUT", "/upload/http/" + name, {}, content).code, 201);
    EXPECT_TRUE(http.Get("/upload/http/" + name).body == content);
  };
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{65'536}}) try_with(piece, false);
  try_with(65'536, true);
  Proved("bytes that come one by one, in sevens, as sent and many writes in one arrive right over gRPC and HTTP");
}

// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Network, ClientLeavesABlackHole) {
  ASSERT_OK(Put(client(), "black-hole", "content"));
  ByteProxy proxy(cluster().EndpointOf(1), 65'536);
  client::FileClient through({proxy.endpoint()});
  ASSERT_OK(Get(through, "black-hole").status());
  proxy.BecomeBlackHole();
  const MonotonicTime start = SystemClock().Now();
  for (int i = 0; i < 5; ++i) {
    const auto got = Get(through, "black-hole");
    ASSERT_OK(got.status());
    EXPECT_EQ(*got, "content");
    ASSERT_OK(Put(through, "black-hole-put", "content"));
  }
  EXPECT_LT(SystemClock().Now() - start, absl::Seconds(20));
}

class Memory : public ThreeNodes {
 protected:
  static constexpr double kAddedMbMax = 100;

  static CommandResult Shell(const std::string& script) {
    return RunCommand({"sh", "-c", script}, "",
                      {{"DFS_ENDPOINTS", cluster().EndpointList()},
                       {"PATH", ProcessCluster::BinaryFolder() + ":/usr/bin:/bin"}},
                      absl::Minutes(2));
  }
};

// Feature 38; defect "whole file in memory".
TEST_F(Memory, TransferOfAGigabyteAddsLittle) {
#ifdef DFS_HAS_ADDRESS_SANITIZER
  GTEST_SKIP() << "the sanitizer keeps freed memory";
#endif
  const auto small_put = Shell("echo small | dfs-cli put - memory/small");
  ASSERT_EQ(small_put.exit_code, 0) << small_put.err;
  const auto small_get = Shell("dfs-cli get memory/small - > /dev/null");
  ASSERT_EQ(small_get.exit_code, 0) << small_get.err;
  std::map<int, double> before;
  for (const int n : cluster().Running()) {
    WriteFile("/proc/" + std::to_string(cluster().PidOf(n)) + "/clear_refs", "5");  // the peak begins anew
    before[n] = StatusMb(cluster().PidOf(n), "VmRSS");
  }
  const auto put = Shell("head -c 1000000000 /dev/zero | dfs-cli put - memory/big");
  ASSERT_EQ(put.exit_code, 0) << put.err;
  const auto get = Shell("dfs-cli get memory/big - | head -c 1000000001 | wc -c");
  ASSERT_EQ(get.exit_code, 0) << get.err;
  EXPECT_EQ(std::stoll(get.out), 1'000'000'000);
  double most = 0;
  for (const int n : cluster().Running()) {
    const double added = StatusMb(cluster().PidOf(n), "VmHWM") - before[n];
    EXPECT_LT(added, kAddedMbMax) << "n" << n;
    most = std::max(most, added);
  }
  ASSERT_GT(small_put.peak_mb, 0);
  ASSERT_GT(small_get.peak_mb, 0);
  const double client_added = std::max(put.peak_mb - small_put.peak_mb, get.peak_mb - small_get.peak_mb);
  EXPECT_LT(client_added, kAddedMbMax);
  Proved("put and get of 1 GB add at most " + std::to_string(static_cast<int>(most)) +
         " MB to a server and " + std::to_string(static_cast<int>(client_added)) + " MB to a client");
}

int Descriptors(pid_t pid) {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<int>(std::distance(begin(entries), end(entries)));
}

// Defect "data races, leaks of memory and descriptors".
TEST_F(Memory, DescriptorsStayFlat) {
  constexpr int kClients = 25;
  constexpr int kWorkers = 8;
  constexpr int kRounds = 10;  // of a put and four gets, by each worker of each client
  ThreadPool pool("workers", kWorkers);
  const auto work = [&](int round) {
    client::FileClient one(cluster().Endpoints());
    std::atomic<int> done = 0;
    std::atomic<int> failed = 0;
    for (int worker = 0; worker < kWorkers; ++worker) {
      pool.Post([&, worker] {
        for (int i = 0; i < kRounds; ++i) {
          const std::string name = "descriptors/" + std::to_string(worker) + "/" + std::to_string(i);
          // Small ones and ones with a file of their own.
          const auto seed = static_cast<std::uint64_t>(round);
          failed += Put(one, name, MakeBytes(seed, i == 0 ? 400'000 : 1'000)).ok() ? 0 : 1;
          for (int k = 0; k < 4; ++k) failed += Get(one, name).ok() ? 0 : 1;
        }
        ++done;
      });
    }
    ASSERT_OK(ProcessCluster::Await("all operations", absl::Minutes(2), [&] { return done == kWorkers; }));
    EXPECT_EQ(failed, 0);
  };
  for (int i = 0; i < 2; ++i) work(i);  // pools, connections between nodes and tables fill
  std::map<int, int> before;
  for (const int n : cluster().Running()) before[n] = Descriptors(cluster().PidOf(n));
  for (int i = 0; i < kClients; ++i) work(i);
  for (const int n : cluster().Running()) {
    // Connections of clients that have gone end soon; files of stores may come and go.
    const auto settled = ProcessCluster::Await("descriptors to be given back", absl::Seconds(30), [&] {
      return Descriptors(cluster().PidOf(n)) <= before[n] + 16;
    });
    EXPECT_TRUE(settled.ok()) << "n" << n << ": " << before[n] << " became "
                              << Descriptors(cluster().PidOf(n));
  }
  pool.Stop();
  Proved("10,000 operations of 25 clients leave no descriptors behind");
}

}  // namespace
}  // namespace dfs::testing
