#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

// Feature 3.
TEST(CommitPut, MakesVersionVisible) {
  World world;
  const auto result = world.Put("a/b", {.chunks = 2});
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.version().number(), 1u);
  EXPECT_EQ(result.version().name(), "a/b");
  EXPECT_EQ(result.version().chunks_size(), 0) << "results stay small";
  EXPECT_EQ(result.replicas(), 2u);
  const auto version = world.Find("a/b");
  ASSERT_TRUE(version);
  EXPECT_EQ(version->size(), 20u);
  EXPECT_EQ(version->crc32c(), 77u);
  EXPECT_EQ(version->commit_index(), result.applied_index());
  EXPECT_EQ(version->time_us(), world.time_us);
  ASSERT_EQ(version->chunks_size(), 2);
  EXPECT_EQ(ReplicasOf(version->chunks(1)), "1:OK 2:OK 3:MISSING");
}

TEST(CommitPut, SetIsCompletedFromTheMembers) {
  World world(5);
  world.Put("named", {.acks = {4, 5}, .set = {4, 5, 3}});
  EXPECT_EQ(ReplicasOf(world.Find("named")->chunks(0)), "4:OK 5:OK 3:MISSING");
  world.Put("unnamed", {.acks = {4, 5}, .set = {}});
  EXPECT_EQ(ReplicasOf(world.Find("unnamed")->chunks(0)), "4:OK 5:OK 1:MISSING");
  world.Put("bad", {.acks = {4, 5}, .set = {4, 4, 99, 0}});
  EXPECT_EQ(ReplicasOf(world.Find("bad")->chunks(0)), "4:OK 5:OK 1:MISSING");
}

TEST(CommitPut, SurplusAcknowledgementsAreCut) {
  World world(5);
  world.Put("a", {.acks = {5, 3, 1, 2}, .set = {5, 3, 1}});
  EXPECT_EQ(ReplicasOf(world.Find("a")->chunks(0)), "5:OK 3:OK 1:OK");
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
}

TEST(CommitPut, SameNodeTwiceIsOneAcknowledgement) {
  World world;
  EXPECT_EQ(world.Put("a", {.acks = {1, 1}}).code(), Code::REBEGIN);
  EXPECT_EQ(world.Put("b", {.acks = {1, 1, 2}}).code(), Code::DONE);
  EXPECT_EQ(ReplicasOf(world.Find("b")->chunks(0)), "1:OK 2:OK 3:MISSING");
}

// Rule R7: effective W counts members, so one and two member clusters work and two dead of three do not.
TEST(CommitPut, EffectiveWriteQuorumFollowsMembers) {
  World one(1);
  EXPECT_EQ(one.Put("a", {.acks = {}, .set = {1}}).code(), Code::REBEGIN);
  EXPECT_EQ(one.Put("a", {.acks = {1}, .set = {1}}).replicas(), 1u);
  EXPECT_EQ(ReplicasOf(one.Find("a")->chunks(0)), "1:OK");
  World two(2);
  EXPECT_EQ(two.Put("a", {.acks = {1}, .set = {1, 2}}).code(), Code::REBEGIN);
  EXPECT_EQ(two.Put("a", {.acks = {2, 1}, .set = {1, 2}}).code(), Code::DONE);
}

TEST(CommitPut, EachChunkNeedsItsAcknowledgements) {
  World world;
  rpc::CommitPut put = world.PutCommand("a", {.chunks = 3});
  put.mutable_chunks(1)->mutable_acks()->RemoveLast();
  EXPECT_EQ(world.Put(put).code(), Code::REBEGIN);
  EXPECT_FALSE(world.Find("a"));
}

TEST(CommitPut, OnlyCurrentAcknowledgementsCount) {
  const auto code_with = [](const std::function<void(rpc::Ack*)>& change) {
    World world;
    rpc::CommitPut put = world.PutCommand("a");
    change(put.mutable_chunks(0)->mutable_acks(1));
    return world.Put(put).code();
  };
  EXPECT_EQ(code_with([](rpc::Ack*) {}), Code::DONE);
  EXPECT_EQ(code_with([](rpc::Ack* ack) { ack->set_boot_epoch(0); }), Code::REBEGIN);
  EXPECT_EQ(code_with([](rpc::Ack* ack) { ack->set_boot_epoch(2); }), Code::REBEGIN)
      << "its start is not applied yet";
  EXPECT_EQ(code_with([](rpc::Ack* ack) { ack->mutable_storage_uuid()->set_low(9); }), Code::REBEGIN);
  EXPECT_EQ(code_with([](rpc::Ack* ack) { ack->set_node_id(9); }), Code::REBEGIN);
  World world;
  rpc::Command add;
  *add.mutable_add_node()->mutable_node() = NodeOf(4);
  world.Apply(add);
  EXPECT_EQ(world.Put("a", {.acks = {1, 4}}).code(), Code::REBEGIN) << "4 is JOINING";
}

// Rule R13.
TEST(CommitPut, CountsOnlyInTheTermOfItsTransaction) {
  World world;
  const rpc::CommitPut put = world.PutCommand("a");
  world.term = Term(2);
  const auto result = world.Put(put);
  EXPECT_EQ(result.code(), Code::REBEGIN);
  EXPECT_FALSE(world.Find("a"));
  EXPECT_FALSE(world.machine->View()->FindResult(World::Session(1), 1)) << "never stored";
  rpc::CommitPut again = world.PutCommand("a");
  *again.mutable_request_id() = put.request_id();
  EXPECT_EQ(world.Put(again).code(), Code::DONE);
}

TEST(CommitPut, TransactionOfAnotherRequestBeginsAgain) {
  World world;
  const rpc::CommitPut put = world.PutCommand("a");
  world.Put(put);
  rpc::CommitPut other = world.PutCommand("b");
  *other.mutable_txn() = put.txn();
  EXPECT_EQ(world.Put(other).code(), Code::REBEGIN);
  EXPECT_FALSE(world.Find("b"));
}

TEST(CommitPut, PreconditionIsDecidedHereAndStored) {
  World world;
  EXPECT_EQ(world.Put("a", {.if_version = 5}).code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Put("a", {.if_version = 0}).version().number(), 1u);
  const rpc::CommitPut exists = world.PutCommand("a", {.if_version = 0});
  EXPECT_EQ(world.Put(exists).code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Put("a", {.if_version = 1}).version().number(), 2u);
  world.Remove("a");
  EXPECT_EQ(world.Put(exists).code(), Code::PRECONDITION_FAILED) << "the stored answer stays";
  EXPECT_EQ(world.Put("a", {.if_version = 0}).version().number(), 4u) << "a remove is a change too";
}

TEST(CommitPut, MalformedIsInvalidAndNotStored) {
  World world;
  const auto code_with = [&](const std::function<void(rpc::CommitPut*)>& change) {
    rpc::CommitPut put = world.PutCommand("a", {.chunks = 2});
    change(&put);
    const auto result = world.Put(put);
    EXPECT_FALSE(world.machine->View()->FindResult(World::Session(1), put.request_id().sequence()));
    return result.code();
  };
  EXPECT_EQ(code_with([](auto* put) { put->set_name("../a"); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->set_bucket_id(2); }), Code::NO_BUCKET);
  EXPECT_EQ(code_with([](auto* put) { put->set_writer(std::string(129, 'a')); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->set_writer("a\nb"); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->set_size(19); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->set_size(21); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->mutable_chunks(0)->set_size(0); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) {
              put->mutable_chunks(0)->set_size(~std::uint64_t{0});
              put->mutable_chunks(1)->set_size(21);  // 20, modulo 2^64
            }),
            Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->clear_txn(); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->mutable_request_id()->set_session("short"); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) { put->mutable_request_id()->set_sequence(0); }), Code::INVALID);
  EXPECT_EQ(code_with([](auto* put) {
              while (put->chunks_size() <= 4'096) *put->add_chunks() = put->chunks(0);
              put->set_size(static_cast<std::uint64_t>(put->chunks_size()) * 10);
            }),
            Code::INVALID);
  EXPECT_TRUE(world.Names().empty());
}

TEST(CommitPut, LargestVersionFits) {
  World world;
  EXPECT_EQ(world.Put("big", {.chunks = 4'096}).code(), Code::DONE);
  EXPECT_EQ(world.Find("big")->chunks_size(), 4'096);
}

TEST(CommitPut, EmptyFileKeepsASet) {
  World world(5);
  const auto result = world.Put("empty", {.acks = {}, .set = {4, 2}, .chunks = 0});
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.replicas(), 3u);
  const auto version = world.Find("empty");
  ASSERT_EQ(version->empty_set_size(), 3);
  EXPECT_EQ(version->empty_set(0), 4u);
  EXPECT_EQ(version->empty_set(1), 2u);
  EXPECT_EQ(version->empty_set(2), 1u);
  EXPECT_EQ(world.machine->View()->GetTotals().under_replicated, 0u);
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(CommitPut, OverwriteTrashesTheOldVersion) {
  World world;
  world.Put("a");
  const auto old = *world.Find("a");
  const auto result = world.Put("a", {.acks = {1, 2, 3}});
  EXPECT_EQ(result.version().number(), 2u);
  const auto trashed = world.machine->View()->FindVersion(FromWire(old.txn()));
  ASSERT_TRUE(trashed);
  EXPECT_EQ(trashed->trashed_index(), result.applied_index());
  EXPECT_EQ(trashed->trashed_time_us(), world.time_us);
  const Totals totals = world.machine->View()->GetTotals();
  EXPECT_EQ(totals.files, 1u);
  EXPECT_EQ(totals.bytes, 10u);
  EXPECT_EQ(totals.trashed, 1u);
  EXPECT_EQ(totals.under_replicated, 0u);
  EXPECT_TRUE(FindViolations(*world.machine, world.store).empty());
}

TEST(RemoveFile, TrashesAndAnswersWhatWasRemoved) {
  World world;
  world.Put("a");
  const auto old = *world.Find("a");
  const auto result = world.Remove("a");
  EXPECT_EQ(result.code(), Code::DONE);
  EXPECT_EQ(result.version().number(), old.number());
  EXPECT_FALSE(world.Find("a"));
  EXPECT_TRUE(world.machine->View()->FindVersion(FromWire(old.txn())));
  EXPECT_EQ(world.machine->View()->GetTotals().files, 0u);
  EXPECT_EQ(world.Remove("a").code(), Code::NOT_FOUND);
}

TEST(RemoveFile, RefusesOtherVersionAndBadNames) {
  World world;
  world.Put("a");
  EXPECT_EQ(world.Remove("a", 2).code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Remove("a", 0).code(), Code::PRECONDITION_FAILED);
  EXPECT_EQ(world.Remove("/a").code(), Code::INVALID);
  EXPECT_TRUE(world.Find("a"));
  EXPECT_EQ(world.Remove("a", 1).code(), Code::DONE);
  EXPECT_EQ(world.Remove("a", 1).code(), Code::NOT_FOUND);
}

}  // namespace
}  // namespace dfs::metadata
