// What was removed: taken back, or purged and collected, but not while it is read.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/executor.h"
#include "common/sync.h"
#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

class Trash : public ThreeNodes {
 protected:
  // Through node `n`, which reads its own copy if it has one.
  static Fingerprint ReadAt(int n, const std::string& name) {
    client::FileClient reader({cluster().EndpointOf(n)});
    FingerprintSink sink;
    const auto got = reader.Get(name, sink);
    EXPECT_OK(got.status());
    return sink.fingerprint();
  }
};

TEST_F(Trash, RemovedFileIsTakenBackAndReadAtEveryNode) {
  const std::vector<std::uint64_t> sizes = {0, 5'000, 3'000'000};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::string name = "back/" + std::to_string(i);
    SeededSource source(i, sizes[i]);
    const auto put = client().Put(name, source);
    ASSERT_OK(put.status());
    const auto removed = client().Remove(name);
    ASSERT_OK(removed.status());
    EXPECT_TRUE(absl::IsNotFound(client().Stat(name).status()));
    // Each node lists it at once, since the read index is behind the removal.
    for (int n = 1; n <= 3; ++n) {
      client::FileClient reader({cluster().EndpointOf(n)});
      std::vector<v1::FileInfo> trashed;
      client::ListOptions trash;
      trash.trash = true;
      trash.pattern = "back/[" + std::to_string(i) + "]";
      ASSERT_OK(reader.List(trash, [&](const v1::FileInfo& file) { trashed.push_back(file); }));
      ASSERT_EQ(trashed.size(), 1U) << n;
      EXPECT_EQ(trashed[0].version(), put->info().version());
      EXPECT_EQ(trashed[0].size(), sizes[i]);
      EXPECT_GT(trashed[0].trashed_time_us(), trashed[0].time_us());
      EXPECT_GT(trashed[0].purge_time_us(), trashed[0].trashed_time_us());
    }

    const auto result = cluster().Cli({"--json", "undelete", name});

    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto back = client().Stat(name);
    ASSERT_OK(back.status());
    EXPECT_GT(back->version(), put->info().version());
    EXPECT_EQ(back->size(), sizes[i]);
    EXPECT_EQ(back->content_hash(), put->info().content_hash());
    for (int n = 1; n <= 3; ++n) EXPECT_EQ(ReadAt(n, name), FingerprintOfSeeded(i, sizes[i])) << n;
  }
  Proved("removed files of 0, 5,000 and 3,000,000 bytes were taken back and read at 3 nodes");
}

TEST_F(Trash, UndeleteSaysWhatIsWrong) {
  EXPECT_EQ(cluster().Cli({"undelete", "never/was"}).exit_code, 12);
  EXPECT_EQ(cluster().Cli({"undelete", "../x"}).exit_code, 64);
  SeededSource one(1, 100);
  SeededSource two(2, 200);
  const auto first = client().Put("twice", one);
  ASSERT_OK(first.status());
  ASSERT_OK(client().Put("twice", two).status());
  EXPECT_EQ(cluster().Cli({"undelete", "twice"}).exit_code, 13);
  const std::string version = "--version=" + std::to_string(first->info().version());
  EXPECT_EQ(cluster().Cli({"undelete", "--replace", version, "twice"}).exit_code, 0);
  EXPECT_EQ(ReadAt(2, "twice"), FingerprintOfSeeded(1, 100));
  // The one that made way can be had back in turn.
  EXPECT_EQ(cluster().Cli({"undelete", "--replace", "twice"}).exit_code, 0);
  EXPECT_EQ(ReadAt(2, "twice"), FingerprintOfSeeded(2, 200));
}

// Takes what it is given, and stops for a while after the first piece.
class SlowSink final : public client::ByteSink {
 public:
  absl::Status Write(const Slices& bytes) override {
    begun_.Set();
    go_on_.WaitFor(absl::Seconds(25));  // a server leaves a client that reads nothing for 30 s
    return sink_.Write(bytes);
  }
  bool Rewind() override { return false; }
  Event& begun() { return begun_; }
  Event& go_on() { return go_on_; }
  [[nodiscard]] Fingerprint fingerprint() const { return sink_.fingerprint(); }

 private:
  Event begun_;
  Event go_on_;
  FingerprintSink sink_;
};

// Rule R17: removed, and far beyond its time in the trash, but somebody is reading it.
TEST(TrashTimes, FileThatIsBeingReadIsReadToItsEnd) {
  ProcessCluster cluster{{{"--trash-time=3s", "--chunk-trash-time=500ms", "--question-age=500ms",
                           "--collect-every=500ms", "--purge-quiet=1s"},
                          nullptr}};
  ASSERT_OK(cluster.Up(3));
  client::FileClient client(cluster.Endpoints());
  // The second chunk is opened when the first has been sent.
  constexpr std::uint64_t kBytes = (std::uint64_t{64} << 20) + 3'000'000;
  SeededSource large(1, kBytes);
  ASSERT_OK(client.Put("large", large).status());
  SeededSource other(2, 3'000'000);
  ASSERT_OK(client.Put("other", other).status());
  ASSERT_OK(cluster.WaitFullyReplicated(1));

  SlowSink sink;
  absl::Status read;
  Event is_read;
  ThreadPool pool("reader", 1);
  pool.Post([&] {
    read = client.Get("large", sink).status();
    is_read.Set();
  });
  ASSERT_TRUE(sink.begun().WaitFor(absl::Seconds(20)));
  ASSERT_OK(client.Remove("large").status());
  ASSERT_OK(client.Remove("other").status());
  // The fewest and the most that a node has deleted.
  const auto removed = [&] {
    const auto gc = client.Collect({});
    std::pair<std::uint64_t, std::uint64_t> out{gc.ok() ? UINT64_MAX : 0, 0};
    for (int i = 0; gc.ok() && i < gc->nodes_size(); ++i) {
      out.first = std::min(out.first, gc->nodes(i).removed_chunks());
      out.second = std::max(out.second, gc->nodes(i).removed_chunks());
    }
    return out;
  };
  EXPECT_OK(ProcessCluster::Await("the other one is gone everywhere", absl::Seconds(22),
                                  [&] { return removed().first >= 1; }));
  EXPECT_EQ(removed().second, 1u) << "and nothing else";
  sink.go_on().Set();
  ASSERT_TRUE(is_read.WaitFor(absl::Seconds(60)));
  EXPECT_OK(read);
  EXPECT_EQ(sink.fingerprint(), FingerprintOfSeeded(1, kBytes));
  EXPECT_OK(ProcessCluster::Await("and now this one", absl::Seconds(30),
                                  [&] { return removed().first == 3; }));
  EXPECT_EQ(cluster.Cli({"undelete", "large"}).exit_code, 12) << "purged";
  Proved("a removed file of 67 MiB was read to its end while another one, removed after it, was purged and unlinked");
}

}  // namespace
}  // namespace dfs::testing
