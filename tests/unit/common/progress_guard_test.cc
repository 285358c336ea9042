#include "common/progress_guard.h"

#include <gtest/gtest.h>

#include "common/admission.h"

namespace dfs {
namespace {

TEST(ProgressGuard, CancelsOnceWhatTakesTooLong) {
  ProgressGuard guard;
  Event cancelled;
  int times = 0;
  {
    ProgressGuard::Watch watch(&guard, absl::Milliseconds(20), [&] {
      ++times;
      cancelled.Set();
    });
    const MonotonicTime start = SystemClock().Now();
    watch.Begin();
    cancelled.Wait();
    EXPECT_GE(SystemClock().Now() - start, absl::Milliseconds(20));
    EXPECT_TRUE(watch.has_fired());
    watch.End();
  }
  EXPECT_EQ(times, 1);
}

TEST(ProgressGuard, WhatIsNotBeingWaitedForIsNotWatched) {
  ProgressGuard guard;
  bool is_cancelled = false;
  ProgressGuard::Watch idle(&guard, absl::Milliseconds(1), [&] { is_cancelled = true; });
  idle.Begin();
  idle.End();
  // Another one that is begun later and fires shows that the guard has looked.
  Event looked;
  ProgressGuard::Watch other(&guard, absl::Milliseconds(1), [&] { looked.Set(); });
  other.Begin();
  looked.Wait();
  EXPECT_FALSE(idle.has_fired());
  EXPECT_FALSE(is_cancelled);
}

TEST(Admission, RefusesWhatIsBeyondAndAdmitsAgain) {
  Admission admission(2);
  const Admission::Ticket first(&admission);
  {
    const Admission::Ticket second(&admission);
    const Admission::Ticket third(&admission);
    EXPECT_TRUE(first.is_admitted() && second.is_admitted());
    EXPECT_FALSE(third.is_admitted());
  }
  EXPECT_TRUE(Admission::Ticket(&admission).is_admitted());
}

}  // namespace
}  // namespace dfs
