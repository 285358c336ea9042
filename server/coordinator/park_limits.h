// Bounds and counts of ParkedPuts, for those who configure and show them.
#ifndef DFS_SERVER_COORDINATOR_PARK_LIMITS_H_
#define DFS_SERVER_COORDINATOR_PARK_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace dfs::coordinator {

struct ParkLimits {
  // Replicas and the collection of garbage (rule R18) wait longer than that for a put that is silent.
  static constexpr absl::Duration kWindowMax = absl::Minutes(5);

  // How long a put is kept after its stream broke. 0: none is. At most kWindowMax.
  absl::Duration window = absl::Seconds(60);
  // Of one node. Each parked put holds one stream to each of its replicas, which take 64 from all nodes together.
  std::size_t puts_max = 8;
  // In memory, for replicas that lag; of all parked puts together.
  std::size_t queued_bytes_max = std::size_t{64} << 20;
};

struct ParkCounts {
  std::size_t parked = 0;           // now
  std::uint64_t resumed = 0;        // ever; one put may be several times
  std::uint64_t resumed_bytes = 0;  // that were not sent again
  std::uint64_t expired = 0;        // their time was over
  std::uint64_t displaced = 0;      // a limit was reached
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_PARK_LIMITS_H_
