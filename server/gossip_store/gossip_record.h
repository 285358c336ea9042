// What a gossip bucket knows of one name. Pure data.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_RECORD_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_RECORD_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "server/gossip_store/hybrid_clock.h"

namespace dfs::gossip_store {

struct Key {
  BucketId bucket;
  std::string name;
  auto operator<=>(const Key&) const = default;
};

// Who wrote it and when. The greatest of a name wins. No two records have the same.
struct Stamp {
  HybridTime time;
  NodeId origin;
  constexpr auto operator<=>(const Stamp&) const = default;
};

struct Record {
  Key key;
  Stamp stamp;
  bool is_tombstone = false;  // the name was removed; the rest is empty
  std::uint64_t size = 0;
  std::uint32_t crc32c = 0;
  Hash128 content_hash;
  TxnId txn;                     // its chunks are (txn, 0), (txn, 1), …
  std::vector<Hash128> chunks;   // rule R21, in order
  bool operator==(const Record&) const = default;
};

// As one node holds it.
struct HeldRecord {
  Record record;
  HybridTime applied;  // by this node's clock; each greater than the one before
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_RECORD_H_
