// The node's side of collection against the real leader and a store in memory.
#include "server/leader/chunk_collector.h"

#include "common/gossip_txn.h"

#include <gtest/gtest.h>

#include <set>

#include "server/leader/leader_host.h"
#include "tests/support/memory_chunk_store.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {
namespace {

// The leader's answers, or what the test wants in their place.
class FakeLeaderClient final : public LeaderClient {
 public:
  absl::StatusOr<LogIndex> ReadIndex(absl::Duration) override { return LogIndex(1); }
  absl::StatusOr<rpc::CommandResult> Submit(rpc::Command, absl::Duration) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<rpc::OpenTransaction> Begin(BucketId, const std::vector<NodeId>&,
                                             const std::vector<NodeId>&, absl::Duration) override {
    return absl::UnimplementedError("");
  }
  void Done(const TxnId&, bool) override {}
  void Pin(const TxnId&) override {}
  void Unpin(const TxnId&) override {}
  void ReportReplica(rpc::ReplicaChange) override {}
  absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(const rpc::VerdictsRequest& request,
                                                              absl::Duration) override {
    if (!is_reachable) return absl::UnavailableError("no leader");
    std::vector<rpc::VerdictAnswer> answers;
    for (const auto& question : request.questions()) {
      asked.insert(FromWire(question.chunk()));
      rpc::VerdictAnswer& answer = answers.emplace_back();
      *answer.mutable_chunk() = question.chunk();
      answer.set_nonce(question.nonce());
      const bool is_released = released.contains(FromWire(question.chunk()));
      answer.set_verdict(is_released ? rpc::VerdictAnswer::EXCESS : verdict);
      answer.set_ground(is_released ? rpc::VerdictAnswer::RELEASED : ground);
    }
    if (before_answer) before_answer();
    return answers;
  }
  absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest& request, absl::Duration) override {
    for (const auto& chunk : request.chunks()) unlinked.insert(FromWire(chunk));
    return absl::OkStatus();
  }
  absl::Status Register(const rpc::NodeStarted&, absl::Duration) override {
    return absl::OkStatus();
  }
  absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest&, absl::Duration) override {
    return absl::UnimplementedError("");
  }

  rpc::VerdictAnswer::Verdict verdict = rpc::VerdictAnswer::DEAD;
  rpc::VerdictAnswer::Ground ground = rpc::VerdictAnswer::OLDER_TERM;
  bool is_reachable = true;
  std::function<void()> before_answer;
  std::set<ChunkId> released;  // the answer about these is that the log let them go
  std::set<ChunkId> asked;
  std::set<ChunkId> unlinked;
};

class ChunkCollectorTest : public ::testing::Test {
 protected:
  ChunkCollectorTest() {
    world_.consensus.AddMembers(3);
    options_.question_age = absl::ZeroDuration();
    options_.trash_time = absl::ZeroDuration();
  }
  ChunkCollector::PassCounts Pass() {
    if (collector_ == nullptr) {
      ChunkCollector::Parts parts;
      parts.self = NodeId(1);
      parts.clock = &world_.clock;
      parts.store = &store_;
      parts.catalog = used_;
      parts.leader = &leader_;
      parts.own_ack = [] { return AckOf(1); };
      parts.options = options_;
      collector_ = std::make_unique<ChunkCollector>(std::move(parts));
    }
    return collector_->RunOnce();
  }
  void Store(const ChunkId& chunk) { ASSERT_TRUE(store_.Put(chunk, "bytes", std::nullopt).ok()); }
  void Commit(const TxnId& txn, const std::vector<std::uint32_t>& nodes) {
    EXPECT_EQ(world_.consensus.ApplyNow(PutCommand(txn.sequence, ToWire(txn), nodes, nodes)).code(),
              rpc::CommandResult::DONE);
  }

  FakeWorld world_;
  LocalReplicaCatalog catalog_{&world_.consensus.machine()};
  ReplicaCatalog* used_ = &catalog_;
  testing::MemoryChunkStore store_;
  FakeLeaderClient leader_;
  CollectorOptions options_;
  std::unique_ptr<ChunkCollector> collector_;
  const ChunkId chunk_{{Term(5), 1}, 0};
};

TEST_F(ChunkCollectorTest, DeadChunkGoesThroughTheTrashAndASecondQuestion) {
  Store(chunk_);
  const auto first = Pass();
  EXPECT_EQ(first.trashed, 1u);
  EXPECT_EQ(first.removed, 0u);
  EXPECT_EQ(store_.count(), 1u);
  leader_.asked.clear();
  const auto second = Pass();
  EXPECT_EQ(second.removed, 1u);
  EXPECT_EQ(leader_.asked.count(chunk_), 1u);
  EXPECT_EQ(store_.count(), 0u);
}

TEST_F(ChunkCollectorTest, ChunksOfGossipBucketsAreNotAskedAbout) {
  Store({GossipTxn(NodeId(2), BootEpoch(1), 1), 0});
  EXPECT_EQ(Pass().asked, 0u);
  EXPECT_EQ(store_.count(), 1u);
}

TEST_F(ChunkCollectorTest, NamedHereIsNotAskedAbout) {
  Store(chunk_);
  Commit(chunk_.txn, {1, 2, 3});
  EXPECT_EQ(Pass().asked, 0u);
}

TEST_F(ChunkCollectorTest, NamedElsewhereIsAskedAboutAndExcessDeletes) {
  Store(chunk_);
  world_.consensus.AddMembers(3);
  Commit(chunk_.txn, {2, 3});  // the third place is filled by apply
  const auto version = world_.consensus.machine().View()->FindVersion(chunk_.txn);
  ASSERT_EQ(version->chunks(0).replicas_size(), 3) << "three members: this node is in the set";
  EXPECT_EQ(Pass().asked, 0u);
}

TEST_F(ChunkCollectorTest, LiveAndPendingDeleteNothing) {
  Store(chunk_);
  for (const auto verdict : {rpc::VerdictAnswer::LIVE, rpc::VerdictAnswer::PENDING,
                             rpc::VerdictAnswer::VERDICT_UNSPECIFIED}) {
    leader_.verdict = verdict;
    const auto counts = Pass();
    EXPECT_EQ(counts.asked, 1u);
    EXPECT_EQ(counts.trashed, 0u);
  }
}

TEST_F(ChunkCollectorTest, YoungChunkIsNotAskedAbout) {
  options_.question_age = world_.clock.WallNow() - absl::UnixEpoch() + absl::Seconds(1);
  Store(chunk_);
  EXPECT_EQ(Pass().asked, 0u);
}

TEST_F(ChunkCollectorTest, TrashedChunkWaitsItsTrashTime) {
  options_.trash_time = world_.clock.WallNow() - absl::UnixEpoch() + absl::Seconds(1);
  Store(chunk_);
  EXPECT_EQ(Pass().trashed, 1u);
  EXPECT_EQ(Pass().asked, 0u);
  EXPECT_EQ(store_.count(), 1u);
}

TEST_F(ChunkCollectorTest, ChunkThatCountsAgainSinceTheQuestionStays) {
  Store(chunk_);
  leader_.before_answer = [&] { ASSERT_TRUE(store_.Vouch(chunk_).ok()); };
  const auto counts = Pass();
  EXPECT_EQ(counts.asked, 1u);
  EXPECT_EQ(counts.trashed, 0u);
}

TEST_F(ChunkCollectorTest, WithoutALeaderNothingIsDeleted) {
  Store(chunk_);
  leader_.is_reachable = false;
  EXPECT_EQ(Pass().trashed, 0u);
}

// A storage-only node asks its peers.
TEST_F(ChunkCollectorTest, WhileNobodyKnowsWhatIsNamedNothingIsAskedAndTheWalkWaits) {
  struct Unknown final : ReplicaCatalog {
    explicit Unknown(ReplicaCatalog* catalog) : catalog(catalog) {}
    absl::StatusOr<std::vector<bool>> AreNamed(NodeId node, const std::vector<ChunkId>& chunks) override {
      if (answers == 0) return absl::UnavailableError("nobody answers");
      --answers;
      return catalog->AreNamed(node, chunks);
    }
    absl::StatusOr<Page> ListGood(NodeId, const TxnId&) override { return absl::UnavailableError("nobody answers"); }
    absl::Status ListLetGo(NodeId, const std::function<bool(const ChunkId&)>&) override {
      return absl::UnavailableError("nobody answers");
    }
    ReplicaCatalog* const catalog;
    int answers = 0;
  } unknown(&catalog_);
  used_ = &unknown;
  constexpr std::size_t kChunks = ReplicaCatalog::kChunksMax + 100;
  for (std::uint64_t i = 1; i <= kChunks; ++i) Store({{Term(1), i}, 0});
  EXPECT_EQ(Pass().asked, 0u);
  EXPECT_EQ(collector_->GetStatus().finished_us(), 0u);
  unknown.answers = 1;
  EXPECT_EQ(Pass().trashed, ReplicaCatalog::kChunksMax);
  EXPECT_EQ(collector_->GetStatus().finished_us(), 0u) << "not all of them";
  unknown.answers = 1;
  EXPECT_EQ(Pass().trashed, 100u) << "goes on where it stopped";
}

TEST_F(ChunkCollectorTest, PurgedChunkIsUnlinkedAndThenReported) {
  Store(chunk_);
  Commit(chunk_.txn, {1, 2, 3});
  rpc::Command remove;
  *remove.mutable_remove_file()->mutable_request_id() = RequestIdOf(90);
  remove.mutable_remove_file()->set_bucket_id(1);
  remove.mutable_remove_file()->set_name("file");
  ASSERT_EQ(world_.consensus.ApplyNow(remove).code(), rpc::CommandResult::DONE);
  rpc::Command purge;
  rpc::PurgeVersion& version = *purge.mutable_purge()->add_versions();
  *version.mutable_txn() = ToWire(chunk_.txn);
  version.set_trashed_index(world_.consensus.machine().applied_index().value());
  ASSERT_EQ(world_.consensus.ApplyNow(purge).count(), 1u);
  EXPECT_EQ(Pass().trashed, 1u);
  EXPECT_TRUE(leader_.unlinked.empty()) << "not unlinked yet";
  const auto last = Pass();
  EXPECT_EQ(last.removed, 1u);
  EXPECT_EQ(last.reported, 1u);
  EXPECT_EQ(leader_.unlinked, std::set<ChunkId>{chunk_});
}

// ---- the fuse (rule R20) ----

// 5 bytes a chunk.
class FuseTest : public ChunkCollectorTest {
 protected:
  FuseTest() { options_.fuse_bytes_min = 100; }
  void StoreMany(std::uint64_t count) {
    for (std::uint64_t i = 1; i <= count; ++i) Store({{Term(4), i}, 0});
  }
};

TEST_F(FuseTest, TooMuchAtOnceIsWithheldWhole) {
  StoreMany(21);
  const auto counts = Pass();
  EXPECT_EQ(counts.trashed, 0u);
  EXPECT_EQ(counts.withheld, 21u);
  EXPECT_EQ(Pass().withheld, 21u) << "and stays";
  const auto status = collector_->GetStatus();
  EXPECT_TRUE(status.is_stopped());
  EXPECT_EQ(status.withheld_bytes(), 105u);
  EXPECT_EQ(status.limit_bytes(), 100u);
  EXPECT_EQ(store_.count(), 21u);
}

TEST_F(FuseTest, ExcessIsOfTheDoubtfulKinds) {
  leader_.verdict = rpc::VerdictAnswer::EXCESS;
  leader_.ground = rpc::VerdictAnswer::NOT_IN_SET;
  StoreMany(21);
  EXPECT_EQ(Pass().withheld, 21u);
}

// Half of what the node holds was moved away, and 6 % is in no set for no known reason.
TEST_F(FuseTest, WhatTheLogMovedAwayGoesBesideWhatIsWithheld) {
  options_.fuse_bytes_min = 0;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const ChunkId chunk{{Term(5), i}, 0};
    Store(chunk);
    if (i <= 50) leader_.released.insert(chunk);
    if (i > 56) Commit(chunk.txn, {1, 2, 3});
  }
  leader_.verdict = rpc::VerdictAnswer::EXCESS;
  leader_.ground = rpc::VerdictAnswer::NOT_IN_SET;
  const auto counts = Pass();
  EXPECT_EQ(counts.trashed, 50u);
  EXPECT_EQ(counts.withheld, 6u);
  EXPECT_TRUE(collector_->GetStatus().is_stopped());
  EXPECT_EQ(collector_->GetStatus().withheld_bytes(), 30u);
  EXPECT_EQ(Pass().removed, 50u) << "also while the fuse is blown";
  EXPECT_EQ(store_.count(), 50u);
}

TEST_F(FuseTest, WhatTheLogMovedAwayBlowsNothing) {
  for (std::uint64_t i = 1; i <= 60; ++i) {
    Store({{Term(4), i}, 0});
    leader_.released.insert({{Term(4), i}, 0});
  }
  EXPECT_EQ(Pass().trashed, 60u);
  EXPECT_FALSE(collector_->GetStatus().is_stopped());
  EXPECT_EQ(Pass().removed, 60u);
}

TEST_F(FuseTest, LawfulPurgesAndOwnAbortsGoOn) {
  StoreMany(21);
  ASSERT_EQ(Pass().withheld, 21u);
  leader_.ground = rpc::VerdictAnswer::PURGED;
  EXPECT_EQ(Pass().trashed, 21u);
  EXPECT_EQ(Pass().removed, 21u);
  StoreMany(40);
  leader_.ground = rpc::VerdictAnswer::CLOSED;
  EXPECT_EQ(Pass().trashed, 40u);
}

TEST_F(FuseTest, ATwentiethOfWhatIsStoredMayGo) {
  options_.fuse_bytes_min = 0;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    Store({{Term(5), i}, 0});
    Commit({Term(5), i}, {1, 2, 3});
  }
  StoreMany(10);  // 50 bytes of 1,050
  EXPECT_EQ(Pass().trashed, 10u);
  EXPECT_FALSE(collector_->GetStatus().is_stopped());
  StoreMany(30);
  EXPECT_EQ(Pass().withheld, 30u) << "20 are new, and 10 are asked about for the second time";
}

TEST_F(FuseTest, ConfirmedOnesGoThroughBothStepsAndThenTheFuseIsThereAgain) {
  StoreMany(30);
  ASSERT_EQ(Pass().withheld, 30u);
  collector_->Confirm();
  EXPECT_FALSE(collector_->GetStatus().is_stopped());
  EXPECT_EQ(Pass().trashed, 30u);
  EXPECT_EQ(Pass().removed, 30u);
  EXPECT_EQ(store_.count(), 0u);
  StoreMany(31);
  EXPECT_EQ(Pass().withheld, 31u);
}

TEST_F(FuseTest, NobodyConfirmsWhatIsNotKnownYet) {
  ASSERT_EQ(Pass().withheld, 0u);
  collector_->Confirm();
  StoreMany(30);
  EXPECT_EQ(Pass().withheld, 30u);
}

TEST_F(FuseTest, MendsItselfOnceTheReasonIsGone) {
  StoreMany(30);
  ASSERT_EQ(Pass().withheld, 30u);
  leader_.verdict = rpc::VerdictAnswer::LIVE;
  EXPECT_EQ(Pass().withheld, 0u);
  EXPECT_FALSE(collector_->GetStatus().is_stopped());
}

// What several passes take is added up: a walk is one pass in the words of the rule.
TEST_F(FuseTest, BoundedPassesOfOneWalkAreAddedUp) {
  options_.looked_at_max = 10;
  StoreMany(50);
  EXPECT_EQ(Pass().trashed, 10u);
  EXPECT_EQ(Pass().trashed, 10u) << "100 bytes";
  EXPECT_EQ(Pass().withheld, 10u);
  EXPECT_EQ(Pass().withheld, 10u);
  EXPECT_EQ(Pass().withheld, 10u);
  EXPECT_EQ(Pass().removed, 0u) << "also what is in the trash already stays";
}

TEST_F(ChunkCollectorTest, BoundedPassesGoOnWhereTheLastOneStopped) {
  options_.looked_at_max = 10;
  leader_.verdict = rpc::VerdictAnswer::LIVE;
  for (std::uint64_t i = 1; i <= 25; ++i) Store({{Term(5), i}, 0});
  EXPECT_EQ(Pass().looked_at, 10u);
  EXPECT_EQ(Pass().looked_at, 10u);
  EXPECT_EQ(Pass().looked_at, 5u);
  EXPECT_EQ(leader_.asked.size(), 25u);
  EXPECT_EQ(Pass().looked_at, 10u);
}

}  // namespace
}  // namespace dfs::leader
