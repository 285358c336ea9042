#include "server/coordinator/quorum_tally.h"

#include <gtest/gtest.h>

namespace dfs::coordinator {
namespace {

using Verdict = QuorumTally::Verdict;

QuorumTally TwoOfThree() {
  QuorumTally tally(2);
  for (std::uint32_t node : {1u, 2u, 3u}) tally.AddCandidate(NodeId(node));
  return tally;
}

TEST(QuorumTally, IsPendingUntilTheQuorumAnswered) {
  QuorumTally tally = TwoOfThree();
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
  tally.RecordAcknowledged(NodeId(1));
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
  tally.RecordAcknowledged(NodeId(3));
  EXPECT_EQ(tally.verdict(), Verdict::kReached);
}

TEST(QuorumTally, CountsANodeOnce) {
  QuorumTally tally = TwoOfThree();
  tally.RecordAcknowledged(NodeId(1));
  tally.RecordAcknowledged(NodeId(1));
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
}

TEST(QuorumTally, IgnoresNodesThatWereNotAsked) {
  QuorumTally tally = TwoOfThree();
  tally.RecordAcknowledged(NodeId(1));
  tally.RecordAcknowledged(NodeId(9));
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
}

TEST(QuorumTally, IsLostWhenTooManyRefused) {
  QuorumTally tally = TwoOfThree();
  tally.RecordRefused(NodeId(1));
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
  tally.RecordRefused(NodeId(2));
  EXPECT_EQ(tally.verdict(), Verdict::kLost);
}

TEST(QuorumTally, ASpareReopensALostWrite) {
  QuorumTally tally = TwoOfThree();
  tally.RecordRefused(NodeId(1));
  tally.RecordRefused(NodeId(2));
  tally.AddCandidate(NodeId(4));
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
  tally.RecordAcknowledged(NodeId(3));
  tally.RecordAcknowledged(NodeId(4));
  EXPECT_EQ(tally.verdict(), Verdict::kReached);
}

TEST(QuorumTally, RefusalAfterQuorumDoesNotChangeTheVerdict) {
  QuorumTally tally = TwoOfThree();
  tally.RecordAcknowledged(NodeId(1));
  tally.RecordAcknowledged(NodeId(2));
  tally.RecordRefused(NodeId(3));
  tally.RecordRefused(NodeId(1));
  EXPECT_EQ(tally.verdict(), Verdict::kReached);
  EXPECT_TRUE(tally.is_complete());
  EXPECT_EQ(tally.acknowledged().size(), 2u);
}

TEST(QuorumTally, AnAnswerIsFinalPerNode) {
  QuorumTally tally = TwoOfThree();
  tally.RecordRefused(NodeId(1));
  tally.RecordAcknowledged(NodeId(1));
  tally.RecordAcknowledged(NodeId(2));
  EXPECT_EQ(tally.verdict(), Verdict::kPending);
}

}  // namespace
}  // namespace dfs::coordinator
