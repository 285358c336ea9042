// Which chunks belong to files of gossip buckets: no leader began their transactions, no version of the log names them.
#ifndef DFS_COMMON_GOSSIP_TXN_H_
#define DFS_COMMON_GOSSIP_TXN_H_

#include <cstdint>

#include "common/ids.h"

namespace dfs {

// No leader's term is that great.
inline constexpr std::uint64_t kGossipTermBit = std::uint64_t{1} << 63;

constexpr bool IsGossip(const TxnId& txn) { return (txn.term.value() & kGossipTermBit) != 0; }

// The `counter`-th of that start of that node: never made twice, as no boot epoch of a node id is. `counter` < 2^32.
constexpr TxnId GossipTxn(NodeId node, BootEpoch epoch, std::uint64_t counter) {
  return {Term(kGossipTermBit | node.value()), epoch.value() << 32 | counter};
}

}  // namespace dfs

#endif  // DFS_COMMON_GOSSIP_TXN_H_
