// The real locks, conditions, events, executors and clocks on fibers.
#include "tests/simulation/system/fiber_scheduler.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/random.h"
#include "common/sync.h"

namespace dfs::simulation {
namespace {

FiberScheduler::Options OptionsOf(std::uint64_t seed) {
  FiberScheduler::Options options;
  options.seed = seed;
  return options;
}

TEST(FiberScheduler, TimeJumpsToTheNextTimer) {
  FiberScheduler scheduler(OptionsOf(1));
  scheduler.Run([] {
    const auto start = SystemClock().Now();
    Event never;
    EXPECT_FALSE(never.WaitFor(absl::Hours(5)));
    const auto took = SystemClock().Now() - start;
    EXPECT_GE(took, absl::Hours(5));
    EXPECT_LT(took, absl::Hours(5) + absl::Milliseconds(1));
  });
}

TEST(FiberScheduler, AnExecutorRunsPostsInOrderAndTimersInTime) {
  FiberScheduler scheduler(OptionsOf(2));
  std::string order;
  scheduler.Run([&] {
    ThreadExecutor executor("test");
    Event done;
    const auto start = SystemClock().Now();
    executor.PostAt(start + absl::Seconds(2), [&] { order += "4"; done.Set(); });
    executor.PostAt(start + absl::Seconds(1), [&] { order += "3"; });
    executor.Post([&] { order += "1"; });
    executor.Post([&] { order += "2"; });
    done.Wait();
    executor.Stop();
  });
  EXPECT_EQ(order, "1234");
}

TEST(FiberScheduler, APoolRunsTasksThatWaitForEachOther) {
  FiberScheduler scheduler(OptionsOf(3));
  int ran = 0;
  scheduler.Run([&] {
    ThreadPool pool("pool", 4);
    Event first;
    Event second;
    Event both;
    pool.Post([&] { first.Set(); second.Wait(); ++ran; both.Set(); });
    pool.Post([&] { first.Wait(); ++ran; second.Set(); });
    both.Wait();
    pool.Stop();
  });
  EXPECT_EQ(ran, 2);
}

// Adds one with a lock for the read and another for the write: a race between the two.
int RacyCount(std::uint64_t seed) {
  FiberScheduler scheduler(OptionsOf(seed));
  int count = 0;
  scheduler.Run([&] {
    Mutex mutex;
    ThreadPool pool("pool", 2);
    Event done[2];
    for (auto& each : done) {
      pool.Post([&] {
        int read = 0;
        {
          MutexLock lock(&mutex);
          read = count;
        }
        {
          MutexLock lock(&mutex);
          count = read + 1;
        }
        each.Set();
      });
    }
    for (auto& each : done) each.Wait();
    pool.Stop();
  });
  return count;
}

TEST(FiberScheduler, SeedsExploreRacesBetweenLocks) {
  std::set<int> outcomes;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) outcomes.insert(RacyCount(seed));
  EXPECT_EQ(outcomes, (std::set<int>{1, 2}));
}

TEST(FiberScheduler, ALockExcludesOthersThroughoutAWait) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    FiberScheduler scheduler(OptionsOf(seed));
    scheduler.Run([&] {
      Mutex mutex;
      bool is_inside = false;
      int ended = 0;
      ThreadPool pool("pool", 5);
      CondVar changed;
      for (int i = 0; i < 5; ++i) {
        pool.Post([&] {
          MutexLock lock(&mutex);
          ASSERT_FALSE(is_inside);
          is_inside = true;
          scheduler.SleepFor(1'000'000);
          is_inside = false;
          ++ended;
          changed.SignalAll();
        });
      }
      MutexLock lock(&mutex);
      while (ended < 5) changed.Wait(&mutex);
    });
  }
}

TEST(FiberScheduler, AConditionTellsATimeoutFromASignal) {
  FiberScheduler scheduler(OptionsOf(5));
  scheduler.Run([&] {
    Mutex mutex;
    CondVar changed;
    ThreadExecutor other("other");
    MutexLock lock(&mutex);
    EXPECT_FALSE(changed.WaitFor(&mutex, absl::Milliseconds(10)));
    other.PostAt(SystemClock().Now() + absl::Milliseconds(5), [&] {
      MutexLock inner(&mutex);
      changed.Signal();
    });
    EXPECT_TRUE(changed.WaitFor(&mutex, absl::Milliseconds(10)));
  });
}

TEST(FiberScheduler, AKilledProcessRunsNoMoreAndAPausedOneLater) {
  FiberScheduler scheduler(OptionsOf(6));
  scheduler.Run([&] {
    int ticks = 0;
    const auto process = std::make_shared<SimProcess>();
    scheduler.Spawn(process, [&] {
      while (true) {
        scheduler.SleepFor(1'000'000);
        ++ticks;
      }
    });
    scheduler.SleepFor(10'500'000);
    const int before = ticks;
    EXPECT_GE(before, 9);
    scheduler.SetPaused(process, true);
    scheduler.SleepFor(10'000'000);
    EXPECT_EQ(ticks, before);
    scheduler.SetPaused(process, false);
    scheduler.SleepFor(5'000'000);
    EXPECT_GT(ticks, before);
    scheduler.Kill(process);
    const int last = ticks;
    scheduler.SleepFor(10'000'000);
    EXPECT_EQ(ticks, last);
  });
}

TEST(FiberScheduler, ProcessesHaveTheirOwnClocks) {
  FiberScheduler scheduler(OptionsOf(7));
  scheduler.Run([&] {
    const auto fast = std::make_shared<SimProcess>();
    fast->drift_ppm = 100'000;
    fast->wall_offset_ns = -3'600'000'000'000;
    absl::Duration passed;
    absl::Duration behind;
    scheduler.Spawn(fast, [&] {
      const auto start = SystemClock().Now();
      scheduler.SleepFor(1'000'000'000);
      passed = SystemClock().Now() - start;
      behind = SystemClock().Now() - SystemClock().WallNow();
    });
    scheduler.SleepFor(2'000'000'000);
    EXPECT_NEAR(absl::ToDoubleSeconds(passed), 1.1, 0.001);
    EXPECT_NEAR(absl::ToDoubleSeconds(behind), 3600, 0.001);
  });
}

std::uint64_t HashOf(std::uint64_t seed) {
  FiberScheduler scheduler(OptionsOf(seed));
  scheduler.Run([&] {
    ThreadPool pool("pool", 8);
    Mutex mutex;
    int left = 50;
    CondVar changed;
    for (int i = 0; i < 50; ++i) {
      pool.Post([&] {
        scheduler.SleepFor(static_cast<std::int64_t>(SystemRandom64() % 1'000'000));
        MutexLock lock(&mutex);
        --left;
        changed.SignalAll();
      });
    }
    MutexLock lock(&mutex);
    while (left > 0) changed.Wait(&mutex);
  });
  return scheduler.trace_hash();
}

TEST(FiberScheduler, EqualSeedsGiveEqualRuns) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(HashOf(seed), HashOf(seed));
    hashes.insert(HashOf(seed));
  }
  EXPECT_EQ(hashes.size(), 20u);
}

}  // namespace
}  // namespace dfs::simulation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
