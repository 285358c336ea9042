// Conditions, and older versions that a bucket keeps.
#include <gtest/gtest.h>

#include "server/metadata/limits.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

using Numbers = std::vector<std::uint64_t>;
const std::vector<std::string> kAllWell;

// Its bucket keeps so many versions.
struct KeepingWorld : World {
  explicit KeepingWorld(std::uint32_t versions) {
    api::BucketOptions options;
    options.set_versions_kept(versions);
    bucket = BucketId(MakeBucket("kept", options).bucket().id());
  }
};

std::uint64_t PutOne(World& world, std::string_view name) {
  return world.Put(name).version().number();
}

std::vector<TxnId> TrashOf(const World& world) {
  std::vector<TxnId> txns;
  world.machine->View()->ListTrashed([&](const rpc::VersionRow& version) {
    txns.push_back(FromWire(version.txn()));
    return true;
  });
  return txns;
}

TEST(IfAbsent, HoldsWhenTheEntryIsApplied) {
  World world;
  EXPECT_EQ(world.Put("a", {.if_absent = true}).code(), Code::DONE);
  EXPECT_EQ(world.Put("a", {.if_absent = true}).code(), Code::EXISTS);
  world.Remove("a");
  EXPECT_EQ(world.Put("a", {.if_absent = true}).code(), Code::DONE);
  world.Clear("");
  EXPECT_EQ(world.Put("a", {.if_absent = true}).code(), Code::DONE) << "hidden is absent";
}

// R15: what the first attempt was told is the answer, also when the condition holds no more because of it.
TEST(IfAbsent, ARetryGetsTheStoredResult) {
  World world;
  rpc::CommitPut put = world.PutCommand("a", {.if_absent = true});
  const auto first = world.Put(put);
  *put.mutable_txn() = ToWire(world.NextTxn());
  EXPECT_EQ(world.Put(put).SerializeAsString(), first.SerializeAsString());
  const rpc::CommitPut late = world.PutCommand("a", {.if_absent = true});
  EXPECT_EQ(world.Put(late).code(), Code::EXISTS);
  world.Remove("a");
  EXPECT_EQ(world.Put(late).code(), Code::EXISTS);
}

TEST(Versions, TheNewestAreKept) {
  KeepingWorld world(3);
  Numbers numbers;
  for (int i = 0; i < 5; ++i) numbers.push_back(PutOne(world, "a"));
  EXPECT_EQ(world.Find("a")->number(), numbers[4]);
  EXPECT_EQ(world.Olds("a"), (Numbers{numbers[3], numbers[2]}));
  EXPECT_EQ(TrashOf(world).size(), 2u);
  const auto view = world.machine->View();
  const auto old = view->FindOld(world.bucket, "a", numbers[2]);
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->is_old());
  EXPECT_EQ(old->trashed_index(), 0u);
  EXPECT_FALSE(view->FindOld(world.bucket, "a", numbers[1]));
  EXPECT_FALSE(view->FindOld(world.bucket, "a", numbers[4])) << "the current one";
  EXPECT_EQ(view->GetTotals().files, 1u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

// Names that begin alike must not be taken for each other.
TEST(Versions, OfEachNameForItself) {
  KeepingWorld world(9);
  for (const char* name : {"a", "a/b", "a!", "ab"}) {
    PutOne(world, name);
    PutOne(world, name);
  }
  for (const char* name : {"a", "a/b", "a!", "ab"}) EXPECT_EQ(world.Olds(name).size(), 1u) << name;
  world.Remove("a");
  EXPECT_EQ(world.Olds("a/b").size(), 1u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Versions, OfABucketThatKeepsOneAreTrashed) {
  World world;
  PutOne(world, "a");
  PutOne(world, "a");
  EXPECT_TRUE(world.Olds("a").empty());
  EXPECT_EQ(TrashOf(world).size(), 1u);
}

TEST(Versions, ReplicasOfOlderOnesAreRepaired) {
  KeepingWorld world(2);
  PutOne(world, "a");
  const auto version = *world.Find("a");
  PutOne(world, "a");
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 2u);
  EXPECT_EQ(world.Change(world.Change(version, 0, 3, api::OK)).count(), 1u);
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 1u);
  const auto old = world.machine->View()->FindOld(world.bucket, "a", version.number());
  EXPECT_EQ(ReplicasOf(old->chunks(0)), "1:OK 2:OK 3:OK");
  EXPECT_TRUE(old->is_old());
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Versions, RemoveTakesAllOfThem) {
  KeepingWorld world(4);
  for (int i = 0; i < 3; ++i) PutOne(world, "a");
  const auto last = *world.Find("a");
  ASSERT_EQ(world.Remove("a").code(), Code::DONE);
  EXPECT_TRUE(world.Olds("a").empty());
  EXPECT_EQ(TrashOf(world).size(), 3u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
  ASSERT_EQ(world.Undelete("a").code(), Code::DONE);
  EXPECT_EQ(world.Find("a")->txn().sequence(), last.txn().sequence()) << "the newest";
  EXPECT_TRUE(world.Olds("a").empty());
}

TEST(Versions, OneOlderOneCanBeRemoved) {
  KeepingWorld world(4);
  Numbers numbers;
  for (int i = 0; i < 4; ++i) numbers.push_back(PutOne(world, "a"));
  EXPECT_EQ(world.RemoveOld("a", numbers[3]).code(), Code::PRECONDITION_FAILED) << "is current";
  EXPECT_EQ(world.RemoveOld("a", 99).code(), Code::NOT_FOUND);
  const auto removed = world.RemoveOld("a", numbers[1]);
  ASSERT_EQ(removed.code(), Code::DONE);
  EXPECT_EQ(removed.version().number(), numbers[1]);
  EXPECT_EQ(world.Olds("a"), (Numbers{numbers[2], numbers[0]}));
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
  const std::uint64_t next = PutOne(world, "a");
  EXPECT_EQ(world.Olds("a"), (Numbers{numbers[3], numbers[2], numbers[0]})) << next;
}

TEST(Versions, UndeleteWithReplaceKeepsTheCurrentOne) {
  KeepingWorld world(2);
  const std::uint64_t first = PutOne(world, "a");
  PutOne(world, "a");
  const std::uint64_t third = PutOne(world, "a");
  const auto back = world.Undelete("a", {.version = first, .replaces = true});
  ASSERT_EQ(back.code(), Code::DONE);
  EXPECT_EQ(world.Olds("a"), Numbers{third});
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Versions, ClearHidesThemWithTheirName) {
  KeepingWorld world(3);
  Numbers numbers;
  for (int i = 0; i < 3; ++i) numbers.push_back(PutOne(world, "d/a"));
  PutOne(world, "e");
  const auto cleared = world.Clear("d/");
  EXPECT_EQ(cleared.count(), 1u) << "files";
  EXPECT_TRUE(world.Olds("d/a").empty());
  EXPECT_FALSE(world.machine->View()->FindOld(world.bucket, "d/a", numbers[0]));
  const auto counts = world.machine->View()->CountsOf(world.bucket);
  EXPECT_EQ(counts.files(), 1u);
  EXPECT_EQ(counts.old_versions(), 0u);
  // A put before the step must not find itself above versions that are hidden.
  PutOne(world, "d/a");
  EXPECT_TRUE(world.Olds("d/a").empty());
  EXPECT_EQ(TrashOf(world).size(), 3u);
  world.ClearStep(240);
  EXPECT_TRUE(world.Find("d/a"));
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Versions, AHiddenOlderOneCanBeTakenBack) {
  KeepingWorld world(3);
  const std::uint64_t first = PutOne(world, "a");
  const auto txn = world.Find("a")->txn().sequence();
  PutOne(world, "a");
  world.Clear("");
  ASSERT_EQ(world.Undelete("a", {.version = first}).code(), Code::DONE);
  ASSERT_TRUE(world.Find("a"));
  EXPECT_EQ(world.Find("a")->txn().sequence(), txn);
  EXPECT_TRUE(world.Olds("a").empty());
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

// R8: the widest entries. Every name has as many versions as can be, and each result of the session is forgotten.
TEST(Versions, NoEntryChangesMoreThanAThousandRows) {
  KeepingWorld world(kVersionsKeptMax);
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    for (std::uint32_t i = 0; i <= kVersionsKeptMax; ++i) PutOne(world, name);
    EXPECT_EQ(world.Olds(name).size(), kVersionsKeptMax - 1);
  }
  world.Clear("b");
  for (std::uint64_t sequence = 1; sequence <= 256; ++sequence) {
    rpc::CommitPut put = world.PutCommand("x" + std::to_string(sequence % 2));
    *put.mutable_request_id() = World::Request(7, sequence, 1);
    ASSERT_EQ(world.Put(put).code(), Code::DONE);
  }
  const std::size_t before = world.store.rows_changed();
  rpc::Command command;
  command.mutable_move_file()->set_source("a");
  command.mutable_move_file()->set_target("b");
  command.mutable_move_file()->set_bucket_id(world.bucket.value());
  *command.mutable_move_file()->mutable_request_id() = World::Request(7, 257, 257);
  ASSERT_EQ(world.Apply(command).code(), Code::DONE);
  const std::size_t changed = world.store.rows_changed() - before;
  EXPECT_GT(changed, 700u) << "as wide as it was meant to be";
  EXPECT_LE(changed, kRowsPerEntryMax);

  world.Clear("");
  for (int i = 0; i < 20 && world.machine->View()->HasPendingClear(); ++i) {
    const std::size_t at = world.store.rows_changed();
    world.ClearStep(240);
    EXPECT_LE(world.store.rows_changed() - at, kRowsPerEntryMax);
  }
  EXPECT_FALSE(world.machine->View()->HasPendingClear());
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

}  // namespace
}  // namespace dfs::metadata
