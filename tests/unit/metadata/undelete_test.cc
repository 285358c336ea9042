#include <gtest/gtest.h>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

TEST(Undelete, MakesTheRemovedVersionCurrentAgain) {
  World world;
  world.Put("a", {.acks = {1, 2}, .chunks = 3});
  const auto before = *world.Find("a");
  world.time_us += 5'000;
  world.Remove("a");
  world.time_us += 5'000;

  const auto result = world.Undelete("a");

  ASSERT_EQ(result.code(), Code::DONE);
  const auto after = *world.Find("a");
  EXPECT_EQ(after.txn().sequence(), before.txn().sequence()) << "the same chunks";
  EXPECT_EQ(after.chunks_size(), 3);
  EXPECT_EQ(after.size(), before.size());
  EXPECT_EQ(after.trashed_index(), 0u);
  EXPECT_GE(after.time_us(), before.time_us() + 10'000);
  EXPECT_EQ(result.version().number(), after.number());
  EXPECT_EQ(result.replicas(), 2u);
  EXPECT_EQ(result.count(), 3u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 0u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), std::vector<std::string>());
}

// Invariant 7: whoever saw the file, its removal and its return must see three steps forward.
TEST(Undelete, GivesANewNumber) {
  World world;
  const auto put = world.Put("a").version().number();
  world.Remove("a");
  EXPECT_GT(world.Undelete("a").version().number(), put + 1);
}

TEST(Undelete, FailsAfterPurge) {
  World world;
  world.Put("a");
  const TxnId txn = FromWire(world.Find("a")->txn());
  const auto removed = world.Remove("a");
  ASSERT_EQ(world.Purge(txn, removed.applied_index()).count(), 1u);

  EXPECT_EQ(world.Undelete("a").code(), Code::NOT_FOUND);
  EXPECT_FALSE(world.Find("a"));
  EXPECT_EQ(FindViolations(*world.machine, world.store), std::vector<std::string>());
}

TEST(Undelete, OfWhatNeverWasOrIsThereFails) {
  World world;
  EXPECT_EQ(world.Undelete("a").code(), Code::NOT_FOUND);
  EXPECT_EQ(world.Undelete("../a").code(), Code::INVALID);
  world.Put("a");
  world.Put("a");
  const auto current = *world.Find("a");
  EXPECT_EQ(world.Undelete("a").code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Find("a")->number(), current.number());
}

// Rule R17: Purge names the stay in the trash that it was decided about.
TEST(Undelete, VoidsAPurgeThatIsOnItsWay) {
  World world;
  world.Put("a");
  const TxnId txn = FromWire(world.Find("a")->txn());
  const auto first = world.Remove("a").applied_index();
  world.Undelete("a");
  EXPECT_EQ(world.Purge(txn, first).count(), 0u);
  ASSERT_TRUE(world.Find("a"));
  const auto second = world.Remove("a").applied_index();
  EXPECT_EQ(world.Purge(txn, first).count(), 0u) << "another stay";
  EXPECT_EQ(world.Purge(txn, second).count(), 1u);
}

TEST(Undelete, TakesTheNewestOfTheNameUnlessTold) {
  World world;
  const auto one = world.Put("a", {.chunk_size = 1}).version().number();
  world.Put("a", {.chunk_size = 2});
  world.Put("a", {.chunk_size = 3});
  world.Put("a\x7f", {.chunk_size = 9});  // no name, and so no file
  world.Put("a/b", {.chunk_size = 9});
  world.Put("ab", {.chunk_size = 9});
  world.Remove("a/b");
  world.Remove("a");
  world.Remove("ab");
  EXPECT_EQ(world.Undelete("a").version().size(), 3u);

  EXPECT_EQ(world.Undelete("a", {.version = one}).code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Undelete("a", {.version = one + 77, .replaces = true}).code(), Code::NOT_FOUND);
  EXPECT_EQ(world.Find("a")->size(), 3u) << "nothing changed";

  EXPECT_EQ(world.Undelete("a", {.version = one, .replaces = true}).version().size(), 1u);
  EXPECT_EQ(world.Find("a")->size(), 1u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 4u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), std::vector<std::string>());
}

TEST(Undelete, IsDecidedOnce) {
  World world;
  world.Put("a");
  world.Remove("a");
  rpc::Command command;
  *command.mutable_undelete_file()->mutable_request_id() = world.NextRequest();
  command.mutable_undelete_file()->set_bucket_id(1);
  command.mutable_undelete_file()->set_name("a");
  const auto first = world.Apply(command);
  world.Remove("a");
  const auto again = world.Apply(command);
  EXPECT_EQ(again.code(), Code::DONE);
  EXPECT_EQ(again.version().number(), first.version().number());
  EXPECT_FALSE(world.Find("a")) << "a retry does not undo the second removal";
}

// What a clear has hidden is in the trash at once, wherever its rows still are.
TEST(Undelete, TakesBackFromAClearThatIsUnderWay) {
  World world;
  world.Put("d/1", {.chunk_size = 1});
  world.Put("d/1", {.chunk_size = 2});
  world.Put("d/2", {.chunk_size = 3});
  ASSERT_EQ(world.Clear("d/").count(), 2u);
  ASSERT_FALSE(world.Find("d/1"));

  EXPECT_EQ(world.Undelete("d/1").version().size(), 2u) << "the hidden one";
  EXPECT_TRUE(world.Find("d/1"));
  EXPECT_EQ(FindViolations(*world.machine, world.store), std::vector<std::string>());

  EXPECT_EQ(world.ClearStep(10).count(), 1u);
  EXPECT_TRUE(world.Find("d/1")) << "newer than the clear";
  EXPECT_EQ(world.Undelete("d/2").code(), Code::DONE) << "moved by the step";
  EXPECT_EQ(world.Names("d/"), (std::vector<std::string>{"d/1", "d/2"}));
  EXPECT_EQ(FindViolations(*world.machine, world.store), std::vector<std::string>());
}

TEST(Undelete, OfAnOlderVersionLeavesTheHiddenOneInTheTrash) {
  World world;
  const auto old = world.Put("d/1", {.chunk_size = 1}).version().number();
  world.Put("d/1", {.chunk_size = 2});
  world.Clear("d/");
  EXPECT_EQ(world.Undelete("d/1", {.version = old}).version().size(), 1u);
  ASSERT_TRUE(world.Find("d/1"));
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 1u);
  world.ClearStep(10);
  ASSERT_TRUE(world.Find("d/1"));
  EXPECT_EQ(world.Find("d/1")->size(), 1u);
  EXPECT_EQ(FindViolations(*world.machine, world.store), std::vector<std::string>());
}

}  // namespace
}  // namespace dfs::metadata
