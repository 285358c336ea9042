#include <gtest/gtest.h>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

rpc::CommitPut PutAs(World* world, std::string_view name, const api::RequestId& request) {
  rpc::CommitPut put = world->PutCommand(name);
  *put.mutable_request_id() = request;
  return put;
}

// Invariant 9.
TEST(Session, RetryGetsTheStoredResult) {
  World world;
  const api::RequestId request = World::Request(1, 1);
  const auto first = world.Put(PutAs(&world, "a", request));
  world.Put(PutAs(&world, "a", World::Request(2, 1)));
  const auto again = world.Put(PutAs(&world, "a", request));
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(world.Find("a")->number(), 2u);
  world.Restart();
  EXPECT_EQ(world.Put(PutAs(&world, "a", request)).SerializeAsString(), first.SerializeAsString());
}

TEST(Session, SequenceOfAnotherKindIsInvalid) {
  World world;
  world.Put(PutAs(&world, "a", World::Request(1, 1)));
  rpc::Command remove;
  *remove.mutable_remove_file()->mutable_request_id() = World::Request(1, 1);
  remove.mutable_remove_file()->set_bucket_id(1);
  remove.mutable_remove_file()->set_name("a");
  EXPECT_EQ(world.Apply(remove).code(), Code::INVALID);
  EXPECT_TRUE(world.Find("a"));
}

TEST(Session, BelowAckedIsStaleAndChangesNothing) {
  World world;
  world.Put(PutAs(&world, "a", World::Request(1, 1)));
  world.Put(PutAs(&world, "b", World::Request(1, 5, 5)));
  EXPECT_FALSE(world.machine->View()->FindResult(World::Session(1), 1)) << "forgotten";
  EXPECT_EQ(world.Put(PutAs(&world, "c", World::Request(1, 4))).code(), Code::STALE_SEQUENCE);
  EXPECT_EQ(world.Put(PutAs(&world, "c", World::Request(1, 6, 7))).code(), Code::STALE_SEQUENCE);
  EXPECT_FALSE(world.Find("c"));
  EXPECT_TRUE(world.machine->View()->FindResult(World::Session(1), 5));
  EXPECT_EQ(world.Settle(World::Request(1, 1)).code(), Code::STALE_SEQUENCE);
}

TEST(Session, At256OpenSequencesItIsFull) {
  World world;
  for (std::uint64_t sequence = 1; sequence <= 256; ++sequence) {
    ASSERT_EQ(world.Put(PutAs(&world, "a", World::Request(1, sequence))).code(), Code::DONE);
  }
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 257))).code(), Code::SESSION_FULL);
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 257, 2))).code(), Code::DONE);
  EXPECT_FALSE(world.machine->View()->FindResult(World::Session(1), 1));
  EXPECT_TRUE(world.machine->View()->FindResult(World::Session(1), 2));
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 400, 400))).code(), Code::DONE)
      << "forgets 256 results in one entry";
  EXPECT_FALSE(world.machine->View()->FindResult(World::Session(1), 257));
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, ~std::uint64_t{0}))).code(),
            Code::SESSION_FULL);
}

TEST(Session, BirthIsBelowTheEntryAndStaysTheSame) {
  World world;
  const std::uint64_t now = world.machine->applied_index().value();
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 1, 0, now + 1))).code(), Code::INVALID)
      << "the entry's own index";
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 1, 0, now + 1))).code(), Code::DONE);
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 2, 0, now))).code(), Code::INVALID);
}

TEST(Session, ExpiryRaisesTheFrontierAboveTheBirth) {
  World world;
  const std::uint64_t birth = world.machine->applied_index().value();
  const rpc::CommitPut put = PutAs(&world, "a", World::Request(1, 1, 0, birth));
  world.Put(put);
  const std::uint64_t used = world.machine->applied_index().value();
  EXPECT_EQ(world.Expire(0, used).count(), 0u) << "used at that index, not before";
  EXPECT_EQ(world.Expire(0, used + 1).count(), 1u);
  EXPECT_FALSE(world.machine->View()->FindResult(World::Session(1), 1));
  EXPECT_EQ(world.Put(put).code(), Code::SESSION_EXPIRED) << "never executed again";
  EXPECT_EQ(world.Settle(put.request_id()).code(), Code::SESSION_EXPIRED);
  EXPECT_EQ(world.Find("a")->number(), 1u);
  // A session of a later birth is welcome.
  EXPECT_EQ(world.Put(PutAs(&world, "b", World::Request(2, 1, 0, birth + 1))).code(), Code::DONE);
}

TEST(Session, FrontierLeavesKnownSessionsAlone) {
  World world;
  world.Put(PutAs(&world, "a", World::Request(1, 1)));
  const std::uint64_t now = world.machine->applied_index().value();
  world.Expire(now, 0);
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 2))).code(), Code::DONE);
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(2, 1, 0, now - 1))).code(),
            Code::SESSION_EXPIRED);
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(2, 1, 0, now))).code(), Code::DONE);
}

TEST(Session, FrontierNeverPassesTheLog) {
  World world;
  world.Expire(~std::uint64_t{0}, 0);
  const std::uint64_t now = world.machine->applied_index().value();
  EXPECT_EQ(world.Put(PutAs(&world, "a", World::Request(1, 1, 0, now))).code(), Code::DONE);
}

TEST(Session, ExpiryOfManyIsSpreadOverEntries) {
  World world;
  // 10 sessions of 200 results: 2,010 rows.
  for (std::uint64_t session = 1; session <= 10; ++session) {
    for (std::uint64_t sequence = 1; sequence <= 200; ++sequence) {
      rpc::Command settle;
      *settle.mutable_settle()->mutable_request_id() = World::Request(session, sequence);
      world.Apply(settle);
    }
  }
  const std::uint64_t now = world.machine->applied_index().value();
  std::uint64_t dropped = 0;
  int entries = 0;
  while (dropped < 10 && entries < 20) {
    dropped += world.Expire(0, now + 1).count();
    ++entries;
  }
  EXPECT_EQ(dropped, 10u);
  EXPECT_EQ(entries, 3);
  for (const auto& [key, value] : world.store.rows()) {
    EXPECT_TRUE(key[0] != 'S' && key[0] != 'R') << key;
  }
}

// Rule R15.
TEST(Settle, BeforeCommitPutForbidsIt) {
  World world;
  const api::RequestId request = World::Request(1, 1);
  const rpc::CommitPut put = PutAs(&world, "a", request);
  const auto settled = world.Settle(request);
  EXPECT_EQ(settled.code(), Code::SETTLED);
  EXPECT_EQ(settled.settled_kind(), 0u);
  EXPECT_EQ(world.Put(put).code(), Code::SETTLED);
  EXPECT_FALSE(world.Find("a"));
  EXPECT_EQ(world.Put(PutAs(&world, "a", request)).code(), Code::SETTLED) << "any attempt";
  EXPECT_EQ(world.Settle(request).code(), Code::SETTLED);
}

TEST(Settle, AfterCommitPutReturnsItsResult) {
  World world;
  const api::RequestId request = World::Request(1, 1);
  const auto put = world.Put(PutAs(&world, "a", request));
  const auto settled = world.Settle(request);
  EXPECT_EQ(settled.code(), Code::DONE);
  EXPECT_EQ(settled.settled_kind(), static_cast<std::uint32_t>(rpc::Command::kCommitPut));
  EXPECT_EQ(settled.version().number(), put.version().number());
  EXPECT_EQ(settled.applied_index(), put.applied_index());
  EXPECT_TRUE(world.Find("a"));
}

TEST(Settle, OfAFailureReturnsTheFailure) {
  World world;
  rpc::CommitPut put = world.PutCommand("a", {.if_version = 9});
  world.Put(put);
  EXPECT_EQ(world.Settle(put.request_id()).code(), Code::PRECONDITION_FAILED);
  put = world.PutCommand("a", {.acks = {1}});
  EXPECT_EQ(world.Put(put).code(), Code::REBEGIN);
  EXPECT_EQ(world.Settle(put.request_id()).code(), Code::SETTLED) << "REBEGIN is no result";
}

}  // namespace
}  // namespace dfs::metadata
