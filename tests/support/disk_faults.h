// Disks of real processes that hang or fail, by a preloaded library (disk_fault_preload.cc).
#ifndef DFS_TESTS_SUPPORT_DISK_FAULTS_H_
#define DFS_TESTS_SUPPORT_DISK_FAULTS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace dfs::testing {

struct DiskFault {
  // open read write sync sync_range truncate allocate rename unlink. "sync" is fsync and fdatasync.
  std::string op;
  // What the paths of the files begin with, absolute.
  std::string path;
  int error = 0;              // an errno; 0: the call is carried out, after the delay
  absl::Duration delay;       // ends early when the faults of the process are set anew
  int count = -1;             // how many calls meet it; -1: all
};

// The disks of a set of processes, told apart by a number. Not thread-safe.
//
// Not under AddressSanitizer, whose own library must be loaded first.
class DiskFaults {
 public:
  // For the process `n`: what it must be started with (ProcessCluster::Options::environment).
  [[nodiscard]] Environment EnvironmentOf(int n) const;
  // From the next call on the process meets these faults and no others. Calls that hang go on at once.
  void Set(int n, const std::vector<DiskFault>& faults);
  void Clear(int n) { Set(n, {}); }
  // How many calls of the process have met a fault with this op so far.
  [[nodiscard]] int Met(int n, const std::string& op) const;

 private:
  [[nodiscard]] std::string ControlFile(int n) const;

  const TemporaryFolder folder_;
  int written_ = 0;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_DISK_FAULTS_H_
