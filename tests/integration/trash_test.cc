// What was removed: taken back, purged, collected; and disks that are full.
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"
#include "tests/support/workload.h"

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

}  // namespace
}  // namespace dfs::testing
