// What of gossip buckets is durable, and what travels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <memory>
#include <string>
#include <vector>

#include "common/gossip_txn.h"
#include "server/gossip_store/gossip_message_codec.h"
#include "server/gossip_store/rocksdb_gossip_table.h"
#include "tests/support/rocksdb_record_ends.h"

namespace dfs::gossip_store {
namespace {

Record File(const std::string& name, std::uint64_t time) {
  Record record;
  record.key = {BucketId(3), name};
  record.stamp = {HybridTime(time), NodeId(2)};
  record.size = kChunkBytes + 1;
  record.crc32c = 5;
  record.content_hash = {6, 7};
  record.txn = GossipTxn(NodeId(2), BootEpoch(4), 8);
  record.chunks = {{9, 10}, {11, 12}};
  return record;
}

class GossipTableTest : public ::testing::Test {
 protected:
  GossipTableTest() : folder_(::testing::TempDir() + "/gossip_table_test") {
    std::filesystem::remove_all(folder_);
    Open();
  }
  ~GossipTableTest() override {
    table_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Open() {
    table_.reset();
    auto opened = RocksdbGossipTable::Open(folder_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    table_ = *std::move(opened);
  }
  StoredGossip Load() {
    auto loaded = table_->Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : StoredGossip();
  }

  const std::string folder_;
  std::unique_ptr<RocksdbGossipTable> table_;
};

TEST_F(GossipTableTest, WhatWasWrittenIsThereAgain) {
  GossipState state;
  state.clock_bound = HybridTime(77);
  state.included.had[NodeId(3)] = HybridTime(55);
  state.is_complete = true;
  state.purged_through = HybridTime(33);
  const Record a = File("a", 1);
  Record gone;
  gone.key = {BucketId(3), "gone"};
  gone.stamp = {HybridTime(2), NodeId(1)};
  gone.is_tombstone = true;
  ASSERT_TRUE(table_->Write({{a.key, HeldRecord{a, HybridTime(20)}},
                             {gone.key, HeldRecord{gone, HybridTime(21)}},
                             {File("b", 3).key, HeldRecord{File("b", 3), HybridTime(22)}}},
                            state)
                  .ok());
  ASSERT_TRUE(table_->Write({{File("b", 3).key, std::nullopt}}, std::nullopt).ok());
  Open();
  const StoredGossip stored = Load();
  EXPECT_EQ(stored.state, state);
  ASSERT_EQ(stored.records.size(), 2u);
  EXPECT_EQ(stored.records[0].record, a);
  EXPECT_EQ(stored.records[0].applied, HybridTime(20));
  EXPECT_EQ(stored.records[1].record, gone);
}

TEST_F(GossipTableTest, WhatIsGoneBeginsAnewAndSaysSo) {
  const Record a = File("a", 1);
  ASSERT_TRUE(table_->Write({{a.key, HeldRecord{a, HybridTime(20)}}}, std::nullopt).ok());
  table_.reset();  // writes the mark
  std::filesystem::remove_all(folder_ + "/records");
  Open();
  EXPECT_TRUE(Load().records.empty());
  EXPECT_TRUE(Load().state.has_begun_anew);
  Open();
  EXPECT_TRUE(Load().state.has_begun_anew) << "it stays so";
}

// Cut between two records it is whole by every checksum, and names no table of what the log no longer has.
TEST_F(GossipTableTest, WithoutTheEndOfItsManifestItBeginsAnew) {
  ASSERT_TRUE(table_->Write({{File("a", 1).key, HeldRecord{File("a", 1), HybridTime(20)}}}, GossipState()).ok());
  Open();  // into a table
  ASSERT_TRUE(table_->Write({{File("b", 2).key, HeldRecord{File("b", 2), HybridTime(21)}}}, std::nullopt).ok());
  table_.reset();
  for (const auto& file : std::filesystem::directory_iterator(folder_ + "/records")) {
    if (file.path().filename().string().find("MANIFEST-") != 0) continue;
    std::string bytes(static_cast<std::size_t>(file.file_size()), '\0');
    std::ifstream(file.path(), std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto ends = testing::RecordEnds(bytes);
    ASSERT_GE(ends.size(), 2u);
    ASSERT_EQ(ends.back(), bytes.size());
    std::filesystem::resize_file(file.path(), ends[ends.size() - 2]);
  }
  Open();
  const StoredGossip stored = Load();
  EXPECT_TRUE(stored.records.empty());
  EXPECT_TRUE(stored.state.has_begun_anew);
  Open();
  EXPECT_TRUE(Load().state.has_begun_anew) << "and is as whole as any other";
}

TEST_F(GossipTableTest, BeginningAnewLeavesWhatIsKeptAndNothingElse) {
  const Record a = File("a", 1);
  ASSERT_TRUE(table_->Write({{a.key, HeldRecord{a, HybridTime(20)}}}, std::nullopt).ok());
  BegunAnew anew;
  anew.state.has_begun_anew = true;
  anew.kept.push_back({File("kept", 2), HybridTime(21)});
  ASSERT_TRUE(table_->BeginAnew(anew).ok());
  Open();
  const StoredGossip stored = Load();
  EXPECT_EQ(stored.state, anew.state);
  ASSERT_EQ(stored.records.size(), 1u);
  EXPECT_EQ(stored.records[0].record, File("kept", 2));
}

TEST(GossipMessageCodec, AllKindsArriveAsTheyWereSent) {
  const InclusionRow row{NodeId(1), {{NodeId(2), HybridTime(9)}}};
  const std::vector<Hash128> inner(kInnerNodes, Hash128{1, 2});
  const std::vector<Hash128> leaves(2 * kLeavesPerInner, Hash128{~std::uint64_t{0}, 4});
  const std::vector<MessageBody> bodies = {
      Rumours{{File("a", 1)}},
      SyncBegin{7, {1, 2}, {row}},
      SyncState{7, HybridTime(5), true, LogIndex(6), {row}, inner},
      SyncState{7, HybridTime(5), false, LogIndex(6), {row}, {}},
      AskLeaves{7, {0, 255}},
      Leaves{7, {0, 255}, leaves},
      AskRecords{7, {0, 65'535}},
      LeafRecords{7, {0, 65'535}, {File("a", 1)}},
  };
  for (const MessageBody& body : bodies) {
    const Message sent{NodeId(1), NodeId(2), absl::FromUnixMicros(123'456), body};
    rpc::GossipMessage wire;
    ToWire(sent, &wire);
    const auto taken = FromWire(wire);
    ASSERT_TRUE(taken.ok()) << body.index();
    EXPECT_EQ(taken->from, sent.from);
    EXPECT_EQ(taken->wall, sent.wall);
    ASSERT_EQ(taken->body.index(), body.index());
    rpc::GossipMessage again;
    ToWire(*taken, &again);
    EXPECT_EQ(again.DebugString(), wire.DebugString());
  }
  rpc::GossipMessage wire;
  ToWire({NodeId(1), NodeId(2), absl::UnixEpoch(), Leaves{7, {0, 255}, leaves}}, &wire);
  EXPECT_EQ(std::get<Leaves>(FromWire(wire)->body).digests, leaves);
}

TEST(GossipMessageCodec, WhatIsBeyondItsBoundsIsRefused) {
  const auto is_taken = [](const auto& change) {
    rpc::GossipMessage wire;
    ToWire({NodeId(1), NodeId(2), absl::UnixEpoch(), Rumours{{File("a", 1)}}}, &wire);
    change(&wire);
    return FromWire(wire).ok();
  };
  EXPECT_TRUE(is_taken([](auto*) {}));
  EXPECT_FALSE(is_taken([](auto* wire) { wire->set_from(0); }));
  EXPECT_FALSE(is_taken([](auto* wire) { wire->set_kind(rpc::GossipMessage::FETCH_MISSED); }));
  EXPECT_FALSE(is_taken([](auto* wire) { wire->mutable_records(0)->clear_name(); }));
  EXPECT_FALSE(is_taken([](auto* wire) { wire->mutable_records(0)->set_size(1); })) << "of two chunks";
  EXPECT_FALSE(is_taken([](auto* wire) { wire->mutable_records(0)->mutable_txn()->set_term(4); }))
      << "a leader's transaction";
  EXPECT_FALSE(is_taken([](auto* wire) {
    for (std::size_t i = 0; i < kRumoursMax; ++i) *wire->add_records() = wire->records(0);
  }));
  EXPECT_FALSE(is_taken([](auto* wire) {
    wire->set_kind(rpc::GossipMessage::ASK_LEAVES);
    wire->add_numbers(256);
  }));
  EXPECT_FALSE(is_taken([](auto* wire) {
    wire->set_kind(rpc::GossipMessage::SYNC_STATE);
    wire->set_digests(std::string(17, 'x'));
  }));
}

}  // namespace
}  // namespace dfs::gossip_store
