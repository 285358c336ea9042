// The leader's orders to make a copy of a chunk on a node (rule R19).
//
// An acknowledgement of a copy counts only for the order, with its number, that is open in this term. While an order
// for (chunk, node) is open, that node gets neither DEAD nor EXCESS for the chunk. An acknowledged order stays
// open until its change of the replica set has its outcome in the log: before that, the set does not name the node yet.
//
// Pure: no clock, lock or I/O. Not thread-safe. Dies with the term.
#ifndef DFS_SERVER_LEADER_COPY_ORDERS_H_
#define DFS_SERVER_LEADER_COPY_ORDERS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::leader {

class CopyOrders {
 public:
  // An order without progress ends after so long.
  static constexpr absl::Duration kProgressWithin = absl::Seconds(10);
  // Bounds the book; beyond, no order is opened and repair finds the copy later.
  static constexpr std::size_t kOpenMax = 100'000;

  struct Order {
    std::uint64_t number = 0;
    MonotonicTime opened;
    NodeId replaces;          // the node of the set whose place the new copy takes; none: its own, or a new one
    bool is_repair = false;   // else opened by a CommitPut, for an acknowledgement that is still on its way
    bool is_acknowledged = false;
  };

  // Opens an order; an older one for the same chunk and node ends. nullopt: kOpenMax is reached, or the order
  // there is acknowledged already.
  std::optional<std::uint64_t> Open(const ChunkId& chunk, NodeId node, NodeId replaces,
                                    bool is_repair, MonotonicTime now);
  [[nodiscard]] const Order* Find(const ChunkId& chunk, NodeId node) const;
  // Whether an order of repair for the chunk is open, to whatever node.
  [[nodiscard]] bool HasRepair(const ChunkId& chunk) const;
  // Whether the order is open and not acknowledged yet; from then on it is.
  // `number` 0: a late acknowledgement of a put, which counts only for the order that its CommitPut opened.
  [[nodiscard]] bool Acknowledge(const ChunkId& chunk, NodeId node, std::uint64_t number);
  // Ends it, if its number is this one (0: any).
  void End(const ChunkId& chunk, NodeId node, std::uint64_t number);
  // The chunk's set changed, or (Purge) the chunk is gone: all its orders end but `except`'s.
  void EndChunk(const ChunkId& chunk, NodeId except = NodeId());
  void EndTransaction(const TxnId& txn);
  // Ends those of puts that are older than kProgressWithin. Acknowledged ones stay; those of repair too: the call that
  // makes the copy fails after as long without progress, and ends them.
  void Expire(MonotonicTime now);

  [[nodiscard]] std::size_t size() const { return orders_.size(); }

 private:
  using Key = std::pair<ChunkId, NodeId>;
  std::uint64_t next_number_ = 1;
  std::map<Key, Order> orders_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_COPY_ORDERS_H_
