// Disks that hang for as long as a test likes: whoever waited for them would wait for ever.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/disk_faults.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

// Below the 4.5 s after which an operation gives up, and the 10 s after which a transfer does.
constexpr absl::Duration kSoon = absl::Seconds(4);

class SlowDisk : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef DFS_HAS_ADDRESS_SANITIZER
    GTEST_SKIP() << "the sanitizer's library must be loaded first";
#endif
  }
  // From now on syncs below `part` of the node's data hang.
  void HangSyncs(int n, const std::string& part = "") {
    faults_.Set(n, {{.op = "sync", .path = cluster_.DataFolder(n) + part, .delay = absl::Hours(1)}});
    ASSERT_OK(ProcessCluster::Await("a sync that hangs", absl::Seconds(20),
                                    [&] { return faults_.Met(n, "sync") > 0; }));
  }
  static absl::Duration TimeOf(const std::function<absl::Status()>& operation) {
    const MonotonicTime start = SystemClock().Now();
    EXPECT_OK(operation());
    return SystemClock().Now() - start;
  }

  DiskFaults faults_;
  ProcessCluster cluster_{{.flags = {}, .environment = [this](int n) {
                             return faults_.EnvironmentOf(n);
                           }}};
};

TEST_F(SlowDisk, PutsAndGetsGoOnWhileTheDiskOfAFollowerHangs) {
  ASSERT_OK(cluster_.Up(3));
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  const auto slow = cluster_.Follower();
  ASSERT_OK(slow.status());
  client::FileClient client({cluster_.EndpointOf(*leader)});
  ASSERT_OK(Put(client, "before", MakeBytes(1, 1'000)));
  HangSyncs(*slow);
  absl::Duration longest;
  for (const std::size_t size : {std::size_t{1'000}, std::size_t{300'000}, std::size_t{5'000'000}}) {
    const std::string content = MakeBytes(size, size);
    const std::string name = "during/" + std::to_string(size);
    longest = std::max(longest, TimeOf([&] { return Put(client, name, content); }));
    longest = std::max(longest, TimeOf([&] { return Get(client, name).status(); }));
    // The slow node lags: the leader answers for it.
    longest = std::max(longest, TimeOf([&]() -> absl::Status {
                         const auto got = GetAt(cluster_.ClientChannel(*slow), name);
                         if (got.ok()) EXPECT_TRUE(*got == content);
                         return got.status();
                       }));
  }
  EXPECT_LT(longest, kSoon);
  // Longer than what a replica may lag: it is cut off.
  SeededSource large(7, 150'000'000);
  ASSERT_OK(client.Put("during/large", large).status());
  faults_.Clear(*slow);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  ASSERT_OK(cluster_.WaitFullyReplicated(*leader, absl::Minutes(1)));
  ASSERT_OK(CheckCopies(cluster_, client, {1, 2, 3}, "during/large",
                        FingerprintOfSeeded(7, 150'000'000)));
  Proved("puts and gets go on while the disk of one of three nodes hangs: at most " +
         absl::FormatDuration(absl::Trunc(longest, absl::Milliseconds(1))) + " each");
}

TEST_F(SlowDisk, ALeaderWhoseLogHangsIsReplaced) {
  ASSERT_OK(cluster_.Up(3));
  const auto old = cluster_.Leader();
  ASSERT_OK(old.status());
  client::FileClient client(cluster_.Endpoints());
  ASSERT_OK(Put(client, "before", "content"));
  faults_.Set(*old, {{.op = "sync", .path = cluster_.DataFolder(*old) + "/meta", .delay = absl::Hours(1)}});
  const absl::Duration pause = TimeOf([&] { return Put(client, "during", "content"); });
  EXPECT_LT(pause, 2 * kSoon);
  EXPECT_GE(faults_.Met(*old, "sync"), 1);
  // It says at once that another is to be asked, and clients that come to it first do so.
  const MonotonicTime asked = SystemClock().Now();
  EXPECT_EQ(PutAt(cluster_.ClientChannel(*old), "refused", "content").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_LT(SystemClock().Now() - asked, absl::Seconds(2));
  std::vector<std::string> endpoints = cluster_.Endpoints();
  std::rotate(endpoints.begin(), endpoints.begin() + (*old - 1), endpoints.end());
  client::FileClient comes_first(endpoints);
  EXPECT_LT(TimeOf([&] { return Put(comes_first, "elsewhere", "content"); }), kSoon);
  faults_.Clear(*old);
  ASSERT_OK(cluster_.WaitReady({1, 2, 3}));
  const auto got = GetAt(cluster_.ClientChannel(*old), "during");
  ASSERT_OK(got.status());
  EXPECT_EQ(*got, "content");
  Proved("a leader whose log disk hangs is replaced: " +
         absl::FormatDuration(absl::Trunc(pause, absl::Milliseconds(1))) +
         " to the next acknowledged put");
}

TEST_F(SlowDisk, NewFilesAvoidANodeWhoseDiskHangs) {
  ASSERT_OK(cluster_.Up(4));
  const auto slow = cluster_.Follower();
  ASSERT_OK(slow.status());
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  client::FileClient client({cluster_.EndpointOf(*leader)});
  const auto names_it = [&](const std::string& name) {
    const auto located = client.Locate(name);
    EXPECT_OK(located.status());
    if (!located.ok()) return true;
    return std::any_of(located->locations().begin(), located->locations().end(),
                       [&](const auto& row) { return row.node() == "n" + std::to_string(*slow); });
  };
  int next = 0;
  const auto put = [&] {
    const std::string name = "file/" + std::to_string(++next);
    EXPECT_OK(Put(client, name, "content"));
    return names_it(name);
  };
  // While all is well each node gets some.
  ASSERT_OK(ProcessCluster::Await("a file on it", absl::Seconds(30), put));
  HangSyncs(*slow);
  // Transactions opened before hold for 10 s.
  int avoided = 0;
  ASSERT_OK(ProcessCluster::Await("30 files in a row elsewhere", absl::Seconds(60), [&] {
    avoided = put() ? 0 : avoided + 1;
    return avoided == 30;
  }));
  faults_.Clear(*slow);
  ASSERT_OK(ProcessCluster::Await("a file on it again", absl::Seconds(60), put));
  Proved("new files avoid a node whose disk hangs, and come back to it");
}

// Feature 22.
TEST_F(SlowDisk, AGetLeavesTheDiskThatHangs) {
  ASSERT_OK(cluster_.Up(3));
  client::FileClient client(cluster_.Endpoints());
  const std::string content = MakeBytes(3, 3'000'000);
  ASSERT_OK(Put(client, "file", content));
  ASSERT_OK(cluster_.WaitFullyReplicated(1));
  for (const int n : {1, 2, 3}) {
    faults_.Set(n, {{.op = "read", .path = cluster_.DataFolder(n) + "/chunks", .delay = absl::Hours(1)}});
    const absl::Duration time = TimeOf([&]() -> absl::Status {
      const auto got = GetAt(cluster_.ClientChannel(n), "file");
      if (got.ok()) EXPECT_TRUE(*got == content);
      return got.status();
    });
    EXPECT_LT(time, kSoon);
    EXPECT_GE(faults_.Met(n, "read"), 1) << "its own copy was not tried";
    faults_.Clear(n);
  }
  Proved("a get through a node whose disk hangs takes the bytes from another");
}

}  // namespace
}  // namespace dfs::testing
