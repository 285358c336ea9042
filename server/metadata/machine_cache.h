// What apply needs at every entry: kept in memory, always equal to its rows.
#ifndef DFS_SERVER_METADATA_MACHINE_CACHE_H_
#define DFS_SERVER_METADATA_MACHINE_CACHE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/metadata/key_value_store.h"
#include "server/metadata/limits.h"
#include "server/metadata/node_role.h"
#include "server/metadata/row_keys.h"
#include "server/metadata/row_overlay.h"

namespace dfs::metadata {

struct MachineCache {
  AppliedRow applied;
  std::optional<ClusterId> cluster;
  rpc::CountersRow counters;
  rpc::SettingsRow settings;
  std::map<BucketId, rpc::BucketRow> buckets;  // removed ones too, while something is in their trash
  std::map<BucketId, rpc::BucketCountsRow> counts;
  std::set<BucketId> changed_counts;  // by this entry: their rows are written at its end
  std::map<NodeId, rpc::NodeRow> nodes;
  std::vector<rpc::ClearRow> clears;  // pending ones, oldest first
};

// What is absent keeps its default. Stops the process if a row cannot be read.
MachineCache LoadCache(const RowReader& rows);
// The parts that a view needs as well.
AppliedRow LoadApplied(const RowReader& rows);
rpc::CountersRow LoadCounters(const RowReader& rows);
// `counters`: what a bucket that has no row of its own yet is counted from. (Only "default" was without one once.)
rpc::BucketCountsRow LoadCounts(const RowReader& rows, BucketId bucket,
                                const rpc::CountersRow& counters);
std::vector<rpc::ClearRow> LoadClears(const RowReader& rows);
std::optional<ClusterId> LoadCluster(const RowReader& rows);

// Whether the replicas of the ACTIVE node are to be made anew elsewhere.
inline bool IsWithdrawn(const rpc::NodeRow& node) {
  return node.is_out() || node.departure() != rpc::STAYS;
}

// One entry while it is applied. Commands decide first and change rows and cache afterwards: nothing
// is ever taken back.
struct ApplyContext {
  RowOverlay* rows = nullptr;
  MachineCache* cache = nullptr;
  LogIndex index;
  Term term;  // of the entry
  std::uint64_t clear_count_max = kClearCountMax;

  [[nodiscard]] std::uint64_t log_time_us() const { return cache->applied.log_time_us; }
  // Whether this entry may change `more` rows beside those it changed already.
  [[nodiscard]] bool HasRoomFor(std::size_t more) const {
    return rows->changes().size() + cache->changed_counts.size() + more + kRowsReserved <=
           kRowsPerEntryMax;
  }
  // Also a removed one, whose trash is not purged yet.
  [[nodiscard]] const rpc::BucketRow* FindBucket(std::uint64_t id) const {
    const auto it = cache->buckets.find(BucketId(id));
    return it == cache->buckets.end() ? nullptr : &it->second;
  }
  // One that clients may use.
  [[nodiscard]] const rpc::BucketRow* FindOpenBucket(std::uint64_t id) const {
    const rpc::BucketRow* bucket = FindBucket(id);
    return bucket == nullptr || bucket->removed_index() != 0 ? nullptr : bucket;
  }
  // One in which entries of the log name files.
  [[nodiscard]] const rpc::BucketRow* FindQuorumBucket(std::uint64_t id) const {
    const rpc::BucketRow* bucket = FindOpenBucket(id);
    return bucket == nullptr || bucket->mode() == api::GOSSIP ? nullptr : bucket;
  }
  // To change; its row is written with the entry.
  [[nodiscard]] rpc::BucketCountsRow& CountsOf(std::uint64_t bucket) const {
    cache->changed_counts.insert(BucketId(bucket));
    return cache->counts[BucketId(bucket)];
  }
  [[nodiscard]] const rpc::NodeRow* FindNode(std::uint32_t id) const {
    const auto it = cache->nodes.find(NodeId(id));
    return it == cache->nodes.end() ? nullptr : &it->second;
  }
  // ACTIVE, and one that copies may be on.
  [[nodiscard]] bool IsActive(std::uint32_t id) const {
    const rpc::NodeRow* node = FindNode(id);
    return node != nullptr && node->state() == rpc::ACTIVE && HoldsReplicas(*node);
  }
  // ACTIVE, and to hold what it holds: neither OUT nor draining.
  [[nodiscard]] bool IsSettled(std::uint32_t id) const {
    return IsActive(id) && !IsWithdrawn(*FindNode(id));
  }
  // The acknowledgement's identity is the node's in the table now (invariant 3).
  [[nodiscard]] bool IsCurrent(const rpc::Ack& ack) const {
    const rpc::NodeRow* node = FindNode(ack.node_id());
    return IsActive(ack.node_id()) &&
           node->boot_epoch() == ack.boot_epoch() &&
           HashFromWire(node->storage_uuid()) == HashFromWire(ack.storage_uuid());
  }
};

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_MACHINE_CACHE_H_
