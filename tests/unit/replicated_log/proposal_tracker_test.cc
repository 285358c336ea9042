#include "server/replicated_log/proposal_tracker.h"

#include <gtest/gtest.h>

#include <optional>

namespace dfs::replicated_log {
namespace {

const MonotonicTime kStart = absl::UnixEpoch();

class ProposalTrackerTest : public ::testing::Test {
 protected:
  void Add(std::uint64_t index, std::uint64_t term, bool waits_for_held = true) {
    tracker.Add(LogIndex(index), Term(term), waits_for_held,
                [this](absl::StatusOr<rpc::CommandResult> result) {
                  answer = result.ok() ? absl::OkStatus() : result.status();
                });
  }
  static void Run(std::vector<ProposalTracker::Answer> answers) {
    for (auto& some : answers) some.Run();
  }
  ProposalTracker tracker;
  std::optional<absl::Status> answer;
};

TEST_F(ProposalTrackerTest, AnswersOnceAppliedAndHeld) {
  Add(5, 2);
  Run(tracker.Applied(LogIndex(5), Term(2), {}, LogIndex(4)));
  EXPECT_FALSE(answer.has_value()) << "held by one member only";
  Run(tracker.Held(LogIndex(4)));
  EXPECT_FALSE(answer.has_value());
  Run(tracker.Held(LogIndex(5)));
  EXPECT_EQ(answer, absl::OkStatus());
  EXPECT_TRUE(tracker.empty());
}

TEST_F(ProposalTrackerTest, AChangeOfMembersWaitsForNobodyElse) {
  Add(5, 2, /*waits_for_held=*/false);
  Run(tracker.Applied(LogIndex(5), Term(2), {}, LogIndex(0)));
  EXPECT_EQ(answer, absl::OkStatus());
}

TEST_F(ProposalTrackerTest, AnotherEntryAtItsIndexMeansThatItDidNotHappen) {
  Add(5, 2);
  Run(tracker.Applied(LogIndex(5), Term(3), {}, LogIndex(5)));
  EXPECT_EQ(answer->code(), absl::StatusCode::kUnavailable);
}

TEST_F(ProposalTrackerTest, AfterLostLeadershipTheOutcomeIsUnknownInTheEnd) {
  Add(5, 2);
  tracker.LoseLeadership(kStart + absl::Seconds(1));
  Run(tracker.GiveUp(kStart));
  EXPECT_FALSE(answer.has_value());
  Run(tracker.GiveUp(kStart + absl::Seconds(1)));
  EXPECT_EQ(answer->code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ProposalTrackerTest, WhatWasAppliedIsNeverCalledUnknown) {
  Add(5, 2);
  Run(tracker.Applied(LogIndex(5), Term(2), {}, LogIndex(4)));
  Run(tracker.GiveUp(kStart + absl::Hours(1)));
  EXPECT_FALSE(answer.has_value());
  Run(tracker.Held(LogIndex(9)));
  EXPECT_EQ(answer, absl::OkStatus());
}

TEST_F(ProposalTrackerTest, OneIndexMayWaitInTwoTerms) {
  std::optional<bool> later;
  Add(5, 2);
  tracker.Add(LogIndex(5), Term(4), true,
              [&](const absl::StatusOr<rpc::CommandResult>& result) { later = result.ok(); });
  Run(tracker.Applied(LogIndex(5), Term(4), {}, LogIndex(5)));
  EXPECT_EQ(answer->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(later, true);
}

TEST_F(ProposalTrackerTest, ASnapshotLeavesTheOutcomeUnknown) {
  Add(5, 2);
  Run(tracker.GiveUpTo(LogIndex(4)));
  EXPECT_FALSE(answer.has_value());
  Run(tracker.GiveUpTo(LogIndex(5)));
  EXPECT_EQ(answer->code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace dfs::replicated_log
