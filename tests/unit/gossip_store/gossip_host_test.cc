// The host of gossip buckets: what waits for what, what is refused, what goes, and how it ends.
#include "server/gossip_store/gossip_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/executor.h"
#include "server/gossip_store/gossip_chunks.h"
#include "tests/unit/gossip_store/gossip_fakes.h"

namespace dfs::gossip_store {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const BucketId kBucket(3);
constexpr NodeId kSelf(1);

Record Removal(const std::string& name) {
  Record record;
  record.key = {kBucket, name};
  record.is_tombstone = true;
  return record;
}

// Members 1, 2 and 3; this is 1.
class GossipHostTest : public ::testing::Test {
 protected:
  GossipHostTest() {
    around_.peers.members = {NodeId(1), NodeId(2), NodeId(3)};
    around_.peers.reachable = around_.peers.members;
    around_.peers.index = LogIndex(9);
    around_.buckets = {kBucket};
    around_.next_bucket = BucketId(4);
  }
  ~GossipHostTest() override {
    table_.Release();
    peers_.Release();
    host_.reset();
  }
  void Start() {
    GossipHost::Parts parts;
    parts.options.self = kSelf;
    parts.options.sync_interval = absl::Milliseconds(20);
    parts.boot_epoch = BootEpoch(++epoch_);
    parts.clock = &SystemClock();
    parts.table = &table_;
    parts.transport = &messages_;
    parts.store = &store_;
    parts.peers = &peers_;
    parts.sweep_every = sweep_every_;
    parts.swept_after = absl::ZeroDuration();
    parts.look = [this] {
      ++looks_;
      MutexLock lock(&mutex_);
      return around_;
    };
    parts.on_fatal = [this](const absl::Status&) { ++fatal_; };
    host_ = std::make_unique<GossipHost>(std::move(parts));
    ASSERT_TRUE(host_->Start().ok());
    // It has looked: an answer comes from its executor, behind the look.
    ASSERT_TRUE(host_->Held({kBucket, ""}).ok());
  }
  void SetBuckets(std::set<BucketId> buckets) {
    MutexLock lock(&mutex_);
    around_.buckets = std::move(buckets);
  }
  // A file of one chunk as a put at this node makes it.
  Record FileHere(const std::string& name, const std::string& bytes) {
    return FileIn(store_, host_->NewTxn(), name, bytes);
  }
  // One of another node, whose bytes are there.
  Record FileThere(const std::string& name, const std::string& bytes, NodeId origin = NodeId(2)) {
    Record record = FileIn(peers_.store, {Term(std::uint64_t{1} << 63 | origin.value()), ++sequence_}, name, bytes);
    record.stamp = {HybridTimeAt(SystemClock().WallNow()), origin};
    return record;
  }
  static Record FileIn(testing::MemoryChunkStore& store, const TxnId& txn, const std::string& name,
                       const std::string& bytes) {
    Record record;
    record.key = {kBucket, name};
    record.txn = txn;
    record.size = bytes.size();
    record.chunks = {store.Put({txn, 0}, bytes, std::nullopt)->hash};
    return record;
  }
  void Tell(const Record& record) {
    host_->Receive({NodeId(2), kSelf, SystemClock().WallNow(), Rumours{{record}}});
  }
  absl::StatusOr<Stamp> Write(const Record& record) { return host_->WriteAll({record}).front(); }
  std::optional<Record> Held(const std::string& name) {
    const auto held = host_->Held({kBucket, name});
    return held.ok() ? *held : std::nullopt;
  }
  bool AwaitHeld(const std::string& name) {
    return WaitUntil([&] { return Held(name).has_value(); });
  }

  Mutex mutex_;
  Surroundings around_ ABSL_GUARDED_BY(mutex_);
  MemoryGossipTable table_;
  KeptMessages messages_;
  testing::MemoryChunkStore store_;
  MemoryChunkPeers peers_;
  std::atomic<int> fatal_ = 0;
  std::atomic<int> looks_ = 0;
  absl::Duration sweep_every_ = absl::Hours(1);
  std::uint64_t epoch_ = 0;
  std::uint64_t sequence_ = 0;
  std::unique_ptr<GossipHost> host_;
};

TEST_F(GossipHostTest, NobodyHearsOfAWriteBeforeItIsDurable) {
  Start();
  table_.Hold();
  ThreadPool pool("writer", 1);
  Event answered;
  pool.Post([&] {
    EXPECT_TRUE(Write(FileHere("a", "bytes")).ok());
    answered.Set();
  });
  ASSERT_TRUE(WaitUntil([&] { return table_.IsHolding(); }));
  EXPECT_FALSE(answered.WaitFor(absl::ZeroDuration()));
  EXPECT_THAT(messages_.Rumoured(), IsEmpty());
  table_.Release();
  EXPECT_TRUE(answered.WaitFor(kLong));
  EXPECT_TRUE(table_.Holds({kBucket, "a"}));
  EXPECT_TRUE(WaitUntil([&] { return messages_.Rumoured().size() == 2; })) << "fan-out 2";
}

TEST_F(GossipHostTest, WritesThatWaitTogetherShareASync) {
  Start();
  // A round's own state is written beside them now and then: far fewer than the writes, whatever the machine.
  const int before = table_.writes();
  std::vector<Record> removals;
  for (int i = 0; i < 200; ++i) removals.push_back(Removal("name " + std::to_string(i)));
  for (const auto& stamp : host_->WriteAll(removals)) EXPECT_TRUE(stamp.ok());
  EXPECT_LT(table_.writes() - before, 100);
}

TEST_F(GossipHostTest, AFullInboxRefusesWritesAndDropsMessages) {
  Start();
  table_.Hold();
  ThreadPool pool("writer", 1);
  pool.Post([&] { static_cast<void>(Write(Removal("first"))); });
  ASSERT_TRUE(WaitUntil([&] { return table_.IsHolding(); }));
  for (std::size_t i = 0; i < GossipHost::kInboxMax + 100; ++i) Tell(Removal("r" + std::to_string(i)));
  const Record refused = FileHere("refused", "bytes");
  const auto stamp = Write(refused);
  EXPECT_TRUE(absl::IsResourceExhausted(stamp.status())) << stamp.status();
  EXPECT_TRUE(WaitUntil([&] { return !store_.Find({refused.txn, 0}); })) << "its bytes are needed no more";
  table_.Release();
  EXPECT_TRUE(AwaitHeld("first"));
  // Those that were dropped are none of this node's: it goes on.
  EXPECT_TRUE(WaitUntil([&] { return Write(Removal("later")).ok(); }));
  EXPECT_LE(host_->List(kBucket, "", "")->size(), GossipHost::kInboxMax);
}

TEST_F(GossipHostTest, StoppedItAnswersEverything) {
  Start();
  table_.Hold();
  ThreadPool pool("writer", 2);
  Event answered;
  pool.Post([&] {
    EXPECT_TRUE(Write(Removal("under way")).ok()) << "the write that is on the disk ends";
    answered.Set();
  });
  ASSERT_TRUE(WaitUntil([&] { return table_.IsHolding(); }));
  Event second;
  pool.Post([&] {
    EXPECT_TRUE(absl::IsUnavailable(Write(Removal("behind")).status()));
    second.Set();
  });
  // Stop waits for the disk, and the disk for the release: both must be let go.
  ThreadPool stopper("stopper", 1);
  Event stopped;
  stopper.Post([&] {
    host_->Stop();
    stopped.Set();
  });
  const auto refused = std::make_shared<std::atomic<bool>>(false);
  ASSERT_TRUE(WaitUntil([&] {
    host_->Find({kBucket, "a"}, [refused](const absl::StatusOr<HeldThere>& held) {
      if (absl::IsUnavailable(held.status())) *refused = true;
    });
    return refused->load();
  })) << "it says at once that it stops";
  table_.Release();
  EXPECT_TRUE(stopped.WaitFor(kLong));
  EXPECT_TRUE(answered.WaitFor(kLong));
  EXPECT_TRUE(second.WaitFor(kLong));

  const Record late = FileHere("late", "bytes");
  EXPECT_TRUE(absl::IsUnavailable(Write(late).status())) << "not as if another try here could help";
  EXPECT_TRUE(absl::IsUnavailable(host_->List(kBucket, "", "").status()));
  EXPECT_THAT(host_->AskPeers({kBucket, "a"}), IsEmpty());
  absl::Status found;
  host_->Find({kBucket, "a"}, [&](const absl::StatusOr<HeldThere>& held) { found = held.status(); });
  EXPECT_TRUE(absl::IsUnavailable(found));
  Tell(Removal("nobody listens"));
  host_->Heal({late.txn, 0});
  host_->Stop();
}

TEST_F(GossipHostTest, AFailedDiskEndsItAndIsToldOnce) {
  Start();
  table_.Fail(absl::DataLossError("the disk is gone"));
  EXPECT_TRUE(absl::IsDataLoss(Write(Removal("a")).status()));
  EXPECT_TRUE(absl::IsDataLoss(Write(Removal("b")).status())) << "also those that come later";
  EXPECT_THAT(messages_.Rumoured(), IsEmpty());
  EXPECT_EQ(fatal_.load(), 1);
}

TEST_F(GossipHostTest, AFileIsListedOnceItsBytesAreHere) {
  Start();
  peers_.Hold();
  const Record file = FileThere("a", "bytes");
  Tell(file);
  ASSERT_TRUE(WaitUntil([&] { return peers_.reads() == 1; }));
  EXPECT_FALSE(Held("a").has_value());
  peers_.Release();
  ASSERT_TRUE(AwaitHeld("a"));
  EXPECT_TRUE(store_.Find({file.txn, 0}).has_value());
  EXPECT_EQ(host_->FindByTxn(file.txn)->key.name, "a");
  EXPECT_TRUE(WaitUntil([&] { return host_->GetHealth().fetches == 1; }));
}

TEST_F(GossipHostTest, AFileWhoseBytesNobodyGivesIsNotListed) {
  Start();
  Record file = FileThere("a", "bytes");
  peers_.store.Drop({file.txn, 0});
  Tell(file);
  EXPECT_TRUE(WaitUntil([&] { return host_->GetHealth().fetches_failed == 1; }));
  EXPECT_FALSE(Held("a").has_value());
}

TEST_F(GossipHostTest, AMissingChunkIsMadeAnewOnceHoweverOftenItIsReported) {
  Start();
  const Record file = FileThere("a", "bytes");
  Tell(file);
  ASSERT_TRUE(AwaitHeld("a"));
  store_.Drop({file.txn, 0});
  peers_.Hold();
  for (int i = 0; i < 1'000; ++i) host_->Heal({file.txn, 0});
  ASSERT_TRUE(WaitUntil([&] { return peers_.reads() == 2; })) << "one to fetch, one to heal";
  peers_.Release();
  EXPECT_TRUE(WaitUntil([&] { return store_.Find({file.txn, 0}).has_value(); }));
  // Behind all that was posted for them.
  ASSERT_TRUE(host_->Held({kBucket, ""}).ok());
  EXPECT_EQ(peers_.reads(), 2);
  store_.Drop({file.txn, 0});
  EXPECT_TRUE(WaitUntil([&] {
    host_->Heal({file.txn, 0});
    return store_.Find({file.txn, 0}).has_value();
  })) << "another time it is healed again";
  host_->Heal({{Term(7), 7}, 0});  // of nobody
}

TEST_F(GossipHostTest, PeersThatAreSilentCostASecondAndNotMore) {
  Start();
  HeldThere there{FileThere("a", "bytes"), SystemClock().WallNow()};
  messages_.Answer(NodeId(2), there);  // 3 never answers
  const auto answers = host_->AskPeers({kBucket, "a"});
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].first, NodeId(2));
  EXPECT_EQ(answers[0].second, *there.record);
  EXPECT_TRUE(AwaitHeld("a")) << "what is news here is taken over";
}

TEST_F(GossipHostTest, ARemovedBucketTakesItsBytesAlong) {
  Start();
  const Record file = FileHere("a", "bytes");
  ASSERT_TRUE(Write(file).ok());
  SetBuckets({});
  EXPECT_TRUE(WaitUntil([&] { return !store_.Find({file.txn, 0}) && !table_.Holds({kBucket, "a"}); }));
}

TEST_F(GossipHostTest, ABucketThatTheLogDoesNotKnowYetIsLeftAlone) {
  Start();
  const Record file = FileHere("a", "bytes");
  ASSERT_TRUE(Write(file).ok());
  host_.reset();
  {
    // After a start the log is applied anew: it may be behind the records.
    MutexLock lock(&mutex_);
    around_.buckets = {};
    around_.next_bucket = kBucket;
  }
  Start();
  EXPECT_TRUE(Held("a").has_value());
  EXPECT_TRUE(store_.Find({file.txn, 0}).has_value());
}

TEST_F(GossipHostTest, BytesThatNoRecordNamesGoAndOthersStay) {
  sweep_every_ = absl::Milliseconds(20);
  Start();
  const Record kept = FileHere("kept", "bytes");
  ASSERT_TRUE(Write(kept).ok());
  const Record open = FileHere("open", "a put that goes on");
  const ChunkId of_leader{{Term(5), 5}, 0};
  ASSERT_TRUE(store_.Put(of_leader, "no bucket of mode gossip", std::nullopt).ok());
  // What a fetch left that failed half-way: several sweeps find no more than it.
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const Record orphan = FileIn(store_, {Term(std::uint64_t{1} << 63 | 2), i}, "x", "left");
    EXPECT_TRUE(WaitUntil([&] { return !store_.Find({orphan.txn, 0}); }));
  }
  EXPECT_TRUE(store_.Find({kept.txn, 0}).has_value());
  EXPECT_TRUE(store_.Find({open.txn, 0}).has_value());
  EXPECT_TRUE(store_.Find(of_leader).has_value());
  ASSERT_TRUE(Write(open).ok());
  EXPECT_TRUE(Held("open").has_value());
  // A put that ends without a record.
  const Record given_up = FileHere("given up", "bytes");
  host_->Drop(given_up.txn, 0);
  EXPECT_TRUE(WaitUntil([&] { return !store_.Find({given_up.txn, 0}); }));
}

TEST_F(GossipHostTest, AfterALossOfRecordsBytesStayUntilTheRecordsAreBack) {
  sweep_every_ = absl::Milliseconds(20);
  GossipState state;
  state.has_begun_anew = true;
  table_.Set({state, {}});
  const Record file = FileThere("a", "bytes");
  ASSERT_TRUE(store_.Put({file.txn, 0}, "bytes", std::nullopt).ok());
  Start();
  // Each look that is due is one at a sweep too; twenty of them are many times as long as a sweep is apart.
  ASSERT_TRUE(WaitUntil([&] { return looks_.load() > 20; }));
  EXPECT_TRUE(store_.Find({file.txn, 0}).has_value());
}

// Rule R23: an old disk; what was acknowledged since is kept, and the rest is taken over anew.
TEST_F(GossipHostTest, AnOldStateGoesAndWhatWasWrittenSinceStays) {
  Start();
  const Record old = FileHere("old", "bytes");
  ASSERT_TRUE(Write(old).ok());
  StoredGossip stored = *table_.Load();
  host_.reset();
  // What was written before this start is not newer than the bound of the state, and that is a few seconds ahead.
  table_.Set(stored);
  Start();
  const Record written = FileHere("new", "bytes");
  ASSERT_TRUE(Write(written).ok());
  const HybridTime future(HybridTimeAt(SystemClock().WallNow() + absl::Hours(1)));
  const InclusionRow theirs{NodeId(2), {}};
  const InclusionRow mine{kSelf, {{NodeId(2), future}}};
  host_->Receive({NodeId(2), kSelf, SystemClock().WallNow(), SyncBegin{1, {}, {theirs, mine}}});
  ASSERT_TRUE(WaitUntil([&] { return table_.begun_anew() == 1; }));
  EXPECT_TRUE(AwaitHeld("new"));
  EXPECT_FALSE(Held("old").has_value());
  EXPECT_FALSE(table_.Holds({kBucket, "old"}));
  EXPECT_TRUE(table_.Holds({kBucket, "new"}));
  EXPECT_TRUE(store_.Find({written.txn, 0}).has_value());
  EXPECT_TRUE(host_->FindByTxn(written.txn).has_value());
  EXPECT_TRUE(store_.Find({old.txn, 0}).has_value()) << "what the others still list need not be fetched";
}

}  // namespace
}  // namespace dfs::gossip_store
