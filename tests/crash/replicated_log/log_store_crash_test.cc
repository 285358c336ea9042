// Stops the store at its file operations, loses what was not synced, opens it again and looks.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/crash/replicated_log/log_store_workload.h"

namespace dfs::replicated_log {
namespace {

using testing::FaultFileSystem;
using Loss = FaultFileSystem::Loss;

constexpr Loss kLosses[] = {Loss::kDrop, Loss::kTear, Loss::kZero, Loss::kNone};

struct Plan {
  std::uint64_t seed = 0;
  std::size_t row_bytes = 0;
  int steps = 0;
  std::uint64_t stop_at = 0;       // this operation fails, and all after it
  Loss loss = Loss::kDrop;
  std::uint64_t second_stop = 0;   // so many operations after the first crash; 0: none
};

std::string ToString(const Plan& plan) {
  return absl::StrCat("seed ", plan.seed, ", rows of ", plan.row_bytes, ", stop at ", plan.stop_at,
                      ", loss ", static_cast<int>(plan.loss), ", second stop ", plan.second_stop);
}

// True if the workload was through before the stop.
bool RunPlan(const Plan& plan) {
  SCOPED_TRACE(ToString(plan));
  FaultFileSystem disk;
  LogStoreWorkload workload(&disk, plan.seed, plan.row_bytes);
  disk.StopAt(plan.stop_at);
  // A restart in between: closing and opening have file operations too.
  bool is_open = workload.Open();
  if (is_open) workload.Run(plan.steps);
  if (is_open) workload.Close();
  if (is_open && !disk.is_stopped()) is_open = workload.Open();
  if (is_open) {
    workload.Run(plan.steps);
    workload.Close();
  }
  const bool is_through = !disk.is_stopped();
  disk.Crash(plan.loss, plan.seed * 1'000'003 + plan.stop_at);
  if (plan.second_stop != 0) {
    // Opening after the crash is cut short as well.
    disk.StopAt(disk.operations() + plan.second_stop);
    if (workload.Open()) workload.Close();
    disk.Crash(plan.loss, plan.seed * 1'000'033 + plan.stop_at);
  }
  EXPECT_TRUE(workload.Open());
  if (::testing::Test::HasFailure()) return true;
  workload.Check();
  workload.Run(plan.steps);
  workload.Close();
  EXPECT_TRUE(workload.Open());
  if (::testing::Test::HasFailure()) return true;
  workload.Check();
  workload.Close();
  return is_through;
}

// `stride` operations lie between two stops, so that the test fits into its time; the seeds begin at different ones.
void StopEverywhere(std::uint64_t seed, std::size_t row_bytes, int steps, std::uint64_t stride) {
  int plans = 0;
  for (std::uint64_t stop = 1 + seed % stride;; stop += stride) {
    Plan plan{seed, row_bytes, steps, stop, kLosses[(stop / stride + seed) % 4], 0};
    if ((stop / stride) % 3 == 0) plan.second_stop = 1 + (stop / stride) % 41;
    ++plans;
    if (RunPlan(plan) || ::testing::Test::HasFailure()) break;
  }
  ::testing::Test::RecordProperty("plans", plans);
}

class LogStoreCrash : public ::testing::TestWithParam<std::uint64_t> {};

// Features 31, 43.
TEST_P(LogStoreCrash, WhatWasAcknowledgedIsThere) {
  const bool is_nightly = std::getenv("DFS_TEST_NIGHTLY") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  StopEverywhere(GetParam(), 10, 25, is_nightly ? 1 : 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LogStoreCrash, ::testing::Range<std::uint64_t>(1, 6));

// Large rows: the write-ahead log is switched, families are flushed and compacted meanwhile.
class LogStoreCrashWithFlushes : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(LogStoreCrashWithFlushes, WhatWasAcknowledgedIsThere) {
  StopEverywhere(GetParam(), 700'000, 30, 23);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LogStoreCrashWithFlushes, ::testing::Range<std::uint64_t>(1, 4));

}  // namespace
}  // namespace dfs::replicated_log
