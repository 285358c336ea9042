#include "common/ids.h"

#include <gtest/gtest.h>

namespace dfs {
namespace {

TEST(Uuid, TextIsReadBack) {
  const StorageUuid uuid{0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  EXPECT_EQ(ToString(uuid), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(ParseUuid<StorageUuid>(ToString(uuid)), uuid);
}

TEST(Uuid, OtherTextIsRefused) {
  EXPECT_FALSE(ParseUuid<StorageUuid>(""));
  EXPECT_FALSE(ParseUuid<StorageUuid>("0123456789abcdeffedcba987654321"));
  EXPECT_FALSE(ParseUuid<StorageUuid>("0123456789ABCDEFfedcba9876543210"));
  EXPECT_FALSE(ParseUuid<StorageUuid>("0123456789abcdeffedcba98765432100"));
}

TEST(ChunkId, OrdersByTransactionThenIndex) {
  const ChunkId a{{Term(1), 9}, 5};
  const ChunkId b{{Term(2), 1}, 0};
  const ChunkId c{{Term(2), 1}, 1};
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_EQ(ToString(c), "2.1/1");
}

}  // namespace
}  // namespace dfs
