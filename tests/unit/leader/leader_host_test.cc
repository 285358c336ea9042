// What the leader does for others: transactions, changes, copies, verdicts.
#include "server/leader/leader_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/error_detail.h"
#include "tests/unit/leader/leader_host_fixture.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// ---- transactions ----

TEST_F(LeaderHostTest, ANodeThatDoesNotLeadSaysSoAndThatNothingHappened) {
  host_ = std::make_unique<LeaderHost>(world_.Make(), LeaderOptions());
  const auto opened = Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DetailOf(opened.status())->reason(), api::ErrorDetail::NOT_LEADER);
  EXPECT_EQ(OutcomeOf(opened.status()), api::ErrorDetail::NOTHING_CHANGED);
}

TEST_F(LeaderHostTest, OpensTransactionsWithTheCoordinatorFirst) {
  Lead();
  const auto opened = Open(4);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->write_quorum(), 2u);
  ASSERT_EQ(opened->transactions_size(), 4);
  for (const auto& transaction : opened->transactions()) {
    EXPECT_EQ(transaction.txn().term(), 5u);
    EXPECT_EQ(transaction.replicas(0), 2u);
    EXPECT_THAT(transaction.set(), UnorderedElementsAre(1u, 2u, 3u));
  }
}

TEST_F(LeaderHostTest, ADeadNodeStandsInTheSetButIsNotWritten) {
  Lead();
  world_.dead.insert(NodeId(3));
  const auto opened = Open();
  ASSERT_TRUE(opened.ok());
  EXPECT_THAT(opened->transactions(0).replicas(), ElementsAre(2u, 1u));
  EXPECT_THAT(opened->transactions(0).set(), ElementsAre(2u, 1u, 3u));
}

TEST_F(LeaderHostTest, TooFewLiveNodesIsSaidAtOnceWithTheirNames) {
  Lead();
  world_.dead = {NodeId(2), NodeId(3)};
  const auto opened = Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kUnavailable);
  const auto detail = DetailOf(opened.status());
  EXPECT_EQ(detail->reason(), api::ErrorDetail::NO_QUORUM);
  EXPECT_THAT(detail->missing_nodes(), UnorderedElementsAre("n2", "n3"));
}

TEST_F(LeaderHostTest, HoldersAreTakenEvenIfTheyLookDead) {
  Lead(5);
  world_.dead = {NodeId(4)};
  const auto opened = Open(1, {3, 4});
  ASSERT_TRUE(opened.ok());
  EXPECT_THAT(opened->transactions(0).replicas(), UnorderedElementsAre(2u, 3u, 4u));
}

TEST_F(LeaderHostTest, AvoidedNodesAreTakenOnlyWhereTheQuorumNeedsThem) {
  Lead();
  EXPECT_THAT(Open(1, {}, {3})->transactions(0).replicas(), UnorderedElementsAre(1u, 2u));
  world_.dead = {NodeId(1)};
  EXPECT_THAT(Open(1, {}, {3})->transactions(0).replicas(), UnorderedElementsAre(2u, 3u));
}

TEST_F(LeaderHostTest, SingleMemberWritesOneCopy) {
  Lead(1);
  const auto opened = Open();
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->write_quorum(), 1u);
  EXPECT_THAT(opened->transactions(0).set(), ElementsAre(1u));
}

TEST_F(LeaderHostTest, UnrenewedTransactionBeginsAgain) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  world_.executor.Advance(absl::Seconds(12));
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}))), rpc::CommandResult::REBEGIN);
}

TEST_F(LeaderHostTest, RenewedTransactionLivesAsLongAsItsCoordinatorSaysSo) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  for (int i = 0; i < 5; ++i) {
    world_.executor.Advance(absl::Seconds(9));
    rpc::RenewTransactionsRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    *request.add_held() = txn;
    Taken<rpc::RenewTransactionsResponse> taken;
    host_->RenewTransactions(request, absl::Seconds(1), taken.Callback());
    ASSERT_TRUE(taken.get().ok());
    EXPECT_THAT(taken.get()->unknown(), IsEmpty());
  }
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}))), rpc::CommandResult::DONE);
}

// ---- CommitPut (rule R13) ----

TEST_F(LeaderHostTest, CommitsAPutWithCurrentAcknowledgements) {
  Lead();
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, OpenOne(), {1, 2, 3}, {1, 2, 3}))),
            rpc::CommandResult::DONE);
}

TEST_F(LeaderHostTest, TransactionOfAnotherTermBeginsAgainWithoutAnEntry) {
  Lead();
  rpc::TxnId txn = OpenOne();
  txn.set_term(4);
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}))), rpc::CommandResult::REBEGIN);
  EXPECT_THAT(world_.consensus.proposed, IsEmpty());
}

// Another leads by now and may have it pending: REBEGIN would be a promise about what this one cannot know
// (mutant 319; tests/model shows what comes of it).
TEST_F(LeaderHostTest, TransactionOfANewerTermIsLeftToItsLeader) {
  Lead();
  const auto taken = Submit(PutCommand(1, ToWire(TxnId{Term(6), 1}), {1, 2}, {1, 2, 3}));
  EXPECT_EQ(ErrorOf(taken), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_THAT(world_.consensus.proposed, IsEmpty());
}

TEST_F(LeaderHostTest, OldAcknowledgementsBeginAgainAndCloseTheTransaction) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  rpc::Command put = PutCommand(1, txn, {1, 2}, {1, 2, 3});
  put.mutable_commit_put()->mutable_chunks(0)->mutable_acks(1)->set_boot_epoch(7);
  EXPECT_EQ(CodeOf(Submit(put)), rpc::CommandResult::REBEGIN);
  EXPECT_THAT(world_.consensus.proposed, IsEmpty());
  // The same transaction with good acknowledgements is too late: it was said never to count.
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}))), rpc::CommandResult::REBEGIN);
}

TEST_F(LeaderHostTest, OneNodeAcknowledgingTwiceIsOneAcknowledgement) {
  Lead();
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, OpenOne(), {1, 1}, {1, 2, 3}))),
            rpc::CommandResult::REBEGIN);
}

TEST_F(LeaderHostTest, StoredResultIsTheAnswerInsteadOfRebegin) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  const auto first = Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  ASSERT_EQ(CodeOf(first), rpc::CommandResult::DONE);
  const auto again = Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  EXPECT_EQ(CodeOf(again), rpc::CommandResult::DONE);
  EXPECT_EQ(again.get()->results(0).result().version().number(),
            first.get()->results(0).result().version().number());
}

// Mutant 313 answers REBEGIN here at once; then two versions could come of one request.
TEST_F(LeaderHostTest, NoRebeginWhileAProposalOfTheRequestIsPending) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  world_.consensus.holds = true;
  const auto first = Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  ASSERT_FALSE(first.has());
  rpc::TxnId unknown = txn;
  unknown.set_term(4);
  const auto retry = Submit(PutCommand(1, unknown, {1, 2}, {1, 2, 3}));
  EXPECT_FALSE(retry.has()) << "answered beside a pending proposal";
  world_.consensus.holds = false;
  world_.consensus.Release();
  world_.executor.RunDue();
  EXPECT_EQ(CodeOf(first), rpc::CommandResult::DONE);
  EXPECT_EQ(CodeOf(retry), rpc::CommandResult::DONE);
}

TEST_F(LeaderHostTest, RebeginFollowsOnceThePendingProposalCameToNothing) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  world_.consensus.holds = true;
  const auto first = Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  rpc::TxnId unknown = txn;
  unknown.set_term(4);
  const auto retry = Submit(PutCommand(1, unknown, {1, 2}, {1, 2, 3}));
  world_.consensus.FailFirst(absl::UnavailableError("overloaded"));
  world_.executor.RunDue();
  EXPECT_EQ(ErrorOf(first), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_EQ(CodeOf(retry), rpc::CommandResult::REBEGIN);
}

TEST_F(LeaderHostTest, APutThatNeverBecameAnEntryMayBeSubmittedAgain) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  world_.consensus.holds = true;
  (void)Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  world_.consensus.FailFirst(absl::UnavailableError("overloaded"));
  world_.consensus.holds = false;
  EXPECT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}))), rpc::CommandResult::DONE);
}

TEST_F(LeaderHostTest, UnknownOutcomeIsSaidAndItsChunksAreNeverDead) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  world_.consensus.holds = true;
  const auto put = Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  world_.consensus.FailFirst(absl::DeadlineExceededError("leadership lost"));
  EXPECT_EQ(ErrorOf(put), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(VerdictOn({FromWire(txn), 0}, 1), rpc::VerdictAnswer::PENDING);
}

TEST_F(LeaderHostTest, WaitingChangesAreToldWhenTheTermEnds) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  world_.consensus.holds = true;
  (void)Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  const auto waiting = Submit(PutCommand(1, txn, {1, 2}, {1, 2, 3}));
  host_->OnNotLeading();
  world_.executor.RunDue();
  EXPECT_EQ(ErrorOf(waiting), static_cast<int>(absl::StatusCode::kUnavailable));
}

TEST_F(LeaderHostTest, OnlyClientsCommandsMayBeSubmitted) {
  Lead();
  rpc::Command command;
  command.mutable_purge();
  EXPECT_EQ(ErrorOf(Submit(command)), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(world_.consensus.proposed, IsEmpty());
}

// ---- copies ----

TEST_F(LeaderHostTest, LateAcknowledgementOfAPutCounts) {
  Lead();
  const TxnId txn = PutTwoOfThree(1);
  EXPECT_EQ(StatesOf(txn)[3], api::MISSING);
  ReportLate(txn, 1, 3);
  world_.executor.Advance(absl::Milliseconds(100));
  EXPECT_EQ(StatesOf(txn)[3], api::OK);
  EXPECT_THAT(world_.copies, IsEmpty());
}

TEST_F(LeaderHostTest, LateAcknowledgementsGoInOneEntry) {
  Lead();
  const TxnId first = PutTwoOfThree(1);
  const TxnId second = PutTwoOfThree(2);
  ReportLate(first, 1, 3);
  ReportLate(second, 2, 3);
  world_.executor.Advance(absl::Milliseconds(100));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kChangeReplicas), 1u);
  EXPECT_EQ(StatesOf(second)[3], api::OK);
}

TEST_F(LeaderHostTest, LateAcknowledgementWithoutAnOpenOrderIsDropped) {
  Lead();
  world_.dead.insert(NodeId(3));
  const TxnId txn = PutTwoOfThree(1);
  world_.executor.Advance(absl::Seconds(12));
  ReportLate(txn, 1, 3);
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_EQ(StatesOf(txn)[3], api::MISSING);
}

TEST_F(LeaderHostTest, RepairMakesTheCopyThatDidNotCome) {
  Lead();
  const TxnId txn = PutTwoOfThree(1);
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_THAT(world_.copies, IsEmpty()) << "its coordinator may still bring it";
  world_.executor.Advance(absl::Seconds(3));
  ASSERT_THAT(world_.copies, SizeIs(1));
  EXPECT_EQ(world_.copies[0].first, NodeId(3));
  EXPECT_THAT(world_.copies[0].second.sources(), UnorderedElementsAre(1u, 2u));
  EXPECT_EQ(StatesOf(txn)[3], api::OK);
}

TEST_F(LeaderHostTest, CopiesBesideALongPutOrGetAreSlowedDown) {
  Lead();
  world_.dead.insert(NodeId(3));
  const TxnId first = PutTwoOfThree(1);
  world_.executor.Advance(absl::Seconds(10));
  world_.dead.clear();
  world_.executor.Advance(absl::Milliseconds(300));
  EXPECT_EQ(StatesOf(first)[3], api::OK);
  world_.dead.insert(NodeId(3));
  const TxnId second = PutTwoOfThree(2);
  world_.executor.Advance(absl::Seconds(10));
  rpc::RenewTransactionsRequest request;
  request.set_coordinator(2);
  request.set_run_id(9);
  request.set_is_serving(true);
  Taken<rpc::RenewTransactionsResponse> taken;
  host_->RenewTransactions(request, absl::Seconds(1), taken.Callback());
  world_.dead.clear();
  world_.executor.Advance(absl::Milliseconds(300));
  EXPECT_EQ(StatesOf(second)[3], api::OK);
  ASSERT_THAT(world_.copies, SizeIs(2));
  EXPECT_EQ(world_.copies[0].second.bytes_per_s_max(), 0u) << "nobody was at work any more";
  EXPECT_GT(world_.copies[1].second.bytes_per_s_max(), 0u);
}

TEST_F(LeaderHostTest, RepairWaitsForADeadNodeAndBeginsWhenItIsBack) {
  Lead();
  world_.dead.insert(NodeId(3));
  const TxnId txn = PutTwoOfThree(1);
  world_.executor.Advance(absl::Minutes(1));
  EXPECT_THAT(world_.copies, IsEmpty());
  world_.dead.clear();
  world_.executor.Advance(absl::Milliseconds(300));
  EXPECT_EQ(StatesOf(txn)[3], api::OK);
}

TEST_F(LeaderHostTest, FailedCopiesAreTriedAgainWithPauses) {
  Lead();
  world_.fails_copies = true;
  const TxnId txn = PutTwoOfThree(1);
  world_.executor.Advance(absl::Seconds(63));
  // After 2 s, then pauses of 1, 2, 4, 8, 16, 32 s, each up to the next pass.
  EXPECT_GE(world_.copies.size(), 4u);
  EXPECT_LE(world_.copies.size(), 7u);
  world_.fails_copies = false;
  world_.executor.Advance(absl::Seconds(62));
  EXPECT_EQ(StatesOf(txn)[3], api::OK);
}

TEST_F(LeaderHostTest, FilesPutWithFewerMembersReachThreeCopies) {
  Lead(2);
  std::vector<TxnId> txns;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    const rpc::TxnId txn = OpenOne();
    ASSERT_EQ(CodeOf(Submit(PutCommand(i, txn, {1, 2}, {1, 2}, "f" + std::to_string(i)))),
              rpc::CommandResult::DONE);
    txns.push_back(FromWire(txn));
  }
  world_.executor.Advance(absl::Seconds(5));
  EXPECT_THAT(world_.copies, IsEmpty());
  world_.consensus.AddMembers(3);
  world_.executor.Advance(absl::Seconds(20));
  for (const TxnId& txn : txns) EXPECT_EQ(StatesOf(txn)[3], api::OK) << txn;
  EXPECT_EQ(world_.copies.size(), 50u);
}

// ---- verdicts ----

TEST_F(LeaderHostTest, ChunkOfACancelledPutIsDead) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  EXPECT_EQ(VerdictOn({FromWire(txn), 0}, 1), rpc::VerdictAnswer::PENDING);
  rpc::RenewTransactionsRequest request;
  request.set_coordinator(2);
  request.set_run_id(9);
  *request.add_cancelled() = txn;
  Taken<rpc::RenewTransactionsResponse> taken;
  host_->RenewTransactions(request, absl::Seconds(1), taken.Callback());
  EXPECT_EQ(VerdictOn({FromWire(txn), 0}, 1), rpc::VerdictAnswer::DEAD);
}

TEST_F(LeaderHostTest, CommittedChunkIsLiveOnItsNodesAndExcessElsewhere) {
  Lead(4);
  const rpc::TxnId txn = OpenOne();
  ASSERT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2, 3}, {1, 2, 3}))), rpc::CommandResult::DONE);
  const ChunkId chunk{FromWire(txn), 0};
  EXPECT_EQ(VerdictOn(chunk, 1), rpc::VerdictAnswer::LIVE);
  EXPECT_EQ(VerdictOn(chunk, 4), rpc::VerdictAnswer::EXCESS);
  EXPECT_EQ(VerdictOn({chunk.txn, 1}, 4), rpc::VerdictAnswer::DEAD) << "no such chunk in it";
}

TEST_F(LeaderHostTest, ExtraCopyIsKeptWhileTheSetLacksOne) {
  Lead(4);
  world_.fails_copies = true;
  const TxnId txn = PutTwoOfThree(1);
  EXPECT_EQ(VerdictOn({txn, 0}, 4), rpc::VerdictAnswer::PENDING);
}

TEST_F(LeaderHostTest, ExtraCopyIsKeptWhileAnotherIsOnANodeThatMayBeGoneForGood) {
  Lead(4);
  const rpc::TxnId txn = OpenOne();
  ASSERT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2, 3}, {1, 2, 3}))), rpc::CommandResult::DONE);
  const ChunkId chunk{FromWire(txn), 0};
  const auto propose = [&](rpc::Command command) {
    world_.consensus.Propose(std::move(command), Term(), [](const auto& result) {
      ASSERT_TRUE(result.ok());
      EXPECT_EQ(result->code(), rpc::CommandResult::DONE);
    });
  };
  rpc::Command mark;
  mark.mutable_mark_node()->set_node_id(3);
  mark.mutable_mark_node()->set_is_out(true);
  propose(mark);
  EXPECT_EQ(VerdictOn(chunk, 4), rpc::VerdictAnswer::PENDING);
  mark.mutable_mark_node()->set_is_out(false);
  propose(mark);
  EXPECT_EQ(VerdictOn(chunk, 4), rpc::VerdictAnswer::EXCESS);
  rpc::Command retire;
  retire.mutable_retire_node()->set_node_id(3);
  propose(retire);
  EXPECT_EQ(VerdictOn(chunk, 4), rpc::VerdictAnswer::PENDING);
}

TEST_F(LeaderHostTest, ChunkOfAnOlderTermIsDead) {
  Lead();
  EXPECT_EQ(VerdictOn({{Term(4), 17}, 0}, 1), rpc::VerdictAnswer::DEAD);
}

TEST_F(LeaderHostTest, VerdictsNeedAReadIndexAndACurrentIdentity) {
  Lead();
  rpc::VerdictsRequest request;
  *request.mutable_node() = AckOf(1);
  *request.add_questions()->mutable_chunk() = ToWire(ChunkId{{Term(4), 17}, 0});
  world_.consensus.fails_read_index = true;
  Taken<rpc::VerdictsResponse> without;
  host_->Verdicts(request, absl::Seconds(1), without.Callback());
  EXPECT_EQ(without.get().status().code(), absl::StatusCode::kUnavailable);
  world_.consensus.fails_read_index = false;
  request.mutable_node()->set_boot_epoch(99);
  Taken<rpc::VerdictsResponse> stranger;
  host_->Verdicts(request, absl::Seconds(1), stranger.Callback());
  EXPECT_EQ(stranger.get().status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace dfs::leader
