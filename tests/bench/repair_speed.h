// How fast the copies of a lost node are made anew, and what clients feel of it.
#ifndef DFS_TESTS_BENCH_REPAIR_SPEED_H_
#define DFS_TESTS_BENCH_REPAIR_SPEED_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/load.h"

namespace dfs::bench {

struct RepairOptions {
  std::uint64_t file_bytes = 100'000'000;
  int files = 50;                                 // all of them are lost on one node, and a copy of each is made anew
  std::uint64_t get_bytes = 104'829;
  int get_clients = 4;
  absl::Duration get_time = absl::Seconds(10);    // of each of the two rounds of gets
};

struct RepairSpeed {
  // No client at work: from the word that the node is gone for good until all copies are there.
  std::uint64_t bytes_lost = 0;
  absl::Duration elapsed;
  // A file written to three places at once and synced, in the same folder, before and after: bytes of the file a second.
  // The disk takes three times that.
  double raw_bytes_per_s = 0;
  // The same gets of the same files with nothing to repair, and while another node's copies are made anew.
  client::LoadResult gets_alone;
  client::LoadResult gets_beside;
  double beside_bytes_per_s = 0;   // made meanwhile
  bool has_lasted = false;         // repair was under way, under one leader, until the gets ended
  [[nodiscard]] double bytes_per_s() const {
    return static_cast<double>(bytes_lost) / absl::ToDoubleSeconds(elapsed);
  }
};

// Starts nodes of its own: three that hold all, and one empty one for each that is killed and forgotten. Needs disk for
// four times files * file_bytes.
absl::StatusOr<RepairSpeed> MeasureRepair(const RepairOptions& options);

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_REPAIR_SPEED_H_
