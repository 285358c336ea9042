#include "server/leader/copy_orders.h"

#include <gtest/gtest.h>

#include "tests/unit/leader/test_start.h"

namespace dfs::leader {
namespace {

const ChunkId kChunk{{Term(1), 1}, 0};
const NodeId kNode(3);

TEST(CopyOrders, AcknowledgementCountsOnceAndOnlyForTheOpenOrder) {
  CopyOrders orders;
  EXPECT_FALSE(orders.Acknowledge(kChunk, kNode, 1));
  const auto number = orders.Open(kChunk, kNode, NodeId(), true, kStart);
  EXPECT_FALSE(orders.Acknowledge(kChunk, kNode, *number + 1));
  EXPECT_FALSE(orders.Acknowledge(kChunk, NodeId(4), *number));
  EXPECT_TRUE(orders.Acknowledge(kChunk, kNode, *number));
  EXPECT_FALSE(orders.Acknowledge(kChunk, kNode, *number));
}

TEST(CopyOrders, NewerOrderEndsTheOlder) {
  CopyOrders orders;
  const auto first = orders.Open(kChunk, kNode, NodeId(), true, kStart);
  const auto second = orders.Open(kChunk, kNode, NodeId(), true, kStart);
  EXPECT_FALSE(orders.Acknowledge(kChunk, kNode, *first));
  EXPECT_TRUE(orders.Acknowledge(kChunk, kNode, *second));
}

TEST(CopyOrders, LateAcknowledgementOfAPutDoesNotCountForRepairsOrder) {
  CopyOrders orders;
  orders.Open(kChunk, kNode, NodeId(), false, kStart);
  orders.Open(kChunk, kNode, NodeId(), true, kStart);
  EXPECT_FALSE(orders.Acknowledge(kChunk, kNode, 0));
}

TEST(CopyOrders, AcknowledgedOneStaysOpenUntilItIsEnded) {
  CopyOrders orders;
  orders.Open(kChunk, kNode, NodeId(), false, kStart);
  ASSERT_TRUE(orders.Acknowledge(kChunk, kNode, 0));
  orders.Expire(kStart + absl::Hours(1));
  EXPECT_NE(orders.Find(kChunk, kNode), nullptr);
  EXPECT_FALSE(orders.Open(kChunk, kNode, NodeId(), true, kStart).has_value());
  orders.End(kChunk, kNode, 0);
  EXPECT_EQ(orders.Find(kChunk, kNode), nullptr);
}

TEST(CopyOrders, PutsOrderEndsAfterTenSeconds) {
  CopyOrders orders;
  orders.Open(kChunk, kNode, NodeId(), false, kStart);
  orders.Expire(kStart + absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_NE(orders.Find(kChunk, kNode), nullptr);
  orders.Expire(kStart + absl::Seconds(10));
  EXPECT_FALSE(orders.Acknowledge(kChunk, kNode, 0));
}

TEST(CopyOrders, PurgeEndsAllOfItsTransactionAndNoOther) {
  CopyOrders orders;
  const ChunkId second{{Term(1), 1}, 1};
  const ChunkId other{{Term(1), 2}, 0};
  for (const auto& chunk : {kChunk, second, other}) {
    orders.Open(chunk, kNode, NodeId(), true, kStart);
  }
  orders.EndTransaction({Term(1), 1});
  EXPECT_EQ(orders.Find(kChunk, kNode), nullptr);
  EXPECT_EQ(orders.Find(second, kNode), nullptr);
  EXPECT_NE(orders.Find(other, kNode), nullptr);
}

TEST(CopyOrders, ChangeOfTheSetEndsTheOthersOfTheChunk) {
  CopyOrders orders;
  orders.Open(kChunk, kNode, NodeId(), true, kStart);
  orders.Open(kChunk, NodeId(4), NodeId(), true, kStart);
  orders.EndChunk(kChunk, NodeId(4));
  EXPECT_EQ(orders.Find(kChunk, kNode), nullptr);
  EXPECT_TRUE(orders.HasRepair(kChunk));
}

}  // namespace
}  // namespace dfs::leader
