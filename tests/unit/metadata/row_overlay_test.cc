#include <gtest/gtest.h>

#include "common/random.h"
#include "server/metadata/row_keys.h"
#include "server/metadata/row_overlay.h"
#include "tests/support/memory_key_value_store.h"

namespace dfs::metadata {
namespace {

using Rows = MemoryKeyValueStore::Rows;

Rows ScanAll(const RowReader& reader, std::string_view first, std::string_view end, std::size_t max) {
  Rows out;
  std::string last;
  if (max == 0) return out;
  reader.Scan(first, end, [&](std::string_view key, std::string_view value) {
    EXPECT_LT(last, key) << "in order";
    last = key;
    out.emplace(key, value);
    return out.size() < max;
  });
  return out;
}

std::string RandomKey(Random* random) {
  return std::string(1 + random->Below(2), static_cast<char>('a' + random->Below(5))) +
         std::string(random->Below(2), static_cast<char>('a' + random->Below(3)));
}

// Two layers over a store read as the store does once everything is written.
TEST(RowOverlay, ReadsAsIfWritten) {
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    MemoryKeyValueStore store;
    RowBatch base;
    for (int i = 0; i < 8; ++i) base.changes.emplace_back(RandomKey(&random), "base");
    store.Write(base);
    RowOverlay lower(&store);
    RowOverlay upper(&lower);
    Rows expected = store.rows();
    for (RowOverlay* overlay : {&lower, &upper}) {
      for (int i = 0; i < 6; ++i) {
        const std::string key = RandomKey(&random);
        if (random.OneIn(1, 2)) {
          overlay->Put(key, std::to_string(i));
          expected[key] = std::to_string(i);
        } else {
          overlay->Delete(key);
          expected.erase(key);
        }
      }
    }
    const std::string first = random.OneIn(1, 4) ? "" : RandomKey(&random);
    const std::string end = random.OneIn(1, 4) ? "" : RandomKey(&random);
    const std::size_t max = random.Below(10);
    Rows in_range;
    for (const auto& [key, value] : expected) {
      if (key >= first && (end.empty() || key < end) && in_range.size() < max) {
        in_range.emplace(key, value);
      }
      EXPECT_EQ(upper.Get(key), value);
    }
    EXPECT_EQ(ScanAll(upper, first, end, max), in_range);
  }
}

TEST(EndOfPrefix, IsTheNextKeyBehind) {
  EXPECT_EQ(EndOfPrefix("ab"), "ac");
  EXPECT_EQ(EndOfPrefix("a\xFF\xFF"), "b");
  EXPECT_EQ(EndOfPrefix("\xFF"), "");
  EXPECT_EQ(EndOfPrefix(""), "");
}

TEST(RowKeys, SortByNumberThenName) {
  EXPECT_LT(FileKey(BucketId(1), "zz"), FileKey(BucketId(2), "a"));
  EXPECT_LT(FileKey(BucketId(255), "zz"), FileKey(BucketId(256), "a"));
  EXPECT_LT(FileKey(BucketId(1), "a"), FileKey(BucketId(1), "aa"));
  EXPECT_LT(TrashKey(LogIndex(255), {Term(9), 9}), TrashKey(LogIndex(256), {Term(1), 1}));
  const TxnId txn{Term(3), 0x1122334455667788};
  EXPECT_EQ(TxnAtEnd(PurgeKey(NodeId(4), txn)), txn);
}

TEST(RowKeys, PlacesAndAppliedRowSurvive) {
  const auto current = DecodePlace(EncodePlace({{}, BucketId(7), "name"}));
  ASSERT_TRUE(current);
  EXPECT_TRUE(current->trashed.is_none());
  EXPECT_EQ(current->bucket, BucketId(7));
  EXPECT_EQ(current->name, "name");
  EXPECT_EQ(DecodePlace(EncodePlace({LogIndex(9), {}, {}}))->trashed, LogIndex(9));
  EXPECT_FALSE(DecodePlace(""));
  EXPECT_FALSE(DecodePlace("Z12345678"));
  EXPECT_FALSE(DecodePlace("T123456789"));
  const auto applied = DecodeApplied(EncodeApplied({LogIndex(5), 6, {7, 8}}));
  EXPECT_EQ(applied->index, LogIndex(5));
  EXPECT_EQ(applied->log_time_us, 6u);
  EXPECT_EQ(applied->hash, (Hash128{7, 8}));
  EXPECT_FALSE(DecodeApplied("short"));
}

}  // namespace
}  // namespace dfs::metadata
