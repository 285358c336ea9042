// The way to the leader: rounds, batches, retries. Real threads, a leader made of promises.
#include "server/leader/routed_leader_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>

#include "proto/error_detail.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kLong = absl::Seconds(20);

// Answers what it is told to; keeps calls that it is told to keep.
class FakeLeader final : public LeaderOperations {
 public:
  explicit FakeLeader(Term term) : term_(term) {}

  void OpenTransactions(const rpc::OpenTransactionsRequest& request, absl::Duration,
                        Answer<rpc::OpenTransactionsResponse> done) override {
    rpc::OpenTransactionsResponse response;
    {
      MutexLock lock(&mutex_);
      opened_ += request.count();
      response.set_replicas_wanted(3);
      for (std::uint32_t i = 0; i < request.count(); ++i) {
        rpc::OpenTransaction& out = *response.add_transactions();
        *out.mutable_txn() = ToWire(TxnId{term_, ++next_});
        for (std::uint32_t node = 1; node <= replicas_; ++node) {
          out.add_replicas(node);
          out.add_set(node);
        }
      }
    }
    done(std::move(response));
  }
  void RenewTransactions(const rpc::RenewTransactionsRequest& request, absl::Duration,
                         Answer<rpc::RenewTransactionsResponse> done) override {
    {
      MutexLock lock(&mutex_);
      renewals_.push_back(request);
    }
    done(rpc::RenewTransactionsResponse());
  }
  void Submit(const rpc::SubmitRequest& request, absl::Duration,
              Answer<rpc::SubmitResponse> done) override {
    {
      MutexLock lock(&mutex_);
      batches_.push_back(request.commands_size());
      if (!submit_error_.ok()) {
        const absl::Status error = submit_error_;
        mutex_.Unlock();
        done(error);
        mutex_.Lock();
        return;
      }
      if (keeps_) {
        kept_submits_.push_back({request, std::move(done)});
        changed_.SignalAll();
        return;
      }
    }
    AnswerSubmit(request, done);
  }
  void ReadIndex(absl::Duration, Answer<rpc::ReadIndexResponse> done) override {
    rpc::ReadIndexResponse response;
    {
      MutexLock lock(&mutex_);
      response.set_index(++rounds_);
      if (keeps_) {
        kept_reads_.push_back(std::move(done));
        changed_.SignalAll();
        return;
      }
    }
    done(response);
  }
  void ReportReplicas(const rpc::ReportReplicasRequest& request, absl::Duration,
                      Answer<rpc::ReportReplicasResponse> done) override {
    reported += request.changes_size();
    done(rpc::ReportReplicasResponse());
  }
  void Verdicts(const rpc::VerdictsRequest&, absl::Duration,
                Answer<rpc::VerdictsResponse> done) override {
    done(rpc::VerdictsResponse());
  }
  void ReportUnlinked(const rpc::ReportUnlinkedRequest&, absl::Duration,
                      Answer<rpc::ReportUnlinkedResponse> done) override {
    done(rpc::ReportUnlinkedResponse());
  }
  void Join(const rpc::JoinRequest&, absl::Duration, Answer<rpc::JoinResponse> done) override {
    done(rpc::JoinResponse());
  }
  void Register(const rpc::RegisterRequest&, absl::Duration,
                Answer<rpc::RegisterResponse> done) override {
    done(absl::FailedPreconditionError("retired"));
  }

  // Transactions opened from now on have so many replicas.
  void Place(std::uint32_t replicas) {
    MutexLock lock(&mutex_);
    replicas_ = replicas;
  }
  void Keep(bool keeps) {
    MutexLock lock(&mutex_);
    keeps_ = keeps;
  }
  void FailSubmits(absl::Status error) {
    MutexLock lock(&mutex_);
    submit_error_ = std::move(error);
  }
  void AwaitKeptSubmits(std::size_t count) {
    MutexLock lock(&mutex_);
    while (kept_submits_.size() < count) changed_.Wait(&mutex_);
  }
  void AwaitKeptReads(std::size_t count) {
    MutexLock lock(&mutex_);
    while (kept_reads_.size() < count) changed_.Wait(&mutex_);
  }
  void ReleaseOneRead(std::uint64_t index) {
    Answer<rpc::ReadIndexResponse> done;
    {
      MutexLock lock(&mutex_);
      done = std::move(kept_reads_.front());
      kept_reads_.pop_front();
    }
    rpc::ReadIndexResponse response;
    response.set_index(index);
    done(response);
  }
  void ReleaseSubmits() {
    std::deque<std::pair<rpc::SubmitRequest, Answer<rpc::SubmitResponse>>> kept;
    {
      MutexLock lock(&mutex_);
      keeps_ = false;
      kept.swap(kept_submits_);
    }
    for (auto& [request, done] : kept) AnswerSubmit(request, done);
  }
  std::vector<int> batches() {
    MutexLock lock(&mutex_);
    return batches_;
  }
  std::uint64_t rounds() {
    MutexLock lock(&mutex_);
    return rounds_;
  }
  std::size_t kept_reads() {
    MutexLock lock(&mutex_);
    return kept_reads_.size();
  }
  std::vector<rpc::RenewTransactionsRequest> renewals() {
    MutexLock lock(&mutex_);
    return renewals_;
  }

  std::atomic<int> reported{0};

 private:
  static void AnswerSubmit(const rpc::SubmitRequest& request, Answer<rpc::SubmitResponse>& done) {
    rpc::SubmitResponse response;
    for (const auto& command : request.commands()) {
      rpc::CommandResult& result = *response.add_results()->mutable_result();
      result.set_code(rpc::CommandResult::DONE);
      result.set_count(command.remove_file().request_id().sequence());
    }
    done(std::move(response));
  }

  const Term term_;
  Mutex mutex_;
  CondVar changed_;
  bool keeps_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status submit_error_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t rounds_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint32_t opened_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint32_t replicas_ ABSL_GUARDED_BY(mutex_) = 3;
  std::vector<int> batches_ ABSL_GUARDED_BY(mutex_);
  std::vector<rpc::RenewTransactionsRequest> renewals_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<rpc::SubmitRequest, Answer<rpc::SubmitResponse>>> kept_submits_
      ABSL_GUARDED_BY(mutex_);
  std::deque<Answer<rpc::ReadIndexResponse>> kept_reads_ ABSL_GUARDED_BY(mutex_);
};

// Who leads, as the node under test believes. Thread-safe.
class Belief final : public ConsensusPort {
 public:
  void Set(NodeId leader, Term term) {
    MutexLock lock(&mutex_);
    status_.self = NodeId(1);
    status_.leader = leader;
    status_.term = term;
    status_.can_serve = leader == NodeId(1);
  }
  void SetHanging(bool is_hanging) {
    MutexLock lock(&mutex_);
    status_.is_hanging = is_hanging;
  }
  void SetSilence(absl::Duration silence) {
    MutexLock lock(&mutex_);
    status_.leader_silence = silence;
  }
  replicated_log::RaftStatus Status() const override {
    MutexLock lock(&mutex_);
    ++looks_[pthread_self()];
    looked_.SignalAll();
    return status_;
  }
  // Until so many threads have asked who leads `looks` times each.
  void AwaitLooks(int threads, int looks) const {
    MutexLock lock(&mutex_);
    const auto has_looked = [&](const auto& entry) { return entry.second >= looks; };
    while (std::count_if(looks_.begin(), looks_.end(), has_looked) < threads) looked_.Wait(&mutex_);
  }
  void Propose(rpc::Command, Term, ResultCallback) override {}
  void ProposeMembers(MembersChange, rpc::Command, ResultCallback) override {}
  void ProposeVoters(std::set<NodeId>, absl::AnyInvocable<void(absl::Status)>) override {}
  void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>) override {}
  void WaitApplied(LogIndex, absl::Duration, absl::AnyInvocable<void(absl::Status)>) override {}

 private:
  mutable Mutex mutex_;
  mutable CondVar looked_;
  mutable std::map<pthread_t, int> looks_ ABSL_GUARDED_BY(mutex_);
  replicated_log::RaftStatus status_ ABSL_GUARDED_BY(mutex_);
};

class LeaderClientTest : public ::testing::Test {
 protected:
  LeaderClientTest() : consensus_(&clock_), threads_("test", 32), executor_("timers") {
    consensus_.AddMembers(3);
    belief_.Set(NodeId(2), Term(5));
    LeaderRoute::Parts parts;
    parts.self = NodeId(1);
    parts.clock = &SystemClock();
    parts.consensus = &belief_;
    parts.local = &local_;
    parts.peers = [this](NodeId node) -> LeaderOperations* {
      return node == NodeId(2) ? &second_ : node == NodeId(3) ? &third_ : nullptr;
    };
    parts.view = [this] { return consensus_.machine().View(); };
    parts.liveness = [this] {
      std::vector<NodeLiveness> nodes;
      for (const std::uint32_t node : {1u, 2u, 3u}) {
        nodes.push_back({NodeId(node), node != dead_.load(), 0, 0});
      }
      return nodes;
    };
    client_ = std::make_unique<RoutedLeaderClient>(std::move(parts), RunId(9), &executor_);
  }
  ~LeaderClientTest() override {
    client_->Stop();
    threads_.Stop();
    executor_.Stop();
  }
  // Until so many threads, of all that have called the client, have left there what they want. Each looks who leads before that,
  // and again once it has.
  void AwaitCallers(int threads) { belief_.AwaitLooks(threads, 2); }
  static rpc::Command Remove(std::uint64_t sequence) {
    rpc::Command command;
    *command.mutable_remove_file()->mutable_request_id() = RequestIdOf(sequence);
    return command;
  }

  FakeClock clock_;
  FakeConsensus consensus_;
  Belief belief_;
  FakeLeader local_{Term(7)};
  FakeLeader second_{Term(5)};
  FakeLeader third_{Term(6)};
  std::atomic<std::uint32_t> dead_{0};
  ThreadPool threads_;
  ThreadExecutor executor_;
  std::unique_ptr<RoutedLeaderClient> client_;
};

TEST_F(LeaderClientTest, AsksTheLeader) {
  EXPECT_EQ(client_->ReadIndex(kLong)->value(), 1u);
  EXPECT_EQ(client_->Submit(Remove(7), kLong)->count(), 7u);
}

TEST_F(LeaderClientTest, AsksItselfDirectlyWhenItLeads) {
  belief_.Set(NodeId(1), Term(7));
  EXPECT_TRUE(client_->ReadIndex(kLong).ok());
  EXPECT_TRUE(client_->Submit(Remove(1), kLong).ok());
  EXPECT_EQ(local_.rounds(), 1u);
  EXPECT_EQ(second_.rounds(), 0u);
}

TEST_F(LeaderClientTest, WithoutALeaderNothingHappenedAndTheDeadAreNamed) {
  belief_.Set(NodeId(), Term(5));
  dead_ = 3;
  for (const absl::Status& status :
       {client_->ReadIndex(absl::Milliseconds(50)).status(),
        client_->Submit(Remove(1), absl::Milliseconds(50)).status(),
        client_->Begin(BucketId(1), {}, {}, absl::Milliseconds(50)).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    const auto detail = DetailOf(status);
    ASSERT_TRUE(detail.has_value());
    EXPECT_EQ(detail->reason(), api::ErrorDetail::NO_QUORUM);
    EXPECT_EQ(detail->outcome(), api::ErrorDetail::NOTHING_CHANGED);
    EXPECT_THAT(detail->missing_nodes(), ElementsAre("n3"));
  }
}

TEST_F(LeaderClientTest, ANodeWhoseLogHangsSendsItsCallersElsewhereAtOnce) {
  belief_.Set(NodeId(), Term(5));
  belief_.SetHanging(true);
  for (const absl::Status& status :
       {client_->ReadIndex(kLong).status(), client_->Submit(Remove(1), kLong).status(),
        client_->Begin(BucketId(1), {}, {}, kLong).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    const auto detail = DetailOf(status);
    ASSERT_TRUE(detail.has_value());
    EXPECT_EQ(detail->reason(), api::ErrorDetail::OVERLOADED);
    EXPECT_EQ(detail->outcome(), api::ErrorDetail::NOTHING_CHANGED);
  }
  // A leader that it knows can be asked all the same.
  belief_.Set(NodeId(2), Term(5));
  EXPECT_TRUE(client_->ReadIndex(kLong).ok());
}

// A node that is cut off says so while its clients have time to ask another one.
TEST_F(LeaderClientTest, NodeWithoutALeaderForLongDoesNotWaitForOne) {
  belief_.Set(NodeId(), Term(5));
  belief_.SetSilence(LeaderRoute::kLeaderlessMax + absl::Milliseconds(1));
  const MonotonicTime start = SystemClock().Now();
  for (const absl::Status& status :
       {client_->ReadIndex(kLong).status(), client_->Submit(Remove(1), kLong).status(),
        client_->Begin(BucketId(1), {}, {}, kLong).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    const auto detail = DetailOf(status);
    ASSERT_TRUE(detail.has_value());
    EXPECT_EQ(detail->reason(), api::ErrorDetail::NO_QUORUM);
    EXPECT_EQ(detail->outcome(), api::ErrorDetail::NOTHING_CHANGED);
  }
  EXPECT_LT(SystemClock().Now() - start, kLong);
}

TEST_F(LeaderClientTest, NodeBetweenTwoLeadersWaitsForTheNext) {
  belief_.Set(NodeId(), Term(5));
  belief_.SetSilence(LeaderRoute::kLeaderlessMax - absl::Milliseconds(100));
  threads_.Post([&] {
    belief_.AwaitLooks(1, 10);
    belief_.Set(NodeId(3), Term(6));
  });
  EXPECT_TRUE(client_->ReadIndex(kLong).ok());
}

// Rule R10: the round that is on its way may miss changes answered before the later calls began.
TEST_F(LeaderClientTest, LaterReadsJoinTheNextRoundOnly) {
  constexpr int kLater = 8;
  struct Seen {
    std::atomic<std::uint64_t> first{0};
    std::atomic<int> in_second_round{0};
    std::atomic<int> left{1 + kLater};
    Event all;
  };
  const auto seen = std::make_shared<Seen>();
  second_.Keep(true);
  threads_.Post([this, seen] {
    seen->first = client_->ReadIndex(kLong).value_or(LogIndex()).value();
    if (--seen->left == 0) seen->all.Set();
  });
  second_.AwaitKeptReads(1);
  for (int i = 0; i < kLater; ++i) {
    threads_.Post([this, seen] {
      const auto index = client_->ReadIndex(kLong);
      EXPECT_TRUE(index.ok()) << index.status();
      EXPECT_NE(index.value_or(LogIndex()), LogIndex(100)) << "of a round that began before it asked";
      if (index.value_or(LogIndex()) == LogIndex(200)) ++seen->in_second_round;
      if (--seen->left == 0) seen->all.Set();
    });
  }
  AwaitCallers(1 + kLater);
  EXPECT_EQ(second_.kept_reads(), 1u) << "one round at a time";
  second_.ReleaseOneRead(100);
  second_.AwaitKeptReads(1);
  EXPECT_EQ(second_.rounds(), 2u);
  second_.Keep(false);
  second_.ReleaseOneRead(200);
  seen->all.Wait();
  EXPECT_EQ(seen->first, 100u);
  EXPECT_EQ(seen->in_second_round, kLater);
  EXPECT_EQ(second_.rounds(), 2u);
}

TEST_F(LeaderClientTest, AReadThatHangsAtADeposedLeaderIsAskedAnew) {
  second_.Keep(true);
  Event done;
  threads_.Post([&] {
    EXPECT_TRUE(client_->ReadIndex(kLong).ok());
    done.Set();
  });
  second_.AwaitKeptReads(1);
  belief_.Set(NodeId(3), Term(6));
  EXPECT_TRUE(done.WaitFor(absl::Seconds(10)));
  EXPECT_EQ(third_.rounds(), 1u);
}

TEST_F(LeaderClientTest, ChangesThatArriveMeanwhileMakeOneBatch) {
  second_.Keep(true);
  std::atomic<int> done{0};
  auto all = std::make_shared<Event>();
  const auto submit = [&, all](std::uint64_t sequence) {
    EXPECT_EQ(client_->Submit(Remove(sequence), kLong)->count(), sequence);
    if (++done == 12) all->Set();
  };
  threads_.Post([&] { submit(1); });
  second_.AwaitKeptSubmits(1);
  threads_.Post([&] { submit(2); });
  second_.AwaitKeptSubmits(2);
  for (std::uint64_t i = 3; i <= 12; ++i) threads_.Post([&, i] { submit(i); });
  AwaitCallers(12);
  EXPECT_THAT(second_.batches(), ElementsAre(1, 1)) << "two batches at a time";
  second_.ReleaseSubmits();
  all->Wait();
  EXPECT_THAT(second_.batches(), ElementsAre(1, 1, 10));
}

TEST_F(LeaderClientTest, AChangeThatHangsAtADeposedLeaderGoesToTheNewOne) {
  second_.Keep(true);
  Event done;
  threads_.Post([&] {
    EXPECT_EQ(client_->Submit(Remove(4), kLong)->count(), 4u);
    done.Set();
  });
  second_.AwaitKeptSubmits(1);
  belief_.Set(NodeId(3), Term(6));
  EXPECT_TRUE(done.WaitFor(absl::Seconds(10)));
  EXPECT_THAT(third_.batches(), ElementsAre(1));
}

TEST_F(LeaderClientTest, AQueuedChangeGoesToThisNodeWhenItComesToLead) {
  second_.Keep(true);
  Event done;
  threads_.Post([&] { (void)client_->Submit(Remove(1), kLong); });
  second_.AwaitKeptSubmits(1);
  threads_.Post([&] { (void)client_->Submit(Remove(2), kLong); });
  second_.AwaitKeptSubmits(2);
  threads_.Post([&] {
    EXPECT_EQ(client_->Submit(Remove(3), kLong)->count(), 3u);
    done.Set();
  });
  AwaitCallers(3);
  belief_.Set(NodeId(1), Term(7));
  EXPECT_TRUE(done.WaitFor(absl::Seconds(10)));
}

TEST_F(LeaderClientTest, OutcomeIsUnknownOnceALeaderMayHaveIt) {
  second_.Keep(true);
  EXPECT_EQ(client_->Submit(Remove(1), absl::Milliseconds(100)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(LeaderClientTest, BrokenConnectionIsUnknownButARefusalIsNot) {
  second_.FailSubmits(NotLeaderError());
  EXPECT_EQ(client_->Submit(Remove(1), absl::Milliseconds(100)).status().code(),
            absl::StatusCode::kUnavailable);
  second_.FailSubmits(ErrorWithReason(absl::StatusCode::kUnavailable, "connection reset",
                                      api::ErrorDetail::REASON_UNSPECIFIED,
                                      api::ErrorDetail::UNKNOWN));
  EXPECT_EQ(client_->Submit(Remove(1), absl::Milliseconds(100)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(LeaderClientTest, RetriesUntilThereIsALeader) {
  belief_.Set(NodeId(), Term(5));
  Event done;
  threads_.Post([&] {
    EXPECT_TRUE(client_->Submit(Remove(1), kLong).ok());
    done.Set();
  });
  EXPECT_FALSE(done.WaitFor(absl::Milliseconds(60)));
  belief_.Set(NodeId(3), Term(6));
  EXPECT_TRUE(done.WaitFor(absl::Seconds(10)));
}

TEST_F(LeaderClientTest, RefusalIsPassedOnAtOnce) {
  EXPECT_EQ(client_->Register(rpc::NodeStarted(), kLong).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(LeaderClientTest, TransactionsInAdvanceBelongToThePresentTerm) {
  // The first one asks; the pool fills beside it.
  EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->txn().term(), 5u);
  EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->txn().term(), 5u);
  belief_.Set(NodeId(3), Term(6));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->txn().term(), 6u);
  }
}

TEST_F(LeaderClientTest, TransactionWithADeadReplicaIsNotTakenFromThePool) {
  const auto first = client_->Begin(BucketId(1), {}, {}, kLong);
  ASSERT_TRUE(first.ok());
  dead_ = 3;
  // The pool's are thrown away: a put would begin with a failure. The fresh one is the leader's choice.
  const auto second = client_->Begin(BucketId(1), {}, {}, kLong);
  ASSERT_TRUE(second.ok());
  EXPECT_GT(second->txn().sequence(), 3u);
}

// Opened while there were two nodes: a put with them would hang if one of the two did, with a third one beside it.
TEST_F(LeaderClientTest, TransactionThatIsShortOfReplicasIsNotTakenFromThePoolOnceThereAreMoreNodes) {
  dead_ = 3;
  second_.Place(2);
  EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->replicas_size(), 2);
  EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->replicas_size(), 2);
  dead_ = 0;
  second_.Place(3);
  EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->replicas_size(), 3);
  EXPECT_EQ(client_->Begin(BucketId(1), {}, {}, kLong)->replicas_size(), 3);
}

TEST_F(LeaderClientTest, RenewsWhatItHoldsAndCancelsWhatFailed) {
  client_->Start();
  const auto held = client_->Begin(BucketId(1), {}, {}, kLong);
  const auto failed = client_->Begin(BucketId(1), {}, {}, kLong);
  const auto committed = client_->Begin(BucketId(1), {}, {}, kLong);
  client_->Done(FromWire(failed->txn()), false);
  client_->Done(FromWire(committed->txn()), true);
  Event never;
  for (int i = 0; i < 100 && second_.renewals().empty(); ++i) {
    never.WaitFor(absl::Milliseconds(50));
  }
  const auto renewals = second_.renewals();
  ASSERT_FALSE(renewals.empty());
  std::set<TxnId> names;
  for (const auto& txn : renewals[0].held()) names.insert(FromWire(txn));
  EXPECT_TRUE(renewals[0].is_serving());
  EXPECT_TRUE(names.contains(FromWire(held->txn())));
  EXPECT_FALSE(names.contains(FromWire(failed->txn())));
  EXPECT_FALSE(names.contains(FromWire(committed->txn())));
  ASSERT_EQ(renewals[0].cancelled_size(), 1);
  EXPECT_EQ(FromWire(renewals[0].cancelled(0)), FromWire(failed->txn()));
}

// Rule R17: what gets read, told once a second, and once more when none reads any more.
TEST_F(LeaderClientTest, TellsWhatGetsAreReading) {
  client_->Start();
  const TxnId twice{Term(3), 1};
  const TxnId once{Term(3), 2};
  client_->Pin(twice);
  client_->Pin(twice);
  client_->Pin(once);
  Event never;
  const auto await = [&](std::size_t count) {
    for (int i = 0; i < 200 && second_.renewals().size() < count; ++i) {
      never.WaitFor(absl::Milliseconds(50));
    }
    return second_.renewals();
  };
  ASSERT_GE(await(1).size(), 1u);
  ASSERT_EQ(second_.renewals()[0].pinned_size(), 2);
  EXPECT_TRUE(second_.renewals()[0].is_serving());
  client_->Unpin(twice);
  client_->Unpin(once);
  const std::size_t before = second_.renewals().size();
  ASSERT_GT(await(before + 1).size(), before);
  ASSERT_EQ(second_.renewals().back().pinned_size(), 1);
  EXPECT_EQ(FromWire(second_.renewals().back().pinned(0)), twice);
  client_->Unpin(twice);
  const std::size_t last = second_.renewals().size();
  ASSERT_GT(await(last + 1).size(), last);
  EXPECT_EQ(second_.renewals().back().pinned_size(), 0) << "said, so that the leader lets go";
  EXPECT_FALSE(second_.renewals().back().is_serving());
}

TEST_F(LeaderClientTest, ReportsGoInBatches) {
  for (int i = 0; i < 50; ++i) client_->ReportReplica(rpc::ReplicaChange());
  Event never;
  for (int i = 0; i < 100 && second_.reported < 50; ++i) never.WaitFor(absl::Milliseconds(20));
  EXPECT_EQ(second_.reported, 50);
}

TEST_F(LeaderClientTest, StopAnswersThoseThatWait) {
  belief_.Set(NodeId(), Term(5));
  Event done;
  threads_.Post([&] {
    EXPECT_EQ(client_->ReadIndex(kLong).status().code(), absl::StatusCode::kUnavailable);
    done.Set();
  });
  client_->Stop();
  EXPECT_TRUE(done.WaitFor(absl::Seconds(10)));
}

}  // namespace
}  // namespace dfs::leader
