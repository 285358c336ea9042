#include "common/executor.h"

#include <gtest/gtest.h>

#include <vector>

namespace dfs {
namespace {

TEST(ThreadExecutor, RunsTasksInOrderOfPosting) {
  ThreadExecutor executor("test");
  std::vector<int> order;
  Event done;
  for (int i = 0; i < 100; ++i) executor.Post([&order, i] { order.push_back(i); });
  executor.Post([&done] { done.Set(); });
  done.Wait();
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadExecutor, RunsTimersWhenDueAndInOrder) {
  ThreadExecutor executor("test");
  std::vector<int> order;
  Event done;
  const MonotonicTime now = SystemClock().Now();
  executor.PostAt(now + absl::Milliseconds(20), [&] {
    order.push_back(2);
    done.Set();
  });
  executor.PostAt(now + absl::Milliseconds(10), [&] { order.push_back(1); });
  done.Wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(SystemClock().Now(), now + absl::Milliseconds(20));
}

TEST(ThreadExecutor, StopDropsWhatHasNotRun) {
  bool has_run = false;
  {
    ThreadExecutor executor("test");
    executor.PostAt(SystemClock().Now() + absl::Hours(1), [&] { has_run = true; });
    executor.Stop();
    executor.Post([&] { has_run = true; });
  }
  EXPECT_FALSE(has_run);
}

TEST(ThreadPool, RunsBlockingTasksSideBySide) {
  ThreadPool pool("test", 2);
  Event first;
  Event second;
  Event done;
  pool.Post([&] {
    first.Set();
    second.Wait();
    done.Set();
  });
  pool.Post([&] {
    first.Wait();
    second.Set();
  });
  EXPECT_TRUE(done.WaitFor(absl::Seconds(30)));
}

}  // namespace
}  // namespace dfs
