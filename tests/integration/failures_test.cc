// Nodes that are killed, hang or restart while clients put and get: nothing acknowledged is lost, nothing
// that failed appears.
#include <grpcpp/client_context.h>

#include <string>
#include <vector>

#include "dfs/v1/files.grpc.pb.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/workload.h"

namespace dfs::testing {
namespace {

using ::testing::IsEmpty;

const std::vector<int> kAllNodes = {1, 2, 3};
// For a handful of operations with a node down; an election and a few retries fit in many times.
constexpr absl::Duration kProgressTimeout = absl::Seconds(30);

class Failures : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(cluster_.Up(3)); }

  // Everything that the workload was told, at all nodes, and every copy of some files.
  void CheckAll(Workload& workload) {
    workload.Stop();
    EXPECT_THAT(workload.Violations(), IsEmpty());
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
    ASSERT_OK(workload.Verify(kAllNodes));
    ASSERT_OK(cluster_.WaitFullyReplicated(1));
    client::FileClient client(cluster_.Endpoints());
    int checked = 0;
    for (const auto& record : workload.Records()) {
      if (record.fate != Workload::Fate::kAcknowledged || record.size == 0 || ++checked % 8 != 0) continue;
      ASSERT_OK(CheckCopies(cluster_, client, kAllNodes, record.name,
                            FingerprintOfSeeded(record.seed, record.size)));
    }
  }

  ProcessCluster cluster_;
};

// Feature 32; defect "a put that reports success without durable copies".
TEST_F(Failures, KilledLeaderLosesNothing) {
  Workload workload(cluster_, {.seed = 11});
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(workload.AwaitProgress(15, 15, kProgressTimeout));
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    cluster_.Kill(*leader);
    ASSERT_OK(workload.AwaitProgress(15, 15, kProgressTimeout));
    cluster_.Start(*leader);
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
  }
  CheckAll(workload);
  EXPECT_EQ(workload.Count(Workload::Fate::kFailed), 0);
  Proved("kill -9 of the leader, 3 times, during puts and gets: " + workload.Summary());
}

// Feature 32; defect "a put that reports success without durable copies".
TEST_F(Failures, KilledFollowerLosesNothing) {
  Workload workload(cluster_, {.seed = 12});
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(workload.AwaitProgress(15, 15, kProgressTimeout));
    const auto follower = cluster_.Follower();
    ASSERT_OK(follower.status());
    cluster_.Kill(*follower);
    ASSERT_OK(workload.AwaitProgress(15, 15, kProgressTimeout));
    cluster_.Start(*follower);
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
  }
  CheckAll(workload);
  EXPECT_EQ(workload.Count(Workload::Fate::kFailed), 0);
  Proved("kill -9 of a follower, 3 times, during puts and gets: " + workload.Summary());
}

// A hung leader that wakes up must find itself replaced.
// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Failures, PausedLeaderIsReplacedAndDoesNotDisturbLater) {
  Workload workload(cluster_, {.seed = 13});
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(workload.AwaitProgress(15, 15, kProgressTimeout));
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    const auto before = cluster_.Status(*leader);
    ASSERT_OK(before.status());
    cluster_.Pause(*leader);
    const auto next = cluster_.Leader();
    ASSERT_OK(next.status());
    EXPECT_NE(*next, *leader);
    ASSERT_OK(workload.AwaitProgress(15, 15, kProgressTimeout));
    cluster_.Resume(*leader);
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
    const auto after = cluster_.Status(*leader);
    ASSERT_OK(after.status());
    EXPECT_GT(after->term(), before->term());
  }
  CheckAll(workload);
  Proved("SIGSTOP of the leader, 2 times, during puts and gets: " + workload.Summary());
}

// Defect "a restart loses data or metadata".
TEST_F(Failures, KillOfAllNodesLosesNothingAcknowledged) {
  std::string summary;
  for (int round = 0; round < 2; ++round) {
    Workload workload(cluster_, {.seed = 14 + static_cast<std::uint64_t>(round)});
    ASSERT_OK(workload.AwaitProgress(40, 10, kProgressTimeout));
    for (const int n : kAllNodes) cluster_.Kill(n);
    workload.Stop();  // what runs now fails or is of unknown outcome
    for (const int n : kAllNodes) cluster_.Start(n);
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
    ASSERT_OK(workload.Verify(kAllNodes));
    summary = workload.Summary();
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(client.Clear("").status());  // the next round uses the same names
  }
  Proved("kill -9 of all nodes at once, 2 times, restart: every acknowledged file is there; " + summary);
}

// A clean stop of the whole cluster, one after another, and a start in another order.
TEST_F(Failures, CleanStopAndStartKeepEverything) {
  client::FileClient client(cluster_.Endpoints());
  ASSERT_OK(Put(client, "kept", MakeBytes(5, 3'000'000)));
  for (const int n : kAllNodes) {
    const auto status = cluster_.Terminate(n);
    ASSERT_OK(status.status());
    EXPECT_EQ(*status, 0) << "n" << n;
  }
  for (const int n : {3, 1, 2}) cluster_.Start(n);
  ASSERT_OK(cluster_.WaitReady(kAllNodes));
  for (const int n : kAllNodes) {
    const auto got = GetAt(cluster_.ClientChannel(n), "kept");
    ASSERT_OK(got.status());
    EXPECT_TRUE(*got == MakeBytes(5, 3'000'000));
  }
}

// Feature 34; defect "permanent under-replication".
TEST_F(Failures, NodeThatWasDownDuringPutsGetsItsCopies) {
  client::FileClient client(cluster_.Endpoints());
  const auto down = cluster_.Follower();
  ASSERT_OK(down.status());
  cluster_.Kill(*down);
  const std::vector<std::size_t> sizes = {0, 1, 5'000, 300'000, 2'000'000, 70'000'000};
  for (const std::size_t size : sizes) {
    SeededSource source(size, size);
    ASSERT_OK(client.Put("missed/" + std::to_string(size), source).status());
  }
  cluster_.Start(*down);
  ASSERT_OK(cluster_.WaitReady(kAllNodes));
  ASSERT_OK(cluster_.WaitFullyReplicated(*down));
  for (const std::size_t size : sizes) {
    ASSERT_OK(CheckCopies(cluster_, client, kAllNodes, "missed/" + std::to_string(size),
                          FingerprintOfSeeded(size, size)));
  }
  Proved("files put while a node was down have 3 verified copies soon after its return");
}

// A file whose new version is cut short, because the node that takes it is killed, stays as it was at every node.
// Feature 21; defect "a failed write damages the old version".
TEST_F(Failures, OldVersionIsReadableWhileOverwritesFail) {
  client::FileClient client(cluster_.Endpoints());
  const std::string old_content = MakeBytes(1, 1'000'000);
  ASSERT_OK(Put(client, "precious", old_content));
  const auto channel = cluster_.ClientChannel(1);
  const auto id = NewRequestId(channel);
  ASSERT_OK(id.status());
  // Half a put, more than any window on the way holds, then the coordinator dies.
  auto messages = HonestPut("precious", MakeBytes(2, 60'000'000), *id);
  messages.resize(messages.size() / 2);
  const auto files = v1::Files::NewStub(channel);
  grpc::ClientContext context;
  v1::PutResponse response;
  const auto writer = files->Put(&context, &response);
  for (const auto& message : messages) ASSERT_TRUE(writer->Write(message)) << "it has been answered already";
  cluster_.Kill(1);
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  const auto expect_old_at = [&](int n) {
    const auto got = GetAt(cluster_.ClientChannel(n), "precious");
    ASSERT_OK(got.status());
    EXPECT_TRUE(*got == old_content) << "n" << n;
  };
  ASSERT_OK(cluster_.WaitReady({2, 3}));
  for (const int n : {2, 3}) expect_old_at(n);
  cluster_.Start(1);
  ASSERT_OK(cluster_.WaitReady(kAllNodes));
  for (const int n : kAllNodes) expect_old_at(n);
}

}  // namespace
}  // namespace dfs::testing
