// What TLS costs: the same work at a cluster in plaintext and at one under TLS, in turn.
#ifndef DFS_TESTS_BENCH_TLS_COST_H_
#define DFS_TESTS_BENCH_TLS_COST_H_

#include "tests/bench/report.h"

namespace dfs::bench {

// Starts two clusters of three nodes. Each row's raw value is that of plaintext.
void MeasureTlsCost(Report& report, bool is_quick);

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_TLS_COST_H_
