// Good copies that the log replaces by others: a row says so for as long as their bytes may lie
// there, and no longer (rule R20).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

std::vector<ChunkId> Released(const World& world, std::uint32_t node) {
  std::vector<ChunkId> out;
  world.machine->View()->ListReleased(NodeId(node), [&](const ChunkId& chunk) {
    out.push_back(chunk);
    return true;
  });
  return out;
}
std::vector<ChunkId> Purged(const World& world, std::uint32_t node) {
  std::vector<ChunkId> out;
  world.machine->View()->ListPurged(NodeId(node), [&](const ChunkId& chunk) {
    out.push_back(chunk);
    return true;
  });
  return out;
}
// Rows of any node.
std::size_t RowCount(const World& world) {
  const auto& rows = world.store.rows();
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.first[0] == 'L'; }));
}
void ExpectLawful(const World& world) {
  const auto violations = FindViolations(*world.machine, world.store);
  EXPECT_TRUE(violations.empty()) << violations[0];
}

class ReleasedRows : public ::testing::Test {
 protected:
  // "a": its chunks lie on nodes 1 to 3.
  void Put(int chunks) {
    world_.Put("a", {.acks = {1, 2, 3}, .chunks = chunks});
    txn_ = FromWire(world_.Find("a")->txn());
  }
  rpc::CommandResult Move(int chunk, std::uint32_t from, std::uint32_t to) {
    rpc::ReplicaChange change =
        world_.Change(*world_.machine->View()->FindVersion(txn_), chunk, to, api::OK, from);
    change.set_is_move(true);
    return world_.Change(change);
  }
  rpc::CommandResult Unlink(std::uint32_t node, const std::vector<ChunkId>& chunks) {
    rpc::Command command;
    command.mutable_unlinked()->set_node_id(node);
    for (const ChunkId& chunk : chunks) *command.mutable_unlinked()->add_chunks() = ToWire(chunk);
    return world_.Apply(command);
  }
  void Mark(std::uint32_t node, bool is_out, rpc::Departure departure) {
    rpc::Command command;
    command.mutable_mark_node()->set_node_id(node);
    command.mutable_mark_node()->set_is_out(is_out);
    command.mutable_mark_node()->set_departure(departure);
    ASSERT_EQ(world_.Apply(command).code(), Code::DONE);
  }
  void Retire(std::uint32_t node) {
    rpc::Command command;
    command.mutable_retire_node()->set_node_id(node);
    ASSERT_EQ(world_.Apply(command).code(), Code::DONE);
  }
  rpc::CommandResult RetireStep(std::uint32_t node) {
    rpc::Command command;
    command.mutable_retire_step()->set_node_id(node);
    return world_.Apply(command);
  }
  void PurgeIt() { ASSERT_EQ(world_.Purge(txn_, world_.Remove("a").applied_index()).count(), 1u); }
  [[nodiscard]] ChunkId Chunk(std::uint32_t k) const { return {txn_, k}; }

  World world_{5};
  TxnId txn_;
};

// ---- how a row comes ----

TEST_F(ReleasedRows, AMoveLeavesOneForTheChunkAndTheNodeThatItLeft) {
  Put(3);
  ASSERT_EQ(Move(1, 2, 4).count(), 1u);
  EXPECT_EQ(Released(world_, 2), (std::vector<ChunkId>{Chunk(1)}));
  const auto view = world_.machine->View();
  EXPECT_TRUE(view->IsReleased(NodeId(2), Chunk(1)));
  EXPECT_FALSE(view->IsReleased(NodeId(2), Chunk(0)));
  EXPECT_FALSE(view->IsReleased(NodeId(4), Chunk(1)));
  EXPECT_FALSE(view->IsPurged(NodeId(2), Chunk(1))) << "the version is alive";
  EXPECT_EQ(RowCount(world_), 1u);
  ASSERT_EQ(Move(2, 2, 5).count(), 1u);
  EXPECT_EQ(Released(world_, 2), (std::vector<ChunkId>{Chunk(1), Chunk(2)}));
  EXPECT_EQ(RowCount(world_), 1u) << "of one version and node";
  ExpectLawful(world_);
}

TEST_F(ReleasedRows, CopiesMadeAnewForANodeThatIsOutOrGoesLeaveOne) {
  Put(1);
  Mark(3, true, rpc::STAYS);
  ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), 0, 4, api::OK, 3)).count(), 1u);
  EXPECT_EQ(Released(world_, 3), (std::vector<ChunkId>{Chunk(0)}));
  Mark(2, false, rpc::DRAINING);
  ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), 0, 5, api::OK, 2)).count(), 1u);
  EXPECT_EQ(Released(world_, 2), (std::vector<ChunkId>{Chunk(0)}));
  // Its return changes nothing: it is to delete what was made anew.
  Mark(3, false, rpc::STAYS);
  EXPECT_EQ(Released(world_, 3), (std::vector<ChunkId>{Chunk(0)}));
  ExpectLawful(world_);
}

TEST_F(ReleasedRows, DamagedAndLostCopiesLeaveNone) {
  Put(2);
  for (const auto state : {api::CORRUPT, api::MISSING}) {
    const int chunk = state == api::CORRUPT ? 0 : 1;
    ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), chunk, 2, state)).count(), 1u);
    ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), chunk, 4, api::OK, 2)).count(), 1u);
    // Also if the node is OUT by then.
    ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), chunk, 3, state)).count(), 1u);
    Mark(3, true, rpc::STAYS);
    ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), chunk, 5, api::OK, 3)).count(), 1u);
    Mark(3, false, rpc::STAYS);
  }
  EXPECT_EQ(RowCount(world_), 0u);
}

TEST_F(ReleasedRows, ChangesThatAreRefusedLeaveNone) {
  Put(1);
  EXPECT_EQ(world_.Change(world_.Change(*world_.Find("a"), 0, 4, api::OK, 2)).count(), 0u)
      << "no move";
  EXPECT_EQ(Move(0, 4, 5).count(), 0u) << "4 is not in the set";
  EXPECT_EQ(Move(0, 2, 3).count(), 0u) << "3 is";
  EXPECT_EQ(RowCount(world_), 0u);
}

TEST_F(ReleasedRows, ARetiredNodeGetsNone) {
  Put(1);
  Retire(3);
  ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), 0, 4, api::OK, 3)).count(), 1u);
  EXPECT_EQ(RowCount(world_), 0u);
}

// ---- how it goes ----

TEST_F(ReleasedRows, GoesWhenTheNodeIsInTheSetAgain) {
  Put(2);
  Move(0, 2, 4);
  Move(1, 2, 4);
  ASSERT_EQ(Move(0, 3, 2).count(), 1u);
  EXPECT_EQ(Released(world_, 2), (std::vector<ChunkId>{Chunk(1)}));
  EXPECT_EQ(Released(world_, 3), (std::vector<ChunkId>{Chunk(0)}));
  // In whatever state it is back.
  ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), 1, 3, api::MISSING)).count(), 1u);
  ASSERT_EQ(world_.Change(world_.Change(*world_.Find("a"), 1, 2, api::MISSING, 3)).count(), 1u);
  EXPECT_TRUE(Released(world_, 2).empty());
  EXPECT_EQ(RowCount(world_), 1u) << "no empty row is left";
  ExpectLawful(world_);
}

TEST_F(ReleasedRows, GoesWhenTheSetGrowsByTheNode) {
  World small(2);
  small.Put("a", {.acks = {1, 2}, .set = {1, 2}});
  for (int i = 0; i < 2; ++i) small.AddActiveNode();
  const ChunkId chunk{FromWire(small.Find("a")->txn()), 0};
  rpc::Command out;
  out.mutable_mark_node()->set_node_id(2);
  out.mutable_mark_node()->set_is_out(true);
  small.Apply(out);
  ASSERT_EQ(small.Change(small.Change(*small.Find("a"), 0, 3, api::OK, 2)).count(), 1u);
  ASSERT_TRUE(small.machine->View()->IsReleased(NodeId(2), chunk));
  ASSERT_EQ(small.Change(small.Change(*small.Find("a"), 0, 2, api::OK)).count(), 1u)
      << "the set had two of three";
  EXPECT_FALSE(small.machine->View()->IsReleased(NodeId(2), chunk));
  EXPECT_EQ(RowCount(small), 0u);
}

TEST_F(ReleasedRows, GoesWhenTheNodeReportsTheUnlink) {
  Put(3);
  Move(0, 2, 4);
  Move(2, 2, 4);
  Move(2, 3, 5);
  EXPECT_EQ(Unlink(2, {Chunk(0), Chunk(0), Chunk(1), Chunk(77)}).count(), 1u);
  EXPECT_EQ(Released(world_, 2), (std::vector<ChunkId>{Chunk(2)}));
  EXPECT_EQ(Unlink(2, {Chunk(2)}).count(), 1u);
  EXPECT_TRUE(Released(world_, 2).empty());
  EXPECT_EQ(Released(world_, 3), (std::vector<ChunkId>{Chunk(2)})) << "another node's";
  EXPECT_EQ(RowCount(world_), 1u);
  EXPECT_EQ(ReplicasOf(world_.Find("a")->chunks(2)), "1:OK 4:OK 5:OK")
      << "sets do not change by it";
}

TEST_F(ReleasedRows, BecomesAPurgeRow) {
  Put(3);
  Move(1, 2, 4);                                // 2 still has the others
  for (const int k : {0, 1, 2}) Move(k, 3, 5);  // 3 has none any more
  world_.Remove("a");
  EXPECT_EQ(RowCount(world_), 2u) << "it stays as long as the version is in the trash";
  ASSERT_EQ(world_.Undelete("a").code(), Code::DONE);
  EXPECT_EQ(RowCount(world_), 2u);
  PurgeIt();
  EXPECT_EQ(RowCount(world_), 0u);
  const std::vector<ChunkId> all = {Chunk(0), Chunk(1), Chunk(2)};
  for (const std::uint32_t node : {1u, 2u, 3u, 5u}) EXPECT_EQ(Purged(world_, node), all) << node;
  EXPECT_EQ(Purged(world_, 4), (std::vector<ChunkId>{Chunk(1)}));
  EXPECT_EQ(Unlink(3, all).count(), 3u);
  EXPECT_TRUE(Purged(world_, 3).empty());
  ExpectLawful(world_);
}

TEST_F(ReleasedRows, GoesWithItsNode) {
  Put(2);
  Move(0, 2, 4);
  Move(1, 3, 5);
  Retire(2);
  EXPECT_TRUE(RetireStep(2).is_last());
  EXPECT_TRUE(Released(world_, 2).empty());
  EXPECT_EQ(Released(world_, 3), (std::vector<ChunkId>{Chunk(1)}));
  // Retired, and not swept yet: no purge row takes its place.
  Retire(3);
  PurgeIt();
  EXPECT_EQ(RowCount(world_), 0u);
  EXPECT_TRUE(Purged(world_, 3).empty());
  EXPECT_TRUE(RetireStep(3).is_last());
  ExpectLawful(world_);
}

// ---- bounds ----

TEST_F(ReleasedRows, OfManyVersionsGoInBoundedEntries) {
  constexpr int kVersions = 600;
  rpc::Command moves;
  for (int i = 0; i < kVersions; ++i) {
    const std::string name = "f" + std::to_string(i);
    world_.Put(name, {.acks = {1, 2, 3}});
    rpc::ReplicaChange change = world_.Change(*world_.Find(name), 0, 4, api::OK, 2);
    change.set_is_move(true);
    *moves.mutable_change_replicas()->add_changes() = change;
  }
  EXPECT_EQ(world_.Apply(moves).count(), 330u) << "3 rows each";
  EXPECT_EQ(RowCount(world_), 330u);
  EXPECT_EQ(world_.Apply(moves).count(), 270u) << "the rest, given again";
  EXPECT_EQ(Released(world_, 2).size(), 600u);
  // Back again: two rows of each version, one that goes and one that comes.
  rpc::Command back;
  for (int i = 0; i < kVersions; ++i) {
    rpc::ReplicaChange change =
        world_.Change(*world_.Find("f" + std::to_string(i)), 0, 2, api::OK, 4);
    change.set_is_move(true);
    *back.mutable_change_replicas()->add_changes() = change;
  }
  EXPECT_EQ(world_.Apply(back).count(), 248u);
  EXPECT_EQ(Released(world_, 2).size(), 352u);
  EXPECT_EQ(Released(world_, 4).size(), 248u);
  ExpectLawful(world_);
  // A purge takes 3 purge rows, 1 released row away and a purge row for it, and 4 of the version.
  rpc::Command purge;
  for (int i = 0; i < kVersions; ++i) {
    const std::string name = "f" + std::to_string(i);
    rpc::PurgeVersion& version = *purge.mutable_purge()->add_versions();
    *version.mutable_txn() = world_.Find(name)->txn();
    version.set_trashed_index(world_.Remove(name).applied_index());
  }
  EXPECT_EQ(world_.Apply(purge).count(), 110u) << "9 rows each";
  Retire(2);
  int steps = 1;
  while (!RetireStep(2).is_last()) ASSERT_LT(++steps, 10);
  EXPECT_TRUE(Released(world_, 2).empty());
  ExpectLawful(world_);
}

// Round and round: never more rows than there are nodes outside the set, and none once they have
// reported.
TEST_F(ReleasedRows, DoNotPileUpHoweverOftenACopyMoves) {
  Put(1);
  for (int i = 0; i < 60; ++i) {
    const rpc::VersionRow version = *world_.Find("a");
    const std::uint32_t from = version.chunks(0).replicas(i % 3).node_id();
    for (std::uint32_t to = 1 + static_cast<std::uint32_t>(i) % 5;; to = to % 5 + 1) {
      if (Move(0, from, to).count() == 1) break;
    }
    EXPECT_LE(RowCount(world_), 2u) << "five nodes, three of them in the set";
    ExpectLawful(world_);
  }
  EXPECT_EQ(RowCount(world_), 2u);
  for (std::uint32_t node = 1; node <= 5; ++node) Unlink(node, {Chunk(0)});
  EXPECT_EQ(RowCount(world_), 0u);
}

TEST_F(ReleasedRows, AreOfTheStateHashAndOfASnapshot) {
  Put(1);
  World other(5);
  other.Put("a", {.acks = {1, 2, 3}});
  Move(0, 2, 4);
  World target(1);
  target.store.Replace(world_.store.rows());
  target.machine->Reload();
  EXPECT_EQ(Released(target, 2), (std::vector<ChunkId>{Chunk(0)}));
  Unlink(2, {Chunk(0)});
  rpc::ReplicaChange move = other.Change(*other.Find("a"), 0, 4, api::OK, 2);
  move.set_is_move(true);
  other.Change(move);
  rpc::Command nothing;
  nothing.mutable_unlinked()->set_node_id(2);
  other.Apply(nothing);
  EXPECT_NE(world_.machine->View()->GetStateHash().hash,
            other.machine->View()->GetStateHash().hash);
}

}  // namespace
}  // namespace dfs::metadata
