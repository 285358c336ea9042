// mv: one entry, one version, two names.
#include <gtest/gtest.h>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

const std::vector<std::string> kAllWell;

TEST(Move, GivesTheSameBytesAnotherName) {
  World world;
  world.Put("d/a", {.chunks = 3});
  const auto before = *world.Find("d/a");
  world.time_us += 5'000;
  const auto result = world.Move("d/a", "e/b", {.writer = "ann"});
  ASSERT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.count(), before.number());
  EXPECT_FALSE(world.Find("d/a"));
  const auto after = *world.Find("e/b");
  EXPECT_EQ(after.txn().sequence(), before.txn().sequence());
  EXPECT_EQ(after.chunks_size(), 3);
  EXPECT_GT(after.number(), before.number());
  EXPECT_EQ(after.number(), result.version().number());
  EXPECT_GT(after.commit_index(), before.commit_index());
  EXPECT_GE(after.time_us(), before.time_us() + 5'000);
  EXPECT_EQ(after.writer(), "ann");
  EXPECT_EQ(world.machine->View()->GetTotals().files, 1u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 0u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

// R17: no entry ever leaves a trashed version that names the chunks of a visible one. What was to be purged of the old name
// is nothing, and a Purge decided about an earlier stay in the trash is skipped.
TEST(Move, LeavesNothingBehindThatCouldBePurged) {
  World world;
  world.Put("a");
  const TxnId txn = FromWire(world.Find("a")->txn());
  const auto removed = world.Remove("a");
  world.Undelete("a");
  ASSERT_EQ(world.Move("a", "b").code(), Code::DONE);
  EXPECT_EQ(world.Purge(txn, removed.applied_index()).count(), 0u);
  EXPECT_EQ(world.Undelete("a").code(), Code::NOT_FOUND);
  EXPECT_EQ(world.machine->View()->FindVersion(txn)->name(), "b");
  EXPECT_FALSE(world.machine->View()->IsPurged(NodeId(1), {txn, 0}));
}

TEST(Move, ReplacesWhatTheNewNameHad) {
  World world;
  world.Put("a");
  const auto moved = *world.Find("a");
  world.Put("b");
  const auto replaced = *world.Find("b");
  ASSERT_EQ(world.Move("a", "b").code(), Code::DONE);
  EXPECT_EQ(world.Names(), std::vector<std::string>{"b"});
  EXPECT_EQ(world.Find("b")->txn().sequence(), moved.txn().sequence());
  ASSERT_EQ(world.Undelete("b", {.replaces = true}).code(), Code::DONE) << "it is in the trash";
  EXPECT_EQ(world.Find("b")->txn().sequence(), replaced.txn().sequence());
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Move, KeepsVersionsOfTheNewNameAndTrashesThoseOfTheOld) {
  World world;
  api::BucketOptions options;
  options.set_versions_kept(3);
  world.bucket = BucketId(world.MakeBucket("kept", options).bucket().id());
  for (int i = 0; i < 3; ++i) world.Put("a");
  const std::uint64_t b1 = world.Put("b").version().number();
  const std::uint64_t b2 = world.Put("b").version().number();
  ASSERT_EQ(world.Move("a", "b").code(), Code::DONE);
  EXPECT_EQ(world.Olds("b"), (std::vector<std::uint64_t>{b2, b1}));
  EXPECT_TRUE(world.Olds("a").empty());
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 2u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
  EXPECT_EQ(world.Undelete("a").code(), Code::DONE) << "an older version of the old name";
}

TEST(Move, HasConditions) {
  World world;
  world.Put("a");
  world.Put("b");
  const std::uint64_t number = world.Find("a")->number();
  EXPECT_EQ(world.Move("a", "b", {.if_absent = true}).code(), Code::EXISTS);
  EXPECT_EQ(world.Move("a", "c", {.if_version = number + 1}).code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Move("no", "c").code(), Code::NOT_FOUND);
  EXPECT_EQ(world.Move("a", "a").code(), Code::INVALID);
  EXPECT_EQ(world.Move("a", "../c").code(), Code::INVALID);
  ASSERT_EQ(world.Names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(world.Find("a")->number(), number) << "nothing changed";
  EXPECT_EQ(world.Move("a", "c", {.if_version = number, .if_absent = true}).code(), Code::DONE);
}

TEST(Move, OutOfAClearedRangeAndIntoOne) {
  World world;
  world.Put("d/a");
  world.Clear("d/");
  EXPECT_EQ(world.Move("d/a", "x").code(), Code::NOT_FOUND);
  world.Put("y");
  ASSERT_EQ(world.Move("y", "d/a").code(), Code::DONE);
  EXPECT_TRUE(world.Find("d/a")) << "it came after the clear";
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 1u);
  world.ClearStep(240);
  EXPECT_TRUE(world.Find("d/a"));
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

TEST(Move, ARetryGetsTheStoredResult) {
  World world;
  world.Put("a");
  rpc::Command command;
  *command.mutable_move_file()->mutable_request_id() = world.NextRequest();
  command.mutable_move_file()->set_bucket_id(kBucket.value());
  command.mutable_move_file()->set_source("a");
  command.mutable_move_file()->set_target("b");
  const auto first = world.Apply(command);
  world.Put("a");
  EXPECT_EQ(world.Apply(command).SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"a", "b"}));
}

// R16, R19: a copy that comes late, or a damage that is found, belongs to the chunk and not to the name.
TEST(Move, ReplicasGoOn) {
  World world;
  world.Put("a", {.acks = {1, 2}});
  const auto version = *world.Find("a");
  world.Move("a", "b");
  EXPECT_EQ(world.Change(world.Change(version, 0, 3, api::OK)).count(), 1u);
  EXPECT_EQ(ReplicasOf(world.Find("b")->chunks(0)), "1:OK 2:OK 3:OK");
  EXPECT_EQ(FindViolations(*world.machine, world.store), kAllWell);
}

}  // namespace
}  // namespace dfs::metadata
