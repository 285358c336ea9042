// Buckets: their rule, quota, and their end.
#include "server/metadata/bucket_rule.h"

#include <gtest/gtest.h>

#include "server/metadata/limits.h"
#include "server/metadata/row_keys.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

const std::vector<std::string> kAllWell;

api::BucketOptions Options(std::uint32_t replicas, std::uint32_t write, std::uint32_t read) {
  api::BucketOptions options;
  options.set_replicas(replicas);
  options.set_write_quorum(write);
  options.set_read_quorum(read);
  return options;
}

TEST(BucketRule, NamesAreShortAndPlain) {
  for (const char* good : {"a", "logs", "2026.backup-1", "a-b"}) {
    EXPECT_TRUE(CheckBucketName(good).ok()) << good;
  }
  for (const char* bad : {"", "A", "a_b", "-a", "a-", ".", "a/b", "a b", "\xC3\xBC"}) {
    EXPECT_FALSE(CheckBucketName(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckBucketName(std::string(63, 'a')).ok());
  EXPECT_FALSE(CheckBucketName(std::string(64, 'a')).ok());
}

// R + W > N, or said so.
// Feature 20.
TEST(BucketRule, QuorumsMeetUnlessSaidOtherwise) {
  for (std::uint32_t n = 1; n <= kReplicasMax; ++n) {
    for (std::uint32_t w = 1; w <= n; ++w) {
      for (std::uint32_t r = 1; r <= n; ++r) {
        api::BucketOptions options = Options(n, w, r);
        EXPECT_EQ(BucketRowOf(options).ok(), w + r > n) << n << " " << w << " " << r;
        options.set_allow_no_overlap(true);
        EXPECT_TRUE(BucketRowOf(options).ok());
      }
    }
    const auto row = BucketRowOf(Options(n, 0, 0));
    ASSERT_TRUE(row.ok());
    EXPECT_EQ(row->write_quorum(), n / 2 + 1) << "a majority";
    EXPECT_GT(row->write_quorum() + row->read_quorum(), n);
  }
  EXPECT_FALSE(BucketRowOf(Options(8, 0, 0)).ok());
  EXPECT_FALSE(BucketRowOf(Options(3, 4, 3)).ok());
  api::BucketOptions gossip;
  gossip.set_mode(api::GOSSIP);
  const auto row = BucketRowOf(gossip);
  ASSERT_TRUE(row.ok());
  EXPECT_TRUE(IsGossipBucket(*row));
  EXPECT_EQ(OptionsOf(*row).mode(), api::GOSSIP);
  gossip.set_quota_files(1);
  EXPECT_FALSE(BucketRowOf(gossip).ok()) << "nobody could say when it is reached";
}

TEST(BucketRule, AllMembersMoveWithTheirNumber) {
  api::BucketOptions options;
  options.set_all_members(true);
  const auto row = BucketRowOf(options);
  ASSERT_TRUE(row.ok());
  for (std::uint64_t members = 1; members <= 20; ++members) {
    const std::uint32_t set = EffectiveReplicas(*row, members);
    EXPECT_EQ(set, std::min<std::uint64_t>(members, kAllMembersMax));
    EXPECT_GT(EffectiveWriteQuorum(*row, members) + EffectiveReadQuorum(*row, set), set) << members;
  }
  options.set_replicas(3);
  EXPECT_FALSE(BucketRowOf(options).ok()) << "a number or all";
}

TEST(BucketRule, OptionsComeBackAsTheyWere) {
  api::BucketOptions options = Options(5, 3, 3);
  options.set_mode(api::QUORUM);
  options.set_versions_kept(4);
  options.set_quota_bytes(1'000);
  options.set_quota_files(10);
  options.set_conflict_window_s(0);
  const auto row = BucketRowOf(options);
  ASSERT_TRUE(row.ok());
  EXPECT_EQ(OptionsOf(*row).SerializeAsString(), options.SerializeAsString());
}

TEST(Bucket, EqualNamesInTwoBucketsAreTwoFiles) {
  World world(5);
  const auto made = world.MakeBucket("wide", Options(5, 3, 3));
  ASSERT_EQ(made.code(), Code::DONE);
  world.Put("a");
  world.bucket = BucketId(made.bucket().id());
  ASSERT_EQ(world.Put("a", {.acks = {1, 2}, .set = {1, 2, 3, 4, 5}}).code(), Code::REBEGIN)
      << "two acknowledgements, three are needed here";
  ASSERT_EQ(world.Put("a", {.acks = {1, 2, 4}, .set = {1, 2, 4}}).code(), Code::DONE);
  EXPECT_EQ(ReplicasOf(world.Find("a")->chunks(0)), "1:OK 2:OK 4:OK 3:MISSING 5:MISSING");
  world.Clear("");
  EXPECT_FALSE(world.Find("a"));
  world.bucket = kBucket;
  EXPECT_TRUE(world.Find("a"));
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Bucket, OneOfOneReplicaIsCommittedWithOneAcknowledgement) {
  World world;
  world.bucket = BucketId(world.MakeBucket("one", Options(1, 1, 1)).bucket().id());
  ASSERT_EQ(world.Put("a", {.acks = {3}, .set = {3}}).code(), Code::DONE);
  EXPECT_EQ(ReplicasOf(world.Find("a")->chunks(0)), "3:OK");
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  EXPECT_EQ(world.Put("a", {.acks = {}, .set = {3}}).code(), Code::REBEGIN);
}

// Feature 18.
TEST(Bucket, OfAllMembersGrowsWithThem) {
  World world(2);
  api::BucketOptions options;
  options.set_all_members(true);
  world.bucket = BucketId(world.MakeBucket("all", options).bucket().id());
  ASSERT_EQ(world.Put("a", {.acks = {1, 2}, .set = {}}).code(), Code::DONE);
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  const std::uint32_t third = world.AddActiveNode();
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 1u) << "repair has work";
  const auto version = *world.Find("a");
  EXPECT_EQ(world.Change(world.Change(version, 0, third, api::OK)).count(), 1u);
  EXPECT_EQ(ReplicasOf(world.Find("a")->chunks(0)), "1:OK 2:OK 3:OK");
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Bucket, NamesAreTakenOnceAndIdsNeverAgain) {
  World world;
  const auto first = world.MakeBucket("b");
  ASSERT_EQ(first.code(), Code::DONE);
  EXPECT_EQ(world.MakeBucket("b").code(), Code::EXISTS);
  EXPECT_EQ(world.MakeBucket("default").code(), Code::EXISTS);
  EXPECT_EQ(world.MakeBucket("B").code(), Code::INVALID);
  EXPECT_EQ(world.MakeBucket("c", Options(3, 1, 1)).code(), Code::INVALID);
  ASSERT_EQ(world.RemoveBucket(BucketId(first.bucket().id())).code(), Code::DONE);
  const auto second = world.MakeBucket("b");
  EXPECT_GT(second.bucket().id(), first.bucket().id());
  EXPECT_EQ(world.RemoveBucket(kBucket).code(), Code::INVALID);
  EXPECT_EQ(world.RemoveBucket(BucketId(77)).code(), Code::NO_BUCKET);
}

TEST(Bucket, ThereAreAThousandAtMost) {
  World world;
  for (std::size_t i = 1; i < kBucketsMax; ++i) {
    ASSERT_EQ(world.MakeBucket("b" + std::to_string(i)).code(), Code::DONE);
  }
  EXPECT_EQ(world.MakeBucket("more").code(), Code::OVER_QUOTA);
  EXPECT_EQ(world.machine->View()->Buckets().size(), kBucketsMax);
}

// A store of before there were other buckets has no counts of its own for "default".
TEST(Bucket, DefaultOfAnOldStoreIsCountedFromWhatIsCountedOfAll) {
  World world;
  world.Put("a");
  world.Put("b");
  world.Put("b");
  auto rows = world.store.rows();
  ASSERT_EQ(rows.erase(BucketCountsKey(kBucket)), 1u);
  world.store.Replace(rows);
  world.Restart();
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
  // Another bucket counts for all and not for "default", of which no entry has changed anything yet.
  world.bucket = BucketId(world.MakeBucket("b").bucket().id());
  world.Put("c");
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
  world.Restart();
  EXPECT_EQ(world.machine->View()->CountsOf(kBucket).files(), 2u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(RemoveBucket, TakesOneOnlyThatIsEmptyAndKeepsItsTrash) {
  World world;
  api::BucketOptions options;
  options.set_versions_kept(2);
  const BucketId id(world.MakeBucket("b", options).bucket().id());
  world.bucket = id;
  world.Put("a");
  world.Put("a");
  const auto txn = FromWire(world.Find("a")->txn());
  EXPECT_EQ(world.RemoveBucket(id).code(), Code::NOT_EMPTY);
  world.Remove("a");
  const rpc::CommitPut late = world.PutCommand("late");
  ASSERT_EQ(world.RemoveBucket(id).code(), Code::DONE);

  EXPECT_EQ(world.Put(late).code(), Code::NO_BUCKET);
  EXPECT_EQ(world.Undelete("a").code(), Code::NO_BUCKET);
  EXPECT_EQ(world.Clear("").code(), Code::NO_BUCKET);
  EXPECT_EQ(world.Move("a", "b").code(), Code::NO_BUCKET);
  EXPECT_FALSE(world.machine->View()->FindBucket("b"));
  ASSERT_TRUE(world.machine->View()->FindVersion(txn)) << "what its trash holds is repaired";
  EXPECT_TRUE(world.machine->View()->FindBucket(id));
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
  world.Restart();
  std::vector<rpc::VersionRow> trash;
  world.machine->View()->ListTrashed([&](const rpc::VersionRow& version) {
    trash.push_back(version);
    return true;
  });
  ASSERT_EQ(trash.size(), 2u);
  for (const auto& version : trash) world.Purge(FromWire(version.txn()), version.trashed_index());
  EXPECT_FALSE(world.machine->View()->FindBucket(id)) << "the last of its trash has gone";
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(RemoveBucket, WaitsWithItsRowForAClearUnderWay) {
  World world;
  const BucketId id(world.MakeBucket("b").bucket().id());
  world.bucket = id;
  world.Put("a");
  world.Put("c");
  world.Clear("");
  ASSERT_EQ(world.RemoveBucket(id).code(), Code::DONE) << "nothing of it can be seen any more";
  world.ClearStep(1);
  world.ClearStep(240);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 2u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Quota, OfFilesIsExactAndCountsNames) {
  World world;
  api::BucketOptions options;
  options.set_quota_files(2);
  options.set_versions_kept(3);
  world.bucket = BucketId(world.MakeBucket("b", options).bucket().id());
  EXPECT_EQ(world.Put("a").code(), Code::DONE);
  EXPECT_EQ(world.Put("b").code(), Code::DONE);
  const auto refused = world.PutCommand("c");
  const auto result = world.Put(refused);
  EXPECT_EQ(result.code(), Code::OVER_QUOTA);
  EXPECT_NE(result.message().find("may hold 2 files"), std::string::npos) << result.message();
  EXPECT_EQ(world.Put("a").code(), Code::DONE) << "no new name";
  EXPECT_EQ(world.Move("a", "c").code(), Code::DONE) << "one goes, one comes";
  EXPECT_EQ(world.Undelete("a").code(), Code::OVER_QUOTA);
  world.Remove("b");
  EXPECT_EQ(world.Put(refused).code(), Code::OVER_QUOTA) << "the answer to a request stays";
  EXPECT_EQ(world.Put("d").code(), Code::DONE);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Quota, OfBytesCountsOlderVersionsAndNotTheTrash) {
  World world;
  api::BucketOptions options;
  options.set_quota_bytes(35);
  options.set_versions_kept(3);
  world.bucket = BucketId(world.MakeBucket("b", options).bucket().id());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.Put("a").code(), Code::DONE) << "10 bytes each";
  EXPECT_EQ(world.Put("b").code(), Code::OVER_QUOTA);
  EXPECT_EQ(world.Put("a").code(), Code::DONE) << "the oldest makes way";
  EXPECT_EQ(world.Put("a", {.chunk_size = 16}).code(), Code::OVER_QUOTA);
  EXPECT_EQ(world.Put("a", {.chunk_size = 15}).code(), Code::DONE) << "to the byte";
  EXPECT_EQ(world.Put("a", {.chunk_size = 10}).code(), Code::DONE) << "no more than before";
  world.RemoveOld("a", world.Olds("a").back());
  EXPECT_EQ(world.Put("b").code(), Code::DONE) << "what is in the trash does not count";
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Conflict, AnotherWriterWithinTheWindowIsRefused) {
  World world;
  const auto put = [&](const std::string& writer, std::uint32_t window) {
    return world.Put("a", {.writer = writer, .window_s = window}).code();
  };
  EXPECT_EQ(put("ann@x", 60), Code::DONE);
  EXPECT_EQ(put("ann@x", 60), Code::DONE) << "one's own";
  EXPECT_EQ(put("bob@y", 60), Code::CONFLICT);
  EXPECT_EQ(put("bob@y", 0), Code::DONE) << "did not ask";
  EXPECT_EQ(put("", 60), Code::CONFLICT) << "says not who it is";
  EXPECT_EQ(world.Put("a", {.writer = "ann@x", .window_s = 60, .ignores_conflict = true}).code(),
            Code::DONE);
  const auto number = world.Find("a")->number();
  EXPECT_EQ(world.Put("a", {.if_version = number, .writer = "bob@y", .window_s = 60}).code(),
            Code::DONE)
      << "names the version that it replaces";
  world.time_us += 59'000'000;
  EXPECT_EQ(put("ann@x", 60), Code::CONFLICT);
  world.time_us += 1'000'000;
  EXPECT_EQ(put("ann@x", 60), Code::DONE);
  world.Remove("a");
  EXPECT_EQ(put("bob@y", 60), Code::DONE) << "there is nothing to lose";
}

TEST(Conflict, TheBucketsOwnWindowIsForAll) {
  World world;
  api::BucketOptions options;
  options.set_conflict_window_s(5);
  world.bucket = BucketId(world.MakeBucket("b", options).bucket().id());
  world.Put("a", {.writer = "ann"});
  EXPECT_EQ(world.Put("a", {.writer = "bob"}).code(), Code::CONFLICT);
  world.time_us += 5'000'000;
  EXPECT_EQ(world.Put("a", {.writer = "bob", .window_s = 60}).code(), Code::DONE);
  options.set_conflict_window_s(0);
  world.bucket = BucketId(world.MakeBucket("never", options).bucket().id());
  world.Put("a", {.writer = "ann"});
  EXPECT_EQ(world.Put("a", {.writer = "bob", .window_s = 60}).code(), Code::DONE);
}

}  // namespace
}  // namespace dfs::metadata
