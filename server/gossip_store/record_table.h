// The records of one node, with the tree of digests by which two nodes find where they differ (Merkle 1987). Pure.
#ifndef DFS_SERVER_GOSSIP_STORE_RECORD_TABLE_H_
#define DFS_SERVER_GOSSIP_STORE_RECORD_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/gossip_store/gossip_record.h"

namespace dfs::gossip_store {

// A leaf: the names whose hash begins with these 16 bits. An inner node: 256 leaves, by the upper 8 of them.
using LeafNumber = std::uint16_t;
using InnerNumber = std::uint8_t;
inline constexpr std::size_t kInnerNodes = 256;
inline constexpr std::size_t kLeavesPerInner = 256;

// Digests of sets: the exclusive or of their members' XXH3-128, whatever their order. Peers are trusted (they prove who
// they are); it finds differences, not forgeries.
class DigestTree {
 public:
  DigestTree() : leaves_(kInnerNodes * kLeavesPerInner) {}
  // Adds what is not there, removes what is.
  void Toggle(LeafNumber leaf, const Hash128& member);

  [[nodiscard]] Hash128 root() const { return root_; }
  [[nodiscard]] const std::array<Hash128, kInnerNodes>& inner() const { return inner_; }
  [[nodiscard]] Hash128 Leaf(LeafNumber leaf) const { return leaves_[leaf]; }

 private:
  Hash128 root_;
  std::array<Hash128, kInnerNodes> inner_{};
  std::vector<Hash128> leaves_;
};

// In memory: about 300 bytes and twice the name for each record. Not thread-safe.
class RecordTable {
 public:
  static LeafNumber LeafOf(const Key& key);

  [[nodiscard]] const HeldRecord* Find(const Key& key) const;
  // In the place of what is held of that name, which is returned.
  std::optional<Record> Put(HeldRecord held);
  std::optional<Record> Erase(const Key& key);

  [[nodiscard]] const DigestTree& tree() const { return tree_; }
  [[nodiscard]] std::vector<const HeldRecord*> RecordsOf(LeafNumber leaf) const;
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] std::size_t tombstones() const { return tombstones_.size(); }

  // Records of a bucket with after < name and that prefix, by name, tombstones too, until visit returns false.
  void Scan(BucketId bucket, std::string_view prefix, std::string_view after,
            const std::function<bool(const HeldRecord&)>& visit) const;
  // Tombstones that were applied at or before `through`, oldest first, until visit returns false. It must not change the table.
  void ScanTombstones(HybridTime through,
                      const std::function<bool(const HeldRecord&)>& visit) const;

 private:
  std::map<Key, HeldRecord> records_;
  std::unordered_map<LeafNumber, std::vector<const HeldRecord*>> by_leaf_;
  std::map<HybridTime, const HeldRecord*> tombstones_;  // by when they were applied
  DigestTree tree_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_RECORD_TABLE_H_
