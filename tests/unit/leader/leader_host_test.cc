// The leader over the real state machine, in one thread.
#include "server/leader/leader_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/mutant.h"
#include "proto/error_detail.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class LeaderHostTest : public ::testing::Test {
 protected:
  void Lead(std::uint32_t members = 3, LeaderOptions options = {}) {
    world_.consensus.AddMembers(members);
    host_ = std::make_unique<LeaderHost>(world_.Make(), options);
    host_->OnLeading(Term(5));
    world_.executor.RunDue();
    world_.consensus.proposed.clear();
  }

  absl::StatusOr<rpc::OpenTransactionsResponse> Open(std::uint32_t count = 1,
                                                     std::vector<std::uint32_t> holders = {},
                                                     std::vector<std::uint32_t> avoid = {}) {
    rpc::OpenTransactionsRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    request.set_bucket_id(1);
    request.set_count(count);
    for (const auto node : holders) request.add_holders(node);
    for (const auto node : avoid) request.add_avoid(node);
    Taken<rpc::OpenTransactionsResponse> taken;
    host_->OpenTransactions(request, absl::Seconds(1), taken.Callback());
    return taken.get();
  }
  rpc::TxnId OpenOne() { return Open()->transactions(0).txn(); }

  Taken<rpc::SubmitResponse> Submit(const rpc::Command& command) {
    rpc::SubmitRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    *request.add_commands() = command;
    Taken<rpc::SubmitResponse> taken;
    host_->Submit(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    return taken;
  }
  static rpc::CommandResult::Code CodeOf(const Taken<rpc::SubmitResponse>& taken) {
    EXPECT_TRUE(taken.has() && taken.get().ok());
    EXPECT_EQ(taken.get()->results(0).error_code(), 0) << taken.get()->results(0).error_message();
    return taken.get()->results(0).result().code();
  }
  static int ErrorOf(const Taken<rpc::SubmitResponse>& taken) {
    EXPECT_TRUE(taken.has() && taken.get().ok());
    return taken.get()->results(0).error_code();
  }
  // A put with two acknowledgements; the third copy is missing.
  TxnId PutTwoOfThree(std::uint64_t sequence) {
    const rpc::TxnId txn = OpenOne();
    EXPECT_EQ(CodeOf(Submit(PutCommand(sequence, txn, {1, 2}, {1, 2, 3},
                                       "f" + std::to_string(sequence)))),
              rpc::CommandResult::DONE);
    return FromWire(txn);
  }
  std::map<std::uint32_t, api::ReplicaState> StatesOf(const TxnId& txn) {
    std::map<std::uint32_t, api::ReplicaState> states;
    const auto version = world_.consensus.machine().View()->FindVersion(txn);
    if (!version) return states;
    for (const auto& replica : version->chunks(0).replicas()) {
      states[replica.node_id()] = replica.state();
    }
    return states;
  }
  void ReportLate(const TxnId& txn, std::uint64_t sequence, std::uint32_t node) {
    rpc::ReportReplicasRequest request;
    rpc::ReplicaChange& change = *request.add_changes();
    *change.mutable_chunk() = ToWire(ChunkId{txn, 0});
    *change.mutable_hash() = ToWire(Hash128{1, sequence});
    *change.mutable_ack() = AckOf(node);
    change.set_state(api::OK);
    Taken<rpc::ReportReplicasResponse> taken;
    host_->ReportReplicas(request, absl::Seconds(1), taken.Callback());
    EXPECT_TRUE(taken.get().ok());
  }
  rpc::VerdictAnswer::Verdict VerdictOn(const ChunkId& chunk, std::uint32_t node) {
    rpc::VerdictsRequest request;
    *request.mutable_node() = AckOf(node);
    *request.add_questions()->mutable_chunk() = ToWire(chunk);
    request.mutable_questions(0)->set_nonce(42);
    Taken<rpc::VerdictsResponse> taken;
    host_->Verdicts(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    EXPECT_TRUE(taken.has() && taken.get().ok());
    EXPECT_EQ(taken.get()->answers(0).nonce(), 42u);
    return taken.get()->answers(0).verdict();
  }
  absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest& request) {
    Taken<rpc::JoinResponse> taken;
    host_->Join(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    return taken.get();
  }
  static rpc::JoinRequest JoinRequestOf(std::uint32_t uuid) {
    rpc::JoinRequest request;
    *request.mutable_storage_uuid() = ToWire(UuidOf(uuid));
    request.set_name("new");
    request.set_client_address("127.0.0.1:1");
    request.set_peer_address("127.0.0.1:2");
    request.set_boot_epoch(1);
    return request;
  }

  FakeWorld world_;
  std::unique_ptr<LeaderHost> host_;
};

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

TEST_F(LeaderHostTest, OldAcknowledgementsBeginAgainAndCloseTheTransaction) {
  Lead();
  const rpc::TxnId txn = OpenOne();
  rpc::Command put = PutCommand(1, txn, {1, 2}, {1, 2, 3});
  put.mutable_commit_put()->mutable_chunks(0)->mutable_acks(1)->set_boot_epoch(7);
  EXPECT_EQ(CodeOf(Submit(put)), rpc::CommandResult::REBEGIN);
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

// ---- purge ----

rpc::Command RemoveCommand(std::uint64_t sequence, const std::string& name) {
  rpc::Command command;
  *command.mutable_remove_file()->mutable_request_id() = RequestIdOf(sequence);
  command.mutable_remove_file()->set_bucket_id(1);
  command.mutable_remove_file()->set_name(name);
  return command;
}

TEST_F(LeaderHostTest, PurgesAfterTheTrashTimeAndMakesPurgeRows) {
  LeaderOptions options;
  options.purge_quiet = absl::ZeroDuration();
  Lead(3, options);
  const rpc::TxnId txn = OpenOne();
  ASSERT_EQ(CodeOf(Submit(PutCommand(1, txn, {1, 2, 3}, {1, 2, 3}))), rpc::CommandResult::DONE);
  ASSERT_EQ(CodeOf(Submit(RemoveCommand(2, "file"))), rpc::CommandResult::DONE);
  const ChunkId chunk{FromWire(txn), 0};
  world_.executor.Advance(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_EQ(VerdictOn(chunk, 3), rpc::VerdictAnswer::LIVE) << "trashed counts as named";
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_TRUE(world_.consensus.machine().View()->IsPurged(NodeId(3), chunk));
  EXPECT_EQ(VerdictOn(chunk, 3), rpc::VerdictAnswer::DEAD);
  rpc::ReportUnlinkedRequest unlinked;
  *unlinked.mutable_node() = AckOf(3);
  *unlinked.add_chunks() = ToWire(chunk);
  Taken<rpc::ReportUnlinkedResponse> taken;
  host_->ReportUnlinked(unlinked, absl::Seconds(1), taken.Callback());
  ASSERT_TRUE(taken.get().ok());
  EXPECT_FALSE(world_.consensus.machine().View()->IsPurged(NodeId(3), chunk));
  EXPECT_TRUE(world_.consensus.machine().View()->IsPurged(NodeId(1), chunk));
}

TEST_F(LeaderHostTest, ANewLeaderPurgesNothingForItsFirstTenMinutes) {
  LeaderOptions options;
  options.trash_time = absl::ZeroDuration();
  Lead(3, options);
  (void)PutTwoOfThree(1);
  ASSERT_EQ(CodeOf(Submit(RemoveCommand(2, "f1"))), rpc::CommandResult::DONE);
  world_.executor.Advance(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kPurge), 0u);
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kPurge), 1u);
}

TEST_F(LeaderHostTest, GoesOnWithAClearUntilItIsDone) {
  Lead();
  for (std::uint64_t i = 1; i <= 5; ++i) (void)PutTwoOfThree(i);
  rpc::Command clear;
  *clear.mutable_clear_prefix()->mutable_request_id() = RequestIdOf(9);
  clear.mutable_clear_prefix()->set_bucket_id(1);
  ASSERT_EQ(CodeOf(Submit(clear)), rpc::CommandResult::DONE);
  world_.executor.Advance(absl::Seconds(3));
  EXPECT_FALSE(world_.consensus.machine().View()->HasPendingClear());
  EXPECT_EQ(world_.consensus.machine().View()->GetTotals().trashed, 5u);
}

TEST_F(LeaderHostTest, SessionsUnusedForADayExpire) {
  LeaderOptions options;
  options.members_every = options.repair_every = options.upkeep_every = absl::Minutes(1);
  Lead(3, options);
  (void)PutTwoOfThree(1);
  world_.executor.Advance(absl::Hours(23));
  EXPECT_EQ(world_.consensus.CountProposed(rpc::Command::kExpireSessions), 0u);
  world_.executor.Advance(absl::Hours(3));
  EXPECT_GE(world_.consensus.CountProposed(rpc::Command::kExpireSessions), 1u);
  EXPECT_EQ(CodeOf(Submit(RemoveCommand(2, "f1"))), rpc::CommandResult::SESSION_EXPIRED);
}

// ---- members ----

TEST_F(LeaderHostTest, JoinerBecomesActiveOnceItHoldsTheLogAndThreeVote) {
  Lead(2);
  const auto joined = Join(JoinRequestOf(3));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->node_id(), 3u);
  EXPECT_EQ(UuidFromWire<ClusterId>(joined->cluster_id()), (ClusterId{4, 2}));
  EXPECT_EQ(joined->configuration().members_size(), 3);
  auto& peers = world_.consensus.status().peers;
  peers.push_back({NodeId(3), LogIndex(1), world_.clock.Now(), false});
  world_.executor.Advance(absl::Seconds(5));
  const auto view = [&] { return world_.consensus.machine().View(); };
  EXPECT_EQ(view()->FindNode(NodeId(3))->state(), rpc::JOINING);
  EXPECT_EQ(view()->member_count(), 2u);
  EXPECT_EQ(world_.consensus.voter_changes, 0);
  peers.back().match_index = world_.consensus.status().commit_index;
  world_.executor.Advance(absl::Seconds(1));
  EXPECT_EQ(view()->FindNode(NodeId(3))->state(), rpc::ACTIVE);
  EXPECT_TRUE(world_.consensus.status().configuration.members[NodeId(3)].is_active);
  EXPECT_THAT(world_.consensus.status().configuration.voters,
              ElementsAre(NodeId(1), NodeId(2), NodeId(3)));
  EXPECT_EQ(world_.consensus.voter_changes, 1);
}

TEST_F(LeaderHostTest, JoinIsIdempotentByStorageUuid) {
  Lead(1);
  EXPECT_EQ(Join(JoinRequestOf(9))->node_id(), 2u);
  EXPECT_EQ(Join(JoinRequestOf(9))->node_id(), 2u);
  EXPECT_EQ(Join(JoinRequestOf(10))->node_id(), 3u);
}

TEST_F(LeaderHostTest, ClaimingAnIdWithAnotherDirectoryIsRefused) {
  Lead(2);
  rpc::JoinRequest request = JoinRequestOf(9);
  request.set_claimed_node_id(2);
  const auto refused = Join(request);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), ::testing::HasSubstr("wipe"));
  request = JoinRequestOf(2);
  request.set_claimed_node_id(2);
  EXPECT_EQ(Join(request)->node_id(), 2u);
}

TEST_F(LeaderHostTest, AnotherClustersDirectoryIsRefused) {
  Lead(1);
  rpc::JoinRequest request = JoinRequestOf(9);
  *request.mutable_claimed_cluster_id() = ToWire(ClusterId{6, 6});
  EXPECT_EQ(DetailOf(Join(request).status())->reason(), api::ErrorDetail::WRONG_CLUSTER);
}

TEST_F(LeaderHostTest, RegisterProposesOnlyWhatChangesAnything) {
  Lead(2);
  const auto started = [&](std::uint64_t epoch, const std::string& peer) {
    const rpc::NodeRow row = RowOf(2);
    rpc::RegisterRequest request;
    rpc::NodeStarted& node = *request.mutable_node();
    node.set_node_id(2);
    *node.mutable_storage_uuid() = row.storage_uuid();
    node.set_boot_epoch(epoch);
    node.set_client_address(row.client_address());
    node.set_peer_address(peer);
    node.set_name(row.name());
    Taken<rpc::RegisterResponse> taken;
    host_->Register(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    return taken.get().status();
  };
  const std::string peer = RowOf(2).peer_address();
  EXPECT_TRUE(started(1, peer).ok());
  EXPECT_THAT(world_.consensus.proposed, IsEmpty());
  EXPECT_TRUE(started(2, peer).ok());
  EXPECT_THAT(world_.consensus.proposed, SizeIs(1));
  EXPECT_EQ(started(1, peer).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(started(3, "127.0.0.1:9").ok());
  EXPECT_EQ(world_.consensus.status().configuration.members[NodeId(2)].peer_address,
            "127.0.0.1:9");
  EXPECT_EQ(world_.consensus.machine().View()->FindNode(NodeId(2))->boot_epoch(), 3u);
}

}  // namespace
}  // namespace dfs::leader

#ifdef DFS_MUTANTS
// With --mutant=N the mistake N is switched on, and the run passes if and only if a test fails.
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    constexpr std::string_view kMutant = "--mutant=";
    if (argument.substr(0, kMutant.size()) == kMutant) {
      dfs::SetActiveMutant(std::atoi(argument.substr(kMutant.size()).data()));
    }
  }
  const bool has_failed = RUN_ALL_TESTS() != 0;
  return has_failed == (dfs::ActiveMutant() != 0) ? 0 : 1;
}
#endif
