// Members as the ring sees them. Pure data.
#ifndef DFS_MEMBERSHIP_MEMBER_H_
#define DFS_MEMBERSHIP_MEMBER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/ids.h"

namespace dfs::membership {

enum class LivenessState {
  kUnknown,  // a member of which nothing was ever heard
  kAlive,
  kSuspect,
  kDead,     // changes routing only; it may refute at any time
};

struct MemberAddress {
  NodeId node;
  StorageUuid storage_uuid;
  std::string peer_address;
};

struct NodeHealth {
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  absl::Duration fsync_p99;
  absl::Duration disk_probe_age;  // since the last try of the disk that ended well began
  std::uint32_t load_percent = 0;
  std::uint64_t applied_index = 0;
  std::uint32_t local_health = 0;  // Lifeguard's multiplier, 0 (well) to 8
  std::uint64_t corrupt_chunks = 0;       // found damaged or gone, not healed yet
  std::uint64_t quarantined_objects = 0;
  std::uint64_t withheld_bytes = 0;       // garbage that waits for an operator's word (rule R20)
  std::int64_t certificate_not_after_s = 0;  // since 1970; 0: no TLS
  std::int64_t gossip_clock_ms = 0;          // to be added to its clock, or to the times it gave, to get the median of its peers
  std::uint64_t gossip_tombstone_s = 0;      // age of its oldest tombstone of gossip buckets
  bool has_handed_gossip_over = false;       // it is to leave, and another member has all of its gossip buckets
  std::uint64_t gossip_alone = 0;            // names of gossip buckets that were written there and that no other is known to have
};

// A disk that is tried twice a second and has not ended a try for so long hangs. No evidence against the node: its heartbeats
// do not touch the disk.
inline constexpr absl::Duration kSlowDiskAfter = absl::Milliseconds(1'500);
inline bool HasSlowDisk(const NodeHealth& health) {
  return health.disk_probe_age >= kSlowDiskAfter;
}

struct RingOptions {
  NodeId self;
  BootEpoch boot_epoch;
  absl::Duration heartbeat_interval = absl::Milliseconds(100);
  absl::Duration suspect_after_min = absl::Milliseconds(250);
  double suspect_phi = 8;
  absl::Duration probe_timeout = absl::Milliseconds(100);
  absl::Duration dead_after_min = absl::Milliseconds(200);
  absl::Duration dead_after_max = absl::Milliseconds(400);
  absl::Duration gossip_interval = absl::Milliseconds(100);
  absl::Duration full_exchange_interval = absl::Seconds(10);
  std::size_t gossip_fanout = 3;
  std::uint64_t random_seed = 0;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_MEMBER_H_
