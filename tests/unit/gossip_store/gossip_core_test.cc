// Gossip buckets: single steps of the core, and what two or three of them say to each other.
#include <gmock/gmock.h>

#include "tests/unit/gossip_store/gossip_core_fixture.h"

namespace dfs::gossip_store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Feature 24.
TEST_F(GossipCoreTest, AWriteNeedsNobodyAndTellsTwoPeers) {
  const Output out = Put(1, File("a", 1));
  ASSERT_THAT(out.results, SizeIs(1));
  EXPECT_TRUE(out.results[0].stamp.ok());
  EXPECT_THAT(out.changes, SizeIs(1));
  EXPECT_THAT(out.messages, SizeIs(2));
  EXPECT_TRUE(out.state.has_value()) << "the clock's bound, before anyone hears of the time";
  ASSERT_NE(Find(1, "a"), nullptr);
}

// Feature 24.
TEST_F(GossipCoreTest, NewsIsPassedOnOnceAndComesToRest) {
  Run(absl::Seconds(5));
  ASSERT_EQ(rumours_sent_, 0u);
  Put(1, File("a", 1));
  ASSERT_NO_FATAL_FAILURE(Settle());
  for (const std::uint32_t id : {1u, 2u, 3u}) {
    ASSERT_NE(Find(id, "a"), nullptr) << id;
    EXPECT_EQ(*Find(id, "a"), *Find(1, "a"));
  }
  // Each node tells two peers, once, and none tells it again later.
  EXPECT_GE(rumours_sent_, 2u);
  EXPECT_LE(rumours_sent_, 2 * kNodes);
  const std::size_t sent = rumours_sent_;
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(1)));
  EXPECT_EQ(rumours_sent_, sent);
}

TEST_F(GossipCoreTest, BytesComeBeforeTheName) {
  Run(absl::Seconds(5));
  Put(1, File("a", 1));
  const Message news = FirstTo(2);
  messages_.clear();
  const Output out = Step(2, Receive{news});
  ASSERT_THAT(out.fetches, SizeIs(1));
  EXPECT_EQ(out.fetches[0].from, NodeId(1));
  EXPECT_EQ(Find(2, "a"), nullptr);
  EXPECT_THAT(out.messages, IsEmpty()) << "nobody is told what is not here yet";
  const Output fetched = Step(2, Fetched{out.fetches[0].record, true});
  EXPECT_NE(Find(2, "a"), nullptr);
  EXPECT_THAT(fetched.messages, SizeIs(1)) << "not back to whom it came from";
}

// Defect "the origin is overwritten by its own echo".
TEST_F(GossipCoreTest, TheLastWriterWinsEverywhere) {
  Run(absl::Seconds(5));
  skew_[2] = absl::Milliseconds(5);
  Put(1, File("a", 1));
  Put(2, File("a", 2));
  ASSERT_NO_FATAL_FAILURE(Settle());
  for (const std::uint32_t id : {1u, 2u, 3u}) EXPECT_EQ(Find(id, "a")->size, 2u) << id;
  // A later write wins over what its node has seen, whatever its own clock shows.
  const Output out = Put(1, File("a", 3));
  EXPECT_THAT(out.dropped, SizeIs(1)) << "the bytes that it replaces";
  ASSERT_NO_FATAL_FAILURE(Settle());
  for (const std::uint32_t id : {1u, 2u, 3u}) EXPECT_EQ(Find(id, "a")->size, 3u) << id;
}

TEST_F(GossipCoreTest, ARoundBringsWhatNewsMissed) {
  unreachable_ = {2, 3};
  for (const std::uint32_t id : {1u, 2u, 3u}) Members(id, 3, 3);
  for (std::uint64_t i = 1; i <= 700; ++i) Put(1, File("f" + std::to_string(i), i));
  messages_.clear();
  unreachable_.clear();
  for (const std::uint32_t id : {1u, 2u, 3u}) Members(id, 3, 3);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(20)));
  EXPECT_EQ(cores_.at(2)->table().size(), 700u);
  EXPECT_EQ(cores_.at(3)->table().tree().root(), cores_.at(1)->table().tree().root());
  EXPECT_GT(cores_.at(2)->counts().rounds, 0u);
}

// Rule R23: the bytes of a file count as taken over once they are here.
TEST_F(GossipCoreTest, ARoundWhoseFileDidNotComeHasNoEffect) {
  unreachable_ = {2, 3};
  Members(1, 3, 3);
  Put(1, File("a", 1));
  messages_.clear();
  unreachable_ = {3};
  Members(2, 3, 3);
  now_ += absl::Seconds(2);
  Step(2, Tick{});
  ASSERT_NO_FATAL_FAILURE(CarryUntilAFetch());
  Step(2, Fetched{fetches_.front().second.record, false});
  fetches_.clear();
  EXPECT_EQ(cores_.at(2)->counts().rounds, 0u);
  EXPECT_EQ(cores_.at(2)->counts().rounds_failed, 1u);
  EXPECT_TRUE(cores_.at(2)->inclusion().own().Of(NodeId(1)).is_none());
}

// A lost message costs two rounds' time; where all peers are slow, each gets longer.
TEST_F(GossipCoreTest, ASilentPeerIsLeftSoonUnlessAllAreSilent) {
  Run(absl::Seconds(5));
  const auto given_up_after = [&](std::size_t rounds) {
    std::vector<absl::Duration> times;
    MonotonicTime begun = now_;
    std::uint64_t failed = cores_.at(1)->counts().rounds_failed;
    for (int second = 0; second < 60 && times.size() < rounds; ++second) {
      now_ += absl::Seconds(1);
      Step(1, Tick{});
      messages_.clear();
      if (cores_.at(1)->counts().rounds_failed == failed) {
        if (times.empty() && second == 0) begun = now_;
        continue;
      }
      failed = cores_.at(1)->counts().rounds_failed;
      times.push_back(now_ - begun);
      begun = now_;
    }
    return times;
  };
  EXPECT_THAT(given_up_after(5), ElementsAre(absl::Seconds(2), absl::Seconds(4), absl::Seconds(8), absl::Seconds(10),
                                             absl::Seconds(10)));
  const std::uint64_t rounds = cores_.at(1)->counts().rounds;
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(12)));
  EXPECT_GT(cores_.at(1)->counts().rounds, rounds);
  EXPECT_THAT(given_up_after(1), ElementsAre(absl::Seconds(2)));
}

// Bytes may take longer to come than an answer.
TEST_F(GossipCoreTest, ARoundThatFetchesIsNotGivenUpAsSoon) {
  Run(absl::Seconds(5));
  unreachable_ = {2, 3};
  Put(1, File("a", 1));
  messages_.clear();
  unreachable_ = {3};
  Members(2, 3, 3);
  now_ += absl::Seconds(1);
  Step(2, Tick{});
  ASSERT_NO_FATAL_FAILURE(CarryUntilAFetch());
  const std::uint64_t rounds = cores_.at(2)->counts().rounds;
  now_ += absl::Seconds(9);
  Step(2, Tick{});
  EXPECT_EQ(cores_.at(2)->counts().rounds_failed, 0u);
  Step(2, Fetched{fetches_.front().second.record, true});
  fetches_.clear();
  EXPECT_EQ(cores_.at(2)->counts().rounds, rounds + 1);
}

TEST_F(GossipCoreTest, ATombstoneGoesOnceAllHaveItAndOnlyThen) {
  Run(absl::Seconds(5));
  Put(1, File("a", 1));
  ASSERT_NO_FATAL_FAILURE(Settle());
  unreachable_ = {3};
  Put(1, Removal("a"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(10)));
  for (const std::uint32_t id : {1u, 2u}) EXPECT_EQ(cores_.at(id)->table().tombstones(), 1u) << id;
  EXPECT_FALSE(Find(3, "a")->is_tombstone);
  unreachable_.clear();
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  for (const std::uint32_t id : {1u, 2u, 3u}) EXPECT_EQ(cores_.at(id)->table().size(), 0u) << id;
}

// Defect "the origin is overwritten by its own echo".
TEST_F(GossipCoreTest, LateNewsOfWhatIsGoneIsRefused) {
  Run(absl::Seconds(5));
  Put(1, File("a", 1));
  const Message late = FirstTo(2);
  ASSERT_NO_FATAL_FAILURE(Settle());
  Put(2, Removal("a"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  ASSERT_EQ(cores_.at(2)->table().size(), 0u);
  EXPECT_THAT(Step(2, Receive{late}).fetches, IsEmpty());
  EXPECT_EQ(cores_.at(2)->counts().refused, 1u);
  Message echo = late;
  echo.from = NodeId(3);
  echo.to = NodeId(1);
  EXPECT_THAT(Step(1, Receive{echo}).fetches, IsEmpty()) << "its own, come back";
}

// A tombstone may hide what a member wrote before and nobody else has: it must be refused once that is so.
TEST_F(GossipCoreTest, ATombstoneStaysUntilWhatItHidesCanBeRefused) {
  Run(absl::Seconds(5));
  Put(1, Removal("a"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  // The others take over node 1's state, but it takes over nobody's.
  for (int second = 0; second < 600; ++second) {
    now_ += absl::Seconds(1);
    for (const std::uint32_t id : {2u, 3u}) {
      Step(id, Tick{});
      ASSERT_NO_FATAL_FAILURE(Settle());
    }
  }
  Members(1, 3, 3);
  unreachable_ = {2, 3};
  Members(1, 3, 3);
  now_ += absl::Seconds(2);
  Step(1, Tick{});
  EXPECT_EQ(cores_.at(1)->table().tombstones(), 1u);
}

TEST_F(GossipCoreTest, ANewcomerTakesAStateBeforeNews) {
  Run(absl::Seconds(5));
  Put(2, File("a", 1));
  const Message late = FirstTo(1);
  ASSERT_NO_FATAL_FAILURE(Settle());
  Put(2, Removal("a"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  ASSERT_EQ(cores_.at(1)->table().size(), 0u);
  // Node 4 has joined and hears of the name that is gone, before it has heard of anything else.
  Begin(4, 4);
  Message news = late;
  news.from = NodeId(1);
  news.to = NodeId(4);
  EXPECT_THAT(Step(4, Receive{news}).fetches, IsEmpty());
  for (const std::uint32_t id : {1u, 2u, 3u}) Members(id, 4, 4);
  EXPECT_FALSE(cores_.at(4)->IsComplete());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  EXPECT_TRUE(cores_.at(4)->IsComplete());
  EXPECT_THAT(Step(4, Receive{news}).fetches, IsEmpty());
}

TEST_F(GossipCoreTest, TombstonesOfOneWhoHasGoneGoToo) {
  Run(absl::Seconds(5));
  Put(3, File("a", 1));
  ASSERT_NO_FATAL_FAILURE(Settle());
  Put(3, Removal("a"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  cores_.erase(3);
  for (const std::uint32_t id : {1u, 2u}) Members(id, 2, 9);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  for (const std::uint32_t id : {1u, 2u}) EXPECT_EQ(cores_.at(id)->table().size(), 0u) << id;
}

// Rule R23: who comes back with an old disk comes back empty.
TEST_F(GossipCoreTest, AnOldStateIsNoticed) {
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  states_[2] = GossipState();
  Begin(2, 3);
  bool has_lost_memory = false;
  for (int i = 0; i < 5; ++i) {
    now_ += absl::Seconds(1);
    Step(1, Tick{});
    Step(3, Tick{});
    while (!messages_.empty()) {
      const Message message = messages_.front();
      messages_.pop_front();
      has_lost_memory |= Step(message.to.value(), Receive{message}).has_lost_memory;
    }
  }
  EXPECT_TRUE(has_lost_memory);
}

// The same, and it goes on: it begins anew once, takes everything over, and its later writes are everybody's.
TEST_F(GossipCoreTest, WhoBeginsAnewTakesAllOverAndKeepsWhatItWritesThen) {
  Put(1, File("a", 1));
  Put(2, File("own", 2));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  messages_.clear();
  states_[2] = cores_.at(2)->BeginAnew().state;
  Begin(2, 3);
  EXPECT_FALSE(cores_.at(2)->IsComplete());
  const Stamp stamp = *Put(2, File("later", 3)).results[0].stamp;
  int losses = 0;
  for (int i = 0; i < 20; ++i) {
    now_ += absl::Seconds(1);
    for (const auto& [id, core] : cores_) Step(id, Tick{});
    while (!messages_.empty() || !fetches_.empty()) {
      if (messages_.empty()) {
        const auto [id, fetch] = fetches_.front();
        fetches_.pop_front();
        Step(id, Fetched{fetch.record, true});
        continue;
      }
      const Message message = messages_.front();
      messages_.pop_front();
      losses += Step(message.to.value(), Receive{message}).has_lost_memory ? 1 : 0;
    }
  }
  EXPECT_EQ(losses, 0);
  EXPECT_FALSE(states_[2].has_begun_anew) << "it has heard of all";
  for (const std::uint32_t id : {1u, 2u, 3u}) {
    for (const char* const name : {"a", "own", "later"}) EXPECT_NE(Find(id, name), nullptr) << id << name;
  }
  EXPECT_EQ(Find(1, "later")->stamp, stamp);
}

// What is kept gets a new time only if others would refuse the one it has: else it would win over what others wrote since.
TEST_F(GossipCoreTest, WhatOthersTookOverOfAnOldStateKeepsItsTime) {
  for (const bool was_told_before : {false, true}) {
    Begin(2, kNodes);
    const Stamp written = *Put(2, File("a", 1)).results.at(0).stamp;
    const auto begin = [&](std::vector<InclusionRow> rows) {
      return Step(2, Receive{{NodeId(1), NodeId(2), now_, SyncBegin{1, Hash128(), std::move(rows)}}});
    };
    const Output told = begin({{NodeId(1), {}}});
    const HybridTime as_of = std::get<SyncState>(told.messages.at(0).body).as_of;
    ASSERT_GT(as_of, written.time);
    const HybridTime taken_over(as_of.value() - (was_told_before ? 1 : 0));
    ASSERT_GE(taken_over, written.time);
    ASSERT_TRUE(begin({{NodeId(1), {{NodeId(2), taken_over}}}, {NodeId(2), {{NodeId(3), as_of}}}}).has_lost_memory);
    const BegunAnew anew = cores_.at(2)->BeginAnew();
    ASSERT_THAT(anew.kept, SizeIs(1));
    if (was_told_before) {
      EXPECT_GT(anew.kept[0].record.stamp.time, taken_over);
    } else {
      EXPECT_EQ(anew.kept[0].record.stamp, written);
    }
    states_[2] = GossipState();
    messages_.clear();
  }
}

// Rule R23: an old disk must not cost what was acknowledged since it came back, on a node that nobody could hear.
TEST_F(GossipCoreTest, WhatIsWrittenOnAnOldStateIsKeptAndTheOldStateIsNot) {
  Put(2, File("old", 1));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  const GossipState old_state = states_[2];
  const HeldRecord old_record = *cores_.at(2)->table().Find({kBucket, "old"});
  Put(1, Removal("old"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  ASSERT_EQ(cores_.at(1)->table().size(), 0u) << "nobody remembers the removal";

  GossipOptions options;
  options.self = NodeId(2);
  cores_[2] = std::make_unique<GossipCore>(options, old_state, std::vector<HeldRecord>{old_record});
  Step(2, SetBuckets{{kBucket}});
  unreachable_ = {1, 3};
  Members(2, 3, 3);
  const Stamp written = *Put(2, File("new", 2)).results[0].stamp;
  Put(2, Removal("other"));
  unreachable_.clear();
  Members(2, 3, 3);
  messages_.clear();
  bool has_lost_memory = false;
  for (int i = 0; i < 100 && !has_lost_memory; ++i) {
    if (messages_.empty()) {
      now_ += absl::Seconds(1);
      Step(1, Tick{});
      Step(3, Tick{});
      continue;
    }
    const Message message = messages_.front();
    messages_.pop_front();
    has_lost_memory = Step(message.to.value(), Receive{message}).has_lost_memory;
  }
  ASSERT_TRUE(has_lost_memory);
  const BegunAnew anew = cores_.at(2)->BeginAnew();
  ASSERT_THAT(anew.kept, SizeIs(2));
  EXPECT_EQ(anew.kept[0].record.stamp, written) << "the version that was told";
  EXPECT_LE(anew.kept[1].applied, anew.state.clock_bound);
  cores_[2] = std::make_unique<GossipCore>(options, anew.state, anew.kept);
  states_[2] = anew.state;
  messages_.clear();
  fetches_.clear();
  Step(2, SetBuckets{{kBucket}});
  Members(2, 3, 3);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(4)));
  for (const std::uint32_t id : {1u, 2u, 3u}) {
    EXPECT_NE(Find(id, "new"), nullptr) << id;
    EXPECT_EQ(Find(id, "old"), nullptr) << id << ": removed, and stays so";
    EXPECT_EQ(cores_.at(id)->table().tombstones(), 0u) << id;
  }
}

// All that would notice a member's old disk have started anew, and forgotten how far it was: what they wrote themselves and removed
// does not come back from there either.
TEST_F(GossipCoreTest, AnOldDiskBringsNothingBackToWhoWroteIt) {
  Run(absl::Seconds(5));
  Put(1, File("gone", 1));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  const GossipState old_state = states_[2];
  const HeldRecord old_record = *cores_.at(2)->table().Find({kBucket, "gone"});
  Put(1, Removal("gone"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  ASSERT_EQ(cores_.at(1)->table().size(), 0u);

  cores_.erase(3);
  unreachable_ = {3};
  GossipOptions options;
  options.self = NodeId(2);
  cores_[2] = std::make_unique<GossipCore>(options, old_state, std::vector<HeldRecord>{old_record});
  Step(2, SetBuckets{{kBucket}});
  Members(2, 3, 3);
  Begin(1, 3);
  messages_.clear();
  for (int second = 0; second < 60; ++second) {
    now_ += absl::Seconds(1);
    Step(1, Tick{});  // 2 asks nobody
    ASSERT_NO_FATAL_FAILURE(Settle());
  }
  EXPECT_GT(cores_.at(1)->counts().rounds, 0u) << "with node 2";
  EXPECT_EQ(Find(1, "gone"), nullptr);
}

// A disk that said it had synced and had not: the others have what this node wrote last, and it takes that over.
TEST_F(GossipCoreTest, WhatADiskLostOfTheLastWritesComesBackFromThePeers) {
  Run(absl::Seconds(5));
  Put(2, Removal("earlier"));
  ASSERT_NO_FATAL_FAILURE(Settle());
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(3)));
  ASSERT_GT(cores_.at(2)->counts().purged, 0u);
  const GossipState before = states_[2];
  Put(2, File("last", 1));
  ASSERT_NO_FATAL_FAILURE(Settle());
  states_[2] = before;
  Begin(2, 3);
  messages_.clear();
  for (int second = 0; second < 5; ++second) {
    now_ += absl::Seconds(1);
    Step(2, Tick{});
    ASSERT_NO_FATAL_FAILURE(Settle());
  }
  EXPECT_NE(Find(2, "last"), nullptr);
}

TEST_F(GossipCoreTest, WhoLeavesTakesNoWritesAndSaysWhenOneThatStaysHasAll) {
  Run(absl::Seconds(5));
  unreachable_ = {3};
  Put(3, File("only here", 1));
  messages_.clear();
  const auto leave = [&](std::set<NodeId> departing) {
    gossip_store::SetPeers peers;
    peers.members = peers.reachable = {NodeId(1), NodeId(2), NodeId(3)};
    peers.index = LogIndex(3);
    peers.departing = std::move(departing);
    Step(3, peers);
  };
  EXPECT_FALSE(cores_.at(3)->IsHandedOver()) << "it stays";
  leave({NodeId(2), NodeId(3)});
  EXPECT_TRUE(absl::IsUnavailable(Put(3, File("late", 2)).results[0].stamp.status()));
  EXPECT_FALSE(cores_.at(3)->IsHandedOver());
  unreachable_ = {1};
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(2)));
  ASSERT_NE(Find(2, "only here"), nullptr);
  EXPECT_FALSE(cores_.at(3)->IsHandedOver()) << "2 goes too";
  unreachable_.clear();
  ASSERT_NO_FATAL_FAILURE(Run(absl::Minutes(2)));
  ASSERT_NE(Find(1, "only here"), nullptr);
  EXPECT_TRUE(cores_.at(3)->IsHandedOver());
  leave({});
  EXPECT_TRUE(Put(3, File("after all", 3)).results[0].stamp.ok()) << "it was taken back";
  EXPECT_FALSE(cores_.at(3)->IsHandedOver());
}

TEST_F(GossipCoreTest, WhatNobodyElseIsKnownToHaveIsCountedUntilItIsTakenOver) {
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(5)));
  unreachable_ = {1};
  const auto alone = [&] { return cores_.at(1)->CountAlone(); };
  for (const char* name : {"a", "b", "c", "a"}) Put(1, File(name, 1));
  Put(1, Removal("b"));
  EXPECT_EQ(alone(), 3u) << "each name once; a removal can be lost, too";
  messages_.clear();
  Begin(1, kNodes, true);
  EXPECT_EQ(alone(), 3u) << "it does not know any more who has what";
  unreachable_.clear();
  // The only one that has it is to go, too.
  for (const std::uint32_t id : {1u, 2u, 3u}) {
    gossip_store::SetPeers peers{{NodeId(1), NodeId(2), NodeId(3)}, {NodeId(1), NodeId(2)}, LogIndex(9), {NodeId(2)}};
    Step(id, peers);
  }
  unreachable_ = {3};
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  ASSERT_NE(Find(2, "c"), nullptr);
  EXPECT_EQ(alone(), 3u);
  unreachable_.clear();
  for (const std::uint32_t id : {1u, 2u, 3u}) Members(id, 3, 10);
  ASSERT_NO_FATAL_FAILURE(Run(absl::Seconds(10)));
  for (const std::uint32_t id : {1u, 2u, 3u}) EXPECT_EQ(cores_.at(id)->CountAlone(), 0u) << id;
}

// What is known to be replaced is, whoever's clock is ahead.
TEST_F(GossipCoreTest, AWriteIsNewerThanWhatItReplaces) {
  Record removal = Removal("a");
  removal.stamp.time = HybridTimeAt(now_ + absl::Seconds(20));
  EXPECT_GT(Put(1, removal).results[0].stamp->time, removal.stamp.time);
  Record absurd = Removal("b");
  absurd.stamp.time = HybridTimeAt(now_ + absl::Hours(20));
  EXPECT_LT(Put(1, absurd).results[0].stamp->time, absurd.stamp.time) << "rule R24";
}

TEST_F(GossipCoreTest, WhatHasNoBucketIsNotTakenAndADroppedBucketEmpties) {
  Run(absl::Seconds(5));
  Step(2, SetBuckets{});
  for (std::uint64_t i = 1; i <= 1'500; ++i) Put(1, File("f" + std::to_string(i), i));
  ASSERT_NO_FATAL_FAILURE(Settle());
  EXPECT_EQ(cores_.at(2)->table().size(), 0u);
  EXPECT_EQ(cores_.at(1)->table().size(), 1'500u);
  const Output first = Step(1, DropBucket{kBucket});
  EXPECT_THAT(first.changes, SizeIs(GossipCore::kErasedPerStepMax));
  EXPECT_EQ(first.next_deadline, now_);
  EXPECT_THAT(Step(1, Tick{}).dropped, SizeIs(500));
  EXPECT_EQ(cores_.at(1)->table().size(), 0u);
}

TEST_F(GossipCoreTest, MessagesOfStrangersAndNonsenseAreIgnored) {
  Put(1, File("a", 1));
  Message news = FirstTo(2);
  messages_.clear();
  news.from = NodeId(77);
  EXPECT_THAT(Step(2, Receive{news}).fetches, IsEmpty());
  for (const MessageBody& body :
       {MessageBody(SyncState{.round = 1}), MessageBody(Leaves{.round = 1, .inner = {3}}),
        MessageBody(LeafRecords{.round = 1, .leaves = {7}}), MessageBody(AskLeaves{.round = 1}),
        MessageBody(AskRecords{.round = 1, .leaves = std::vector<LeafNumber>(kLeavesAskedMax + 1)})}) {
    EXPECT_THAT(Step(2, Receive{{NodeId(1), NodeId(2), now_, body}}).messages, IsEmpty());
  }
}

TEST(RecordTable, ScansByNameWithPrefixAndTombstones) {
  RecordTable table;
  for (const char* name : {"b/2", "a", "b/1", "b/3", "c"}) {
    HeldRecord held;
    held.record.key = {kBucket, name};
    held.record.is_tombstone = std::string(name) == "b/3";
    held.applied = HybridTime(table.size() + 1);
    table.Put(held);
  }
  std::string seen;
  const auto note = [&](const HeldRecord& held) {
    seen += held.record.key.name + " ";
    return true;
  };
  table.Scan(kBucket, "b/", "", note);
  EXPECT_EQ(seen, "b/1 b/2 b/3 ");
  seen.clear();
  table.Scan(kBucket, "", "b/1", note);
  EXPECT_EQ(seen, "b/2 b/3 c ");
  seen.clear();
  table.ScanTombstones(HybridTime(9), note);
  EXPECT_EQ(seen, "b/3 ");
  for (const char* name : {"b/2", "a", "b/1", "b/3", "c"}) table.Erase({kBucket, name});
  EXPECT_EQ(table.tree().root(), Hash128());
}

}  // namespace
}  // namespace dfs::gossip_store
