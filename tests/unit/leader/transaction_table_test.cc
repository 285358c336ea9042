#include "server/leader/transaction_table.h"

#include <gtest/gtest.h>

#include "tests/unit/leader/test_start.h"

namespace dfs::leader {
namespace {

const NodeId kNode(2);
const RunId kRun(7);

TxnId OpenOne(TransactionTable& table, MonotonicTime now = kStart, RunId run = kRun) {
  return table.Open(kNode, run, 1, now)->front();
}

TEST(TransactionTable, NumbersFromOneInItsTerm) {
  TransactionTable table(Term(4));
  const auto txns = *table.Open(kNode, kRun, 3, kStart);
  EXPECT_EQ(txns, (std::vector<TxnId>{{Term(4), 1}, {Term(4), 2}, {Term(4), 3}}));
}

TEST(TransactionTable, StatesOfWhatItDoesNotHave) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  EXPECT_EQ(table.StateOf(txn), TransactionState::kOpen);
  EXPECT_EQ(table.StateOf({Term(4), 2}), TransactionState::kNotOurs);  // not given yet
  EXPECT_EQ(table.StateOf({Term(3), 1}), TransactionState::kNotOurs);
  EXPECT_EQ(table.StateOf({Term(5), 1}), TransactionState::kNotOurs);
}

TEST(TransactionTable, IsClosedAfterTenSecondsWithoutRenewal) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  table.Expire(kStart + absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_EQ(table.StateOf(txn), TransactionState::kOpen);
  table.Expire(kStart + absl::Seconds(10));
  EXPECT_EQ(table.StateOf(txn), TransactionState::kClosed);
}

TEST(TransactionTable, RenewalKeepsItOpenForEver) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  for (int i = 1; i <= 100; ++i) {
    const MonotonicTime now = kStart + absl::Seconds(9 * i);
    EXPECT_TRUE(table.Renew(kNode, kRun, {txn}, now).empty());
    table.Expire(now);
  }
  EXPECT_EQ(table.StateOf(txn), TransactionState::kOpen);
}

TEST(TransactionTable, RenewalNamesWhatIsUnknown) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  const TxnId closed = OpenOne(table);
  table.Close(closed);
  const TxnId old{Term(3), 1};
  EXPECT_EQ(table.Renew(kNode, kRun, {txn, closed, old}, kStart),
            (std::vector<TxnId>{closed, old}));
}

TEST(TransactionTable, RenewalOfAnothersTransactionIsUnknownAndDoesNotRenew) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  EXPECT_EQ(table.Renew(NodeId(3), RunId(9), {txn}, kStart + absl::Seconds(5)).size(), 1u);
  table.Expire(kStart + absl::Seconds(10));
  EXPECT_EQ(table.StateOf(txn), TransactionState::kClosed);
}

TEST(TransactionTable, NewRunOfTheCoordinatorClosesWhatTheOldOneHad) {
  TransactionTable table(Term(4));
  const TxnId before = OpenOne(table);
  const TxnId other = table.Open(NodeId(3), RunId(1), 1, kStart)->front();
  const TxnId after = OpenOne(table, kStart, RunId(8));
  EXPECT_EQ(table.StateOf(before), TransactionState::kClosed);
  EXPECT_EQ(table.StateOf(other), TransactionState::kOpen);
  EXPECT_EQ(table.StateOf(after), TransactionState::kOpen);
}

TEST(TransactionTable, NewRunLeavesWhatIsProposedToItsEntry) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  ASSERT_TRUE(table.Propose(txn));
  (void)table.Renew(kNode, RunId(8), {}, kStart);
  EXPECT_EQ(table.StateOf(txn), TransactionState::kProposed);
}

TEST(TransactionTable, IsProposedAtMostOnceWhilePending) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  EXPECT_TRUE(table.Propose(txn));
  EXPECT_FALSE(table.Propose(txn));
}

TEST(TransactionTable, IsNeverProposedAfterClosing) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  table.Close(txn);
  EXPECT_FALSE(table.Propose(txn));
  EXPECT_EQ(table.StateOf(txn), TransactionState::kClosed);
}

TEST(TransactionTable, IsOpenAgainIfTheProposalNeverBecameAnEntry) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  ASSERT_TRUE(table.Propose(txn));
  table.Unpropose(txn, kStart);
  EXPECT_TRUE(table.Propose(txn));
}

TEST(TransactionTable, ProposedOnesDoNotExpireAndAreNotCancelled) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  ASSERT_TRUE(table.Propose(txn));
  table.Cancel(kNode, kRun, txn);
  table.Expire(kStart + absl::Hours(1));
  EXPECT_EQ(table.StateOf(txn), TransactionState::kProposed);
}

TEST(TransactionTable, OnlyItsCoordinatorsRunCancels) {
  TransactionTable table(Term(4));
  const TxnId txn = OpenOne(table);
  table.Cancel(NodeId(3), kRun, txn);
  table.Cancel(kNode, RunId(8), txn);
  EXPECT_EQ(table.StateOf(txn), TransactionState::kOpen);
  table.Cancel(kNode, kRun, txn);
  EXPECT_EQ(table.StateOf(txn), TransactionState::kClosed);
}

TEST(TransactionTable, RefusesMoreThanItsBound) {
  TransactionTable table(Term(4));
  ASSERT_TRUE(table.Open(kNode, kRun, TransactionTable::kOpenPerCoordinatorMax, kStart).ok());
  EXPECT_EQ(table.Open(kNode, kRun, 1, kStart).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(table.Open(NodeId(3), RunId(1), 1, kStart).ok());
  EXPECT_EQ(table.size(), TransactionTable::kOpenPerCoordinatorMax + 1);
}

}  // namespace
}  // namespace dfs::leader
