// What it gains that a client on a replica's machine takes over open chunk files, and what a put spends on its way.
#ifndef DFS_TESTS_BENCH_HANDOVER_GAIN_H_
#define DFS_TESTS_BENCH_HANDOVER_GAIN_H_

#include "tests/bench/report.h"

namespace dfs::bench {

// Starts a cluster of three nodes that hand files over. Gets of 100 MB beside mapping and summing the very chunk files, and
// beside gets through gRPC, in the same rounds; then the processor time of puts by process, which depends little on what else
// the machine does.
void MeasureHandover(Report& report, bool is_quick);

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_HANDOVER_GAIN_H_
