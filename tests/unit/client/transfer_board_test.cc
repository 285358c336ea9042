#include "client/cli/transfer_board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "client/caller.h"
#include "common/sync.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

class TransferBoardTest : public ::testing::Test {
 protected:
  TransferBoardTest() {
    GlobalFlags flags;
    flags.is_quiet = true;
    session = *Session::Make(flags);
  }
  static std::string NameOf(std::size_t index) { return "file " + std::to_string(index); }
  static absl::Status NoQuorum() {
    return ErrorWithReason(absl::StatusCode::kUnavailable, "none", v1::ErrorDetail::NO_QUORUM);
  }
  std::unique_ptr<Session> session;
};

TEST_F(TransferBoardTest, JobsRunAtOnceAndNoMoreThanThese) {
  constexpr int kJobs = 3;
  TransferBoard board(*session, "moved", 20, 0);
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  std::atomic<int> begun = 0;
  Event all_are_in;
  board.Run(
      kJobs,
      [&](std::size_t, const OnProgress& on_progress) -> absl::StatusOr<FileDone> {
        const int now = ++at_once;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        if (++begun == kJobs) all_are_in.Set();
        EXPECT_TRUE(all_are_in.WaitFor(absl::Minutes(1))) << "as many as there are jobs";
        on_progress(1, 2);
        --at_once;
        return FileDone();
      },
      NameOf);
  EXPECT_EQ(most, kJobs);
  EXPECT_EQ(begun, 20);
  EXPECT_EQ(board.Finish(), kExitOk);
}

TEST_F(TransferBoardTest, ExitCodeSaysWhetherAllFailedOrSome) {
  const auto run = [&](std::size_t good, const Failures& failures) {
    TransferBoard board(*session, "moved", 4, 0);
    board.Fail(failures);
    board.Run(
        1,
        [good](std::size_t index, const OnProgress&) -> absl::StatusOr<FileDone> {
          if (index < good) return FileDone();
          return absl::NotFoundError("gone");
        },
        NameOf);
    return board.Finish();
  };
  EXPECT_EQ(run(4, {}), kExitOk);
  EXPECT_EQ(run(3, {}), kExitPartly);
  EXPECT_EQ(run(0, {}), kExitNotFound);
  EXPECT_EQ(run(4, {{"x", NoQuorum()}}), kExitPartly);
  EXPECT_EQ(run(0, {{"x", NoQuorum()}}), kExitNoQuorum) << "that of the first";
}

TEST_F(TransferBoardTest, GivesUpAfterManyInARowOrAtOnceIfNobodyIsThere) {
  const auto tried = [&](const absl::Status& status, std::size_t good_every) {
    TransferBoard board(*session, "moved", 100, 0);
    std::atomic<int> count = 0;
    board.Run(
        1,
        [&](std::size_t index, const OnProgress&) -> absl::StatusOr<FileDone> {
          ++count;
          if (good_every > 0 && index % good_every == 0) return FileDone();
          return status;
        },
        NameOf);
    EXPECT_NE(board.Finish(), kExitOk);
    return count.load();
  };
  EXPECT_EQ(tried(NoQuorum(), 0), TransferBoard::kHopelessMax);
  EXPECT_EQ(tried(NoQuorum(), TransferBoard::kHopelessMax), 100) << "one works now and then";
  EXPECT_EQ(tried(Unreachable("h:1"), 0), 1);
  EXPECT_EQ(tried(absl::NotFoundError("gone"), 0), 100) << "which says nothing about the others";
}

TEST_F(TransferBoardTest, GivesUpAtTheFailureThatItIsTold) {
  TransferBoard board(*session, "moved", 10, 0);
  board.GiveUpAt(kExitNotFound);
  board.Run(
      1,
      [&](std::size_t index, const OnProgress&) -> absl::StatusOr<FileDone> {
        if (index == 3) return absl::NotFoundError("gone");
        FileDone done;
        done.bytes = 5;
        done.was_there = index == 0;
        return done;
      },
      NameOf);
  TransferBoard::Sum sum = board.sum();
  EXPECT_EQ(sum.done, 3U);
  EXPECT_EQ(sum.were_there, 1U);
  EXPECT_EQ(sum.failed, 1U);
  EXPECT_EQ(sum.untried, 6U);
  EXPECT_EQ(sum.bytes_moved, 10U);
  EXPECT_EQ(sum.ExitCode(), kExitPartly);
  TransferBoard::Sum first;
  EXPECT_EQ(first.ExitCode(), kExitOk);
  first.first_failure = kExitNoQuorum;
  first.Add({.failed = 1, .first_failure = kExitNotFound});
  EXPECT_EQ(first.ExitCode(), kExitNoQuorum);
  EXPECT_EQ(first.failed, 1U);
}

TEST_F(TransferBoardTest, WhatIsCountedSilentlyIsNoSignOfTheCluster) {
  TransferBoard board(*session, "moved", 100, 0);
  board.Run(
      1,
      [&](std::size_t index, const OnProgress&) -> absl::StatusOr<FileDone> {
        FileDone done;
        done.is_silent = true;
        if (index % 2 == 0) return done;
        return NoQuorum();
      },
      NameOf);
  EXPECT_EQ(board.sum().failed, static_cast<std::uint64_t>(TransferBoard::kHopelessMax));
}

}  // namespace
}  // namespace dfs::client::cli
