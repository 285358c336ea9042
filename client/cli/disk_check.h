// Measures what a disk takes to make bytes durable: what every put and every vote waits for.
#ifndef DFS_CLIENT_CLI_DISK_CHECK_H_
#define DFS_CLIENT_CLI_DISK_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/latencies.h"
#include "common/clock.h"
#include "common/disk.h"

namespace dfs::client::cli {

// Beyond this a disk is too slow for a node: each put waits for a sync on two nodes and for one of the log, and etcd's rule of
// thumb for a replicated log is the same (its documentation, "hardware").
inline constexpr absl::Duration kSyncP99Max = absl::Milliseconds(10);

struct DiskCheckOptions {
  // One after another, each written behind the last one and synced, as a log does.
  int syncs = 500;
  std::size_t sync_bytes = 4'096;
  std::uint64_t stream_bytes = std::uint64_t{256} << 20;  // then written in one go, with one sync at the end
  absl::Duration time_max = absl::Seconds(10);            // of each of the two; what is done by then counts
};

struct DiskCheckResult {
  Latencies syncs;
  std::uint64_t stream_bytes = 0;
  absl::Duration stream_time;
  std::uint64_t free_bytes = 0;

  [[nodiscard]] bool is_fast_enough() const { return syncs.Quantile(0.99) <= kSyncP99Max; }
};

// In a file `path` of its own, which must not exist and is gone afterwards, whatever happens. Blocks on the disk. Errors are those
// of Disk; kResourceExhausted also if there is no room for twice the file, before anything was written.
absl::StatusOr<DiskCheckResult> CheckDisk(Disk& disk, const Clock& clock, const std::string& path,
                                          const DiskCheckOptions& options);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_DISK_CHECK_H_
