#include "client/retry_policy.h"

#include <gtest/gtest.h>

#include <vector>

#include "proto/wire_status.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

constexpr std::size_t kEndpoints = 3;

// One operation under a clock that the test moves.
class RetryPolicyTest : public ::testing::Test {
 protected:
  RetryPolicy New(bool is_change) { return RetryPolicy(limits, is_change, now); }

  // An attempt that took `duration` and failed.
  RetryPolicy::Decision Fail(RetryPolicy& policy, const absl::Status& status,
                             absl::Duration duration, Reach reach = Reach::kSent) {
    policy.RecordAttempt(now);
    now += duration;
    const auto decision = policy.HandleFailure(now, status, reach, kEndpoints, random);
    now += decision.wait;
    return decision;
  }
  // Repeats until it is over; returns how long that took.
  absl::Duration FailUntilOver(RetryPolicy& policy, const absl::Status& status,
                               absl::Duration duration, Reach reach = Reach::kSent) {
    const MonotonicTime began = now;
    attempts = 1;
    while (!Fail(policy, status, duration, reach).is_over) ++attempts;
    return now - began;
  }

  static absl::Status Error(absl::StatusCode code, ErrorDetail::Reason reason,
                            ErrorDetail::Outcome outcome = ErrorDetail::NOTHING_CHANGED) {
    return ErrorWithReason(code, "x", reason, outcome);
  }

  RetryLimits limits;
  MonotonicTime now = absl::FromUnixSeconds(1'000);
  Random random{7};
  int attempts = 0;

  const absl::Status not_leader = Error(absl::StatusCode::kUnavailable, ErrorDetail::NOT_LEADER);
  const absl::Status no_quorum = Error(absl::StatusCode::kUnavailable, ErrorDetail::NO_QUORUM);
  const absl::Status broken =
      Error(absl::StatusCode::kUnavailable, ErrorDetail::REASON_UNSPECIFIED, ErrorDetail::UNKNOWN);
};

// A node waits 1.5 s for a leader before it says that there is none, the others say so at once.
TEST_F(RetryPolicyTest, WaitOfTheFirstAttemptIsPartOfTheWindow) {
  RetryPolicy policy = New(/*is_change=*/false);
  const MonotonicTime began = now;
  ASSERT_FALSE(Fail(policy, no_quorum, absl::Milliseconds(1'500)).is_over);
  FailUntilOver(policy, no_quorum, absl::Milliseconds(10));
  EXPECT_GT(now - began, limits.definite_window - limits.backoff_max);
  EXPECT_LE(now - began, limits.definite_window + limits.backoff_max);
}

// "No quorum" is due within 5 s, also if the next endpoint is a black hole.
TEST_F(RetryPolicyTest, ConnectingIsNotWaitedForBeyondTheWindow) {
  RetryPolicy policy = New(/*is_change=*/false);
  const absl::Duration usual = absl::Seconds(1);
  EXPECT_EQ(policy.WaitBeforeSending(now, usual), usual);
  Fail(policy, no_quorum, absl::Milliseconds(10));
  EXPECT_EQ(policy.WaitBeforeSending(now, usual), usual);
  now += limits.definite_window - absl::Milliseconds(300);
  EXPECT_LE(policy.WaitBeforeSending(now, usual), absl::Milliseconds(300));
  EXPECT_GT(policy.WaitBeforeSending(now + absl::Seconds(9), usual), absl::ZeroDuration());
  // What came nearer to its end has all the time again.
  policy.RecordProgress(now);
  EXPECT_EQ(policy.WaitBeforeSending(now, usual), usual);
}

// A change whose outcome is unknown goes on until the timeout.
TEST_F(RetryPolicyTest, ChangeOfUnknownEndMayWaitForConnections) {
  RetryPolicy policy = New(/*is_change=*/true);
  Fail(policy, no_quorum, absl::Milliseconds(10));
  Fail(policy, broken, absl::Seconds(4));
  EXPECT_EQ(policy.WaitBeforeSending(now, absl::Seconds(1)), absl::Seconds(1));
}

TEST_F(RetryPolicyTest, AnswersThatWillNotChangeAreFinal) {
  for (const auto code : {absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
                          absl::StatusCode::kAlreadyExists, absl::StatusCode::kFailedPrecondition,
                          absl::StatusCode::kOutOfRange, absl::StatusCode::kPermissionDenied,
                          absl::StatusCode::kUnauthenticated, absl::StatusCode::kUnimplemented}) {
    for (const bool is_change : {false, true}) {
      RetryPolicy policy = New(is_change);
      EXPECT_TRUE(Fail(policy, absl::Status(code, "x"), absl::Milliseconds(1)).is_over) << code;
      EXPECT_FALSE(policy.has_unknown_attempt());
    }
  }
  RetryPolicy full = New(true);
  EXPECT_TRUE(Fail(full, Error(absl::StatusCode::kResourceExhausted, ErrorDetail::NO_SPACE),
                   absl::Milliseconds(1))
                  .is_over);
}

TEST_F(RetryPolicyTest, OtherEndpointsAreTriedAtOnceAndThenAfterAWhile) {
  RetryPolicy policy = New(true);
  EXPECT_EQ(Fail(policy, not_leader, absl::ZeroDuration()).wait, absl::ZeroDuration());
  EXPECT_EQ(Fail(policy, not_leader, absl::ZeroDuration()).wait, absl::ZeroDuration());
  EXPECT_GT(Fail(policy, not_leader, absl::ZeroDuration()).wait, absl::ZeroDuration());
  EXPECT_EQ(Fail(policy, not_leader, absl::ZeroDuration()).wait, absl::ZeroDuration());
}

TEST_F(RetryPolicyTest, BackoffGrowsFromAFewMillisecondsWithChanceUpToItsLimit) {
  limits.definite_window = absl::Minutes(10);
  limits.timeout = absl::Minutes(10);
  RetryPolicy policy = New(true);
  std::vector<absl::Duration> waits;
  for (int round = 0; round < 12; ++round) {
    Fail(policy, not_leader, absl::ZeroDuration());
    Fail(policy, not_leader, absl::ZeroDuration());
    waits.push_back(Fail(policy, not_leader, absl::ZeroDuration()).wait);
  }
  absl::Duration limit = limits.backoff_first;
  for (const absl::Duration wait : waits) {
    EXPECT_GE(wait, limit / 2 - absl::Milliseconds(1));
    EXPECT_LE(wait, limit);
    limit = std::min(limit * 2, limits.backoff_max);
  }
  EXPECT_GT(waits.back(), absl::Milliseconds(200));
}

TEST_F(RetryPolicyTest, AdviceOfTheServerIsFollowedWithinLimits) {
  ErrorDetail detail;
  detail.set_retry_after_ms(300);
  RetryPolicy policy = New(true);
  for (int i = 0; i < 2; ++i) {
    Fail(policy, ErrorWithDetail(absl::StatusCode::kUnavailable, "", detail), absl::ZeroDuration());
  }
  EXPECT_GE(Fail(policy, ErrorWithDetail(absl::StatusCode::kUnavailable, "", detail),
                 absl::ZeroDuration())
                .wait,
            absl::Milliseconds(300));
  detail.set_retry_after_ms(3'600'000);
  RetryPolicy other = New(true);
  for (int i = 0; i < 2; ++i) {
    Fail(other, ErrorWithDetail(absl::StatusCode::kUnavailable, "", detail), absl::ZeroDuration());
  }
  EXPECT_LE(
      Fail(other, ErrorWithDetail(absl::StatusCode::kUnavailable, "", detail), absl::ZeroDuration())
          .wait,
      limits.backoff_max);
}

TEST_F(RetryPolicyTest, QuickDefiniteFailuresAreReportedWithinFiveSeconds) {
  for (const auto& status : {not_leader, no_quorum}) {
    RetryPolicy policy = New(true);
    const absl::Duration elapsed = FailUntilOver(policy, status, absl::Milliseconds(2));
    EXPECT_GT(elapsed, absl::Seconds(4));
    EXPECT_LT(elapsed, absl::Seconds(5));
    EXPECT_EQ(policy.last_error(), status);
    EXPECT_FALSE(policy.has_unknown_attempt());
  }
}

TEST_F(RetryPolicyTest, NoQuorumAfterTheServersFiveSecondsIsReportedAtOnce) {
  RetryPolicy policy = New(true);
  EXPECT_EQ(FailUntilOver(policy, no_quorum, absl::Milliseconds(4'600)), absl::Milliseconds(4'600));
  // Two dead endpoints before the one that answers change nothing.
  RetryPolicy second = New(true);
  Fail(second, Error(absl::StatusCode::kUnavailable, ErrorDetail::REASON_UNSPECIFIED),
       absl::Milliseconds(1), Reach::kNotSent);
  Fail(second, Error(absl::StatusCode::kUnavailable, ErrorDetail::REASON_UNSPECIFIED),
       absl::Milliseconds(1), Reach::kNotSent);
  EXPECT_TRUE(Fail(second, no_quorum, absl::Milliseconds(4'500)).is_over);
}

TEST_F(RetryPolicyTest, QuickNoQuorumAfterALongUploadIsNotRepeatedForEver) {
  RetryPolicy policy = New(true);
  const MonotonicTime began = now;
  bool is_over = false;
  for (int i = 0; i < 20 && !is_over; ++i) {
    policy.RecordAttempt(now);
    for (int piece = 0; piece < 10; ++piece) policy.RecordMotion(now += absl::Milliseconds(100));
    is_over = policy.HandleFailure(now, no_quorum, Reach::kSent, kEndpoints, random).is_over;
  }
  EXPECT_TRUE(is_over);
  EXPECT_LT(now - began, absl::Seconds(8));
}

TEST_F(RetryPolicyTest, NodeKilledLateInALongUploadIsReplaced) {
  RetryPolicy policy = New(true);
  for (int i = 0; i < 5; ++i) {
    policy.RecordAttempt(now);
    for (int piece = 0; piece < 200; ++piece) policy.RecordMotion(now += absl::Milliseconds(100));
    EXPECT_FALSE(
        policy
            .HandleFailure(now,
                           Error(absl::StatusCode::kUnavailable, ErrorDetail::REASON_UNSPECIFIED),
                           Reach::kSent, kEndpoints, random)
            .is_over);
  }
}

TEST_F(RetryPolicyTest, ProgressForgetsEarlierFailures) {
  RetryPolicy policy = New(false);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(Fail(policy, broken, absl::Seconds(1)).is_over) << i;
    policy.RecordAttempt(now);
    policy.RecordProgress(now);
  }
}

TEST_F(RetryPolicyTest, UnknownEndOfAChangeIsRepeatedUntilTheTimeoutAndRemembered) {
  RetryPolicy change = New(true);
  const absl::Duration elapsed = FailUntilOver(change, broken, absl::Milliseconds(600));
  EXPECT_GT(elapsed, absl::Seconds(25));
  EXPECT_LT(elapsed, absl::Seconds(32));
  EXPECT_TRUE(change.has_unknown_attempt());
  // A later definite answer is about its own attempt only.
  RetryPolicy mixed = New(true);
  Fail(mixed, broken, absl::Milliseconds(1));
  Fail(mixed, Error(absl::StatusCode::kFailedPrecondition, ErrorDetail::PRECONDITION),
       absl::Milliseconds(1));
  EXPECT_TRUE(mixed.has_unknown_attempt());
  // A read has nothing that could be unknown.
  RetryPolicy read = New(false);
  EXPECT_LT(FailUntilOver(read, broken, absl::Milliseconds(1)), absl::Seconds(5));
  EXPECT_FALSE(read.has_unknown_attempt());
}

TEST_F(RetryPolicyTest, WhatWasNotSentCannotHaveHappened) {
  RetryPolicy policy = New(true);
  const absl::Duration elapsed =
      FailUntilOver(policy, broken, absl::Milliseconds(1), Reach::kNotSent);
  EXPECT_FALSE(policy.has_unknown_attempt());
  EXPECT_LT(elapsed, absl::Seconds(3));
  EXPECT_GE(elapsed, limits.unreachable_window);
}

TEST_F(RetryPolicyTest, AnswerOfAServerIsReportedRatherThanARefusedConnection) {
  RetryPolicy policy = New(true);
  Fail(policy, no_quorum, absl::Milliseconds(1));
  absl::Status unreachable = Error(absl::StatusCode::kUnavailable, ErrorDetail::REASON_UNSPECIFIED);
  while (!Fail(policy, unreachable, absl::Milliseconds(1), Reach::kNotSent).is_over) {
  }
  EXPECT_EQ(policy.last_error(), no_quorum);
}

TEST_F(RetryPolicyTest, OverloadIsWaitedOutUntilTheTimeout) {
  RetryPolicy policy = New(true);
  const auto busy = Error(absl::StatusCode::kResourceExhausted, ErrorDetail::OVERLOADED);
  limits.attempts_max = 100'000;
  RetryPolicy patient = New(true);
  EXPECT_GT(FailUntilOver(patient, busy, absl::Milliseconds(1)), absl::Seconds(29));
  EXPECT_LT(now - absl::FromUnixSeconds(1'000), absl::Seconds(32));
  FailUntilOver(policy, busy, absl::Milliseconds(1));
  EXPECT_LE(attempts, 64);
}

TEST_F(RetryPolicyTest, DamagedBytesAreRepeatedAFewTimes) {
  RetryPolicy policy = New(false);
  FailUntilOver(policy, Error(absl::StatusCode::kDataLoss, ErrorDetail::BAD_CHECKSUM),
                absl::Milliseconds(1));
  EXPECT_EQ(attempts, limits.damaged_attempts_max);
}

TEST_F(RetryPolicyTest, LostRaceIsFinalForAChangeAndRepeatedForARead) {
  const auto aborted = Error(absl::StatusCode::kAborted, ErrorDetail::REASON_UNSPECIFIED);
  RetryPolicy change = New(true);
  EXPECT_TRUE(Fail(change, aborted, absl::Milliseconds(1)).is_over);
  RetryPolicy read = New(false);
  EXPECT_FALSE(Fail(read, aborted, absl::Milliseconds(1)).is_over);
}

TEST_F(RetryPolicyTest, ShortTimeoutIsKept) {
  limits.timeout = absl::Milliseconds(500);
  for (const auto& status : {not_leader, broken}) {
    RetryPolicy policy = New(true);
    EXPECT_LT(FailUntilOver(policy, status, absl::Milliseconds(5)), absl::Seconds(1));
  }
}

}  // namespace
}  // namespace dfs::client
