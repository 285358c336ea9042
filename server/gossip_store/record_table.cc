#include "server/gossip_store/record_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/checksum.h"

namespace dfs::gossip_store {
namespace {

void AppendNumber(std::uint64_t value, std::string* out) {
  for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

// Equal on all nodes that hold the record; when they applied it is not in it.
Hash128 DigestOf(const Record& record) {
  std::string bytes;
  bytes.reserve(record.key.name.size() + 64);
  AppendNumber(record.key.bucket.value(), &bytes);
  AppendNumber(record.key.name.size(), &bytes);
  bytes += record.key.name;
  // The stamp names the content: no two records have the same.
  AppendNumber(record.stamp.time.value(), &bytes);
  AppendNumber(record.stamp.origin.value(), &bytes);
  return Xxh3(bytes.data(), bytes.size());
}

void XorInto(Hash128* digest, const Hash128& other) {
  digest->high ^= other.high;
  digest->low ^= other.low;
}

}  // namespace

void DigestTree::Toggle(LeafNumber leaf, const Hash128& member) {
  XorInto(&root_, member);
  XorInto(&inner_[leaf / kLeavesPerInner], member);
  XorInto(&leaves_[leaf], member);
}

LeafNumber RecordTable::LeafOf(const Key& key) {
  std::string bytes;
  AppendNumber(key.bucket.value(), &bytes);
  bytes += key.name;
  return static_cast<LeafNumber>(Xxh3(bytes.data(), bytes.size()).high >> 48);
}

const HeldRecord* RecordTable::Find(const Key& key) const {
  const auto found = records_.find(key);
  return found == records_.end() ? nullptr : &found->second;
}

std::optional<Record> RecordTable::Put(HeldRecord held) {
  std::optional<Record> old = Erase(held.record.key);
  const Key key = held.record.key;
  const HeldRecord& placed = records_.emplace(key, std::move(held)).first->second;
  const LeafNumber leaf = LeafOf(key);
  by_leaf_[leaf].push_back(&placed);
  tree_.Toggle(leaf, DigestOf(placed.record));
  if (placed.record.is_tombstone) tombstones_.emplace(placed.applied, &placed);
  return old;
}

std::optional<Record> RecordTable::Erase(const Key& key) {
  const auto found = records_.find(key);
  if (found == records_.end()) return std::nullopt;
  const LeafNumber leaf = LeafOf(key);
  auto& members = by_leaf_[leaf];
  std::erase(members, &found->second);
  if (members.empty()) by_leaf_.erase(leaf);
  tree_.Toggle(leaf, DigestOf(found->second.record));
  if (found->second.record.is_tombstone) tombstones_.erase(found->second.applied);
  std::optional<Record> old = std::move(found->second.record);
  records_.erase(found);
  return old;
}

std::vector<const HeldRecord*> RecordTable::RecordsOf(LeafNumber leaf) const {
  const auto found = by_leaf_.find(leaf);
  return found == by_leaf_.end() ? std::vector<const HeldRecord*>() : found->second;
}

void RecordTable::Scan(BucketId bucket, std::string_view prefix, std::string_view after,
                       const std::function<bool(const HeldRecord&)>& visit) const {
  const Key first{bucket, std::string(std::max(prefix, after))};
  for (auto at = records_.lower_bound(first); at != records_.end(); ++at) {
    const Key& key = at->first;
    if (key.bucket != bucket || !std::string_view(key.name).starts_with(prefix)) return;
    if (!after.empty() && key.name <= after) continue;
    if (!visit(at->second)) return;
  }
}

void RecordTable::ScanTombstones(HybridTime through,
                                 const std::function<bool(const HeldRecord&)>& visit) const {
  for (const auto& [applied, held] : tombstones_) {
    if (applied > through || !visit(*held)) return;
  }
}

}  // namespace dfs::gossip_store
