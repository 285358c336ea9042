#include "client/load.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "common/sync.h"

namespace dfs::client {
namespace {

TEST(Latencies, Quantiles) {
  Latencies all;
  EXPECT_EQ(all.Quantile(0.5), absl::ZeroDuration());
  for (int i = 100; i >= 1; --i) all.Add(absl::Milliseconds(i));
  EXPECT_EQ(all.Quantile(0.5), absl::Milliseconds(50));
  EXPECT_EQ(all.Quantile(0.99), absl::Milliseconds(99));
  EXPECT_EQ(all.Quantile(1), absl::Milliseconds(100));
  EXPECT_EQ(all.Quantile(0), absl::Milliseconds(1));
}

TEST(PatternSource, RepeatsThePatternAndFillsWhatIsAskedFor) {
  const Slices pattern = Slices::CopyOf("abcde");
  PatternSource source(pattern, 13);
  EXPECT_EQ(source.Read(8)->ToString(), "abcdeabc");
  EXPECT_EQ(source.Read(8)->ToString(), "deabc");
  EXPECT_TRUE(source.Read(8)->empty());
  ASSERT_TRUE(source.Rewind());
  EXPECT_EQ(source.Read(100)->ToString(), "abcdeabcdeabc");
}

TEST(RunLoad, RunsEachOperationOnceAndCountsThoseThatFail) {
  Mutex mutex;
  std::set<std::uint64_t> numbers;
  std::set<std::size_t> workers;
  const LoadResult result = RunLoad(
      4, 100, absl::InfiniteDuration(), [&](std::size_t worker, std::uint64_t number) -> absl::Status {
        MutexLock lock(&mutex);
        workers.insert(worker);
        EXPECT_TRUE(numbers.insert(number).second);
        return number % 10 == 3 ? absl::UnavailableError("three") : absl::OkStatus();
      });
  EXPECT_EQ(numbers.size(), 100u);
  EXPECT_EQ(*numbers.rbegin(), 99u);
  EXPECT_LE(*workers.rbegin(), 3u);
  EXPECT_EQ(result.latencies.count(), 90u);
  EXPECT_EQ(result.errors, 10u);
  EXPECT_EQ(result.first_error.message(), "three");
  EXPECT_GE(result.elapsed, result.latencies.Quantile(1));
}

TEST(RunLoad, EachWorkerBeginsOneOperationEvenWithoutTime) {
  Mutex mutex;
  std::multiset<std::size_t> workers;
  RunLoad(3, 1'000, absl::ZeroDuration(), [&](std::size_t worker, std::uint64_t) {
    MutexLock lock(&mutex);
    workers.insert(worker);
    return absl::OkStatus();
  });
  EXPECT_EQ(workers, (std::multiset<std::size_t>{0, 1, 2}));
}

}  // namespace
}  // namespace dfs::client
