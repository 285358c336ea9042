#include <gtest/gtest.h>

#include <set>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

std::vector<ChunkId> Purged(const World& world, std::uint32_t node) {
  std::vector<ChunkId> out;
  world.machine->View()->ListPurged(NodeId(node), [&](const ChunkId& chunk) {
    out.push_back(chunk);
    return true;
  });
  return out;
}

// Rule R17.
TEST(Purge, LeavesARowForEachReplica) {
  World world(4);
  world.Put("a", {.chunks = 10});
  const TxnId txn = FromWire(world.Find("a")->txn());
  const auto removed = world.Remove("a");
  EXPECT_EQ(world.Purge(txn, removed.applied_index()).count(), 1u);
  EXPECT_FALSE(world.machine->View()->FindVersion(txn));
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 0u);
  for (const std::uint32_t node : {1u, 2u, 3u}) {
    EXPECT_EQ(Purged(world, node).size(), 10u) << node;
    EXPECT_TRUE(world.machine->View()->IsPurged(NodeId(node), {txn, 9}));
    EXPECT_FALSE(world.machine->View()->IsPurged(NodeId(node), {txn, 10}));
  }
  EXPECT_TRUE(Purged(world, 4).empty());
  EXPECT_EQ(Purged(world, 2)[3], (ChunkId{txn, 3}));
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(Purge, SkipsWhatIsNotTrashedByExactlyThatEntry) {
  World world;
  world.Put("a");
  const TxnId txn = FromWire(world.Find("a")->txn());
  EXPECT_EQ(world.Purge(txn, 0).count(), 0u) << "current";
  const auto removed = world.Remove("a");
  EXPECT_EQ(world.Purge(txn, removed.applied_index() + 1).count(), 0u);
  EXPECT_EQ(world.Purge(txn, 0).count(), 0u);
  EXPECT_EQ(world.Purge({Term(9), 9}, removed.applied_index()).count(), 0u);
  EXPECT_TRUE(world.machine->View()->FindVersion(txn));
  EXPECT_EQ(world.Purge(txn, removed.applied_index()).count(), 1u);
  EXPECT_EQ(world.Purge(txn, removed.applied_index()).count(), 0u) << "once";
}

TEST(Purge, OfManyStopsAtItsRows) {
  World world;
  rpc::Command command;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "f" + std::to_string(i);
    world.Put(name);
    rpc::PurgeVersion* version = command.mutable_purge()->add_versions();
    *version->mutable_txn() = world.Find(name)->txn();
    version->set_trashed_index(world.Remove(name).applied_index());
  }
  const auto first = world.Apply(command);
  EXPECT_EQ(first.count(), 141u) << "7 rows each";
  EXPECT_EQ(world.Apply(command).count(), 59u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 0u);
}

TEST(Unlinked, DropsTheRowsOfItsNode) {
  World world;
  world.Put("a", {.chunks = 3});
  const TxnId txn = FromWire(world.Find("a")->txn());
  world.Purge(txn, world.Remove("a").applied_index());
  rpc::Command command;
  command.mutable_unlinked()->set_node_id(2);
  *command.mutable_unlinked()->add_chunks() = ToWire(ChunkId{txn, 1});
  *command.mutable_unlinked()->add_chunks() = ToWire(ChunkId{txn, 1});
  *command.mutable_unlinked()->add_chunks() = ToWire(ChunkId{txn, 77});
  EXPECT_EQ(world.Apply(command).count(), 1u);
  EXPECT_EQ(Purged(world, 2), (std::vector<ChunkId>{{txn, 0}, {txn, 2}}));
  EXPECT_EQ(Purged(world, 1).size(), 3u);
  for (const std::uint32_t k : {0u, 2u}) {
    *command.mutable_unlinked()->add_chunks() = ToWire(ChunkId{txn, k});
  }
  EXPECT_EQ(world.Apply(command).count(), 2u);
  EXPECT_TRUE(Purged(world, 2).empty());
  for (const auto& [key, value] : world.store.rows()) {
    EXPECT_FALSE(key[0] == 'P' && key[4] == 2) << "an empty row is left";
  }
}

TEST(ListTrashed, OldestFirst) {
  World world;
  for (const char* name : {"c", "a", "b"}) world.Put(name);
  world.Remove("b");
  world.Put("a");
  world.Remove("c");
  std::vector<std::string> names;
  world.machine->View()->ListTrashed([&](const rpc::VersionRow& version) {
    names.push_back(version.name());
    return true;
  });
  EXPECT_EQ(names, (std::vector<std::string>{"b", "a", "c"}));
}

// Feature 9.
TEST(ClearPrefix, HidesAtOnce) {
  World world;
  for (const char* name : {"a", "d/1", "d/2", "d2", "e"}) world.Put(name);
  const TxnId txn = FromWire(world.Find("d/1")->txn());
  const auto result = world.Clear("d/");
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.count(), 2u);
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"a", "d2", "e"}));
  EXPECT_FALSE(world.Find("d/1"));
  EXPECT_TRUE(world.machine->View()->HasPendingClear());
  EXPECT_EQ(world.machine->View()->GetTotals().files, 3u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 0u) << "rows have not moved yet";
  const auto hidden = world.machine->View()->FindVersion(txn);
  ASSERT_TRUE(hidden) << "kept, as a trashed one";
  EXPECT_EQ(hidden->trashed_index(), result.applied_index());
  EXPECT_EQ(world.Purge(txn, result.applied_index()).count(), 0u) << "not before its row moved";
  world.Restart();
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"a", "d2", "e"}));
}

TEST(ClearPrefix, StepsMoveWhatIsHidden) {
  World world;
  for (const char* name : {"a", "d/1", "d/2", "d/3", "e"}) world.Put(name);
  const TxnId txn = FromWire(world.Find("d/1")->txn());
  const auto clear = world.Clear("d/");
  EXPECT_EQ(world.ClearStep(2).count(), 2u);
  EXPECT_TRUE(world.machine->View()->HasPendingClear());
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
  EXPECT_EQ(world.ClearStep(2).count(), 1u);
  EXPECT_FALSE(world.machine->View()->HasPendingClear());
  EXPECT_EQ(world.ClearStep(2).count(), 0u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 3u);
  EXPECT_EQ(world.machine->View()->FindVersion(txn)->trashed_index(), clear.applied_index());
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
  EXPECT_EQ(world.Purge(txn, clear.applied_index()).count(), 1u);
}

TEST(ClearPrefix, LaterPutsStay) {
  World world;
  world.Put("d/1");
  world.Put("d/2");
  world.Clear("d/");
  EXPECT_EQ(world.Put("d/1", {.if_version = 0}).code(), Code::DONE) << "hidden ones do not exist";
  EXPECT_EQ(world.Put("d/9").code(), Code::DONE);
  EXPECT_EQ(world.Remove("d/2").code(), Code::NOT_FOUND);
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"d/1", "d/9"}));
  EXPECT_EQ(world.ClearStep(300).count(), 1u) << "d/1 made way by itself";
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"d/1", "d/9"}));
  EXPECT_EQ(world.machine->View()->GetTotals().files, 2u);
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 2u);
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(ClearPrefix, SeveralMayBePending) {
  World world;
  for (const char* name : {"a/1", "a/b/1", "c"}) world.Put(name);
  EXPECT_EQ(world.Clear("a/b/").count(), 1u);
  world.Put("a/b/2");
  EXPECT_EQ(world.Clear("a/").count(), 2u) << "what is hidden already does not count again";
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"c"}));
  while (world.machine->View()->HasPendingClear()) world.ClearStep(1);
  EXPECT_EQ(world.Names(), (std::vector<std::string>{"c"}));
  EXPECT_EQ(world.machine->View()->GetTotals().trashed, 3u);
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(ClearPrefix, OfNothingLeavesNothingPending) {
  World world;
  world.Put("a");
  EXPECT_EQ(world.Clear("b").count(), 0u);
  EXPECT_FALSE(world.machine->View()->HasPendingClear());
}

TEST(ClearPrefix, EmptyPrefixIsTheWholeBucket) {
  World world;
  for (const char* name : {"a", "\xC3\xBF", "zz"}) world.Put(name);
  EXPECT_EQ(world.Clear("").count(), 3u);
  EXPECT_TRUE(world.Names().empty());
}

TEST(ClearPrefix, RefusesTooManyAndTooLong) {
  World world;
  EXPECT_EQ(world.Clear(std::string(1'025, 'x')).code(), Code::INVALID);
  for (int i = 0; i < 64; ++i) {
    world.Put("a");
    ASSERT_EQ(world.Clear("a").count(), 1u);
  }
  world.Put("a");
  EXPECT_EQ(world.Clear("a").code(), Code::INVALID);
  EXPECT_TRUE(world.Find("a"));
  while (world.machine->View()->HasPendingClear()) world.ClearStep(300);
  EXPECT_EQ(world.Clear("a").count(), 1u);
}

TEST(ClearStep, MovesAtMost240) {
  World world;
  for (int i = 0; i < 350; ++i) world.Put("f" + std::to_string(i));
  EXPECT_EQ(world.Clear("f").count(), 350u);
  EXPECT_EQ(world.ClearStep(100'000).count(), 240u);
  EXPECT_EQ(world.ClearStep(0).count(), 1u) << "always gets on";
  EXPECT_EQ(world.ClearStep(300).count(), 109u);
  EXPECT_FALSE(world.machine->View()->HasPendingClear());
}

TEST(ClearPrefix, RetryCountsAsBefore) {
  World world;
  world.Put("a");
  rpc::Command command;
  *command.mutable_clear_prefix()->mutable_request_id() = World::Request(2, 1);
  command.mutable_clear_prefix()->set_bucket_id(1);
  EXPECT_EQ(world.Apply(command).count(), 1u);
  world.Put("b");
  EXPECT_EQ(world.Apply(command).count(), 1u);
  EXPECT_TRUE(world.Find("b")) << "cleared once";
}

}  // namespace
}  // namespace dfs::metadata
