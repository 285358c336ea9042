// How long clients wait when the leader dies or hangs, and what idle nodes cost.
#ifndef DFS_TESTS_BENCH_NODE_FAULTS_H_
#define DFS_TESTS_BENCH_NODE_FAULTS_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/latencies.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {

enum class Fault { kKill, kPause };

// While one client puts 4 KiB files one after another, the leader is killed (kill -9) or stopped (SIGSTOP). A sample is
// the longest pause between acknowledged puts from the fault on. Afterwards the node is brought back and all three are
// members again.
absl::StatusOr<client::Latencies> PausesAfter(Fault fault, testing::ProcessCluster& cluster, int times);

struct IdleCost {
  double pss_mb = 0;       // of all nodes, at the end
  double cpu_percent = 0;  // of one core, all nodes together
};
IdleCost MeasureIdle(const testing::ProcessCluster& cluster, absl::Duration time);
// Proportional set size of all nodes now.
double PssMb(const testing::ProcessCluster& cluster);

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_NODE_FAULTS_H_
