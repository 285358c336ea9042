#include "server/leader/copy_orders.h"

#include <iterator>

#include "common/mutant.h"

namespace dfs::leader {

std::optional<std::uint64_t> CopyOrders::Open(const ChunkId& chunk, NodeId node, NodeId replaces,
                                              bool is_repair, MonotonicTime now) {
  const auto found = orders_.find({chunk, node});
  if (found == orders_.end() && orders_.size() >= kOpenMax) return std::nullopt;
  if (found != orders_.end() && found->second.is_acknowledged) return std::nullopt;
  const std::uint64_t number = next_number_++;
  orders_[{chunk, node}] = {number, now, replaces, is_repair, false};
  return number;
}

const CopyOrders::Order* CopyOrders::Find(const ChunkId& chunk, NodeId node) const {
  const auto found = orders_.find({chunk, node});
  return found == orders_.end() ? nullptr : &found->second;
}

bool CopyOrders::HasRepair(const ChunkId& chunk) const {
  for (auto it = orders_.lower_bound({chunk, NodeId()});
       it != orders_.end() && it->first.first == chunk; ++it) {
    if (it->second.is_repair) return true;
  }
  return false;
}

bool CopyOrders::Acknowledge(const ChunkId& chunk, NodeId node, std::uint64_t number) {
  const auto found = orders_.find({chunk, node});
  if (found == orders_.end() || found->second.is_acknowledged) return false;
  // A put's late acknowledgement says what was there when it was sent. Under an order opened since it proves nothing:
  // the copy may have been deleted in between.
  const bool is_another = number == 0 ? found->second.is_repair : found->second.number != number;
  if (is_another && !DFS_MUTANT(334, "the number of the order is ignored (rule R19)")) return false;
  found->second.is_acknowledged = true;
  return true;
}

void CopyOrders::End(const ChunkId& chunk, NodeId node, std::uint64_t number) {
  const auto found = orders_.find({chunk, node});
  if (found == orders_.end()) return;
  if (number == 0 || found->second.number == number) orders_.erase(found);
}

void CopyOrders::EndChunk(const ChunkId& chunk, NodeId except) {
  auto it = orders_.lower_bound({chunk, NodeId()});
  while (it != orders_.end() && it->first.first == chunk) {
    it = it->first.second == except ? std::next(it) : orders_.erase(it);
  }
}

void CopyOrders::EndTransaction(const TxnId& txn) {
  auto it = orders_.lower_bound({ChunkId{txn, 0}, NodeId()});
  while (it != orders_.end() && it->first.first.txn == txn) it = orders_.erase(it);
}

void CopyOrders::Expire(MonotonicTime now) {
  for (auto it = orders_.begin(); it != orders_.end();) {
    const Order& order = it->second;
    const bool is_stuck = !order.is_acknowledged && !order.is_repair &&
                          now - order.opened >= kProgressWithin;
    it = is_stuck ? orders_.erase(it) : std::next(it);
  }
}

}  // namespace dfs::leader
