// What somebody waits who types `dfs-cli ls`.
#ifndef DFS_TESTS_BENCH_LIST_SPEED_H_
#define DFS_TESTS_BENCH_LIST_SPEED_H_

#include "tests/bench/report.h"

namespace dfs::bench {

// Starts a cluster of three nodes, puts 100,000 empty files (quick: 5,000) and lists them with dfs-cli: from the program's start to
// the first line, and to the end. Beside it, in the same rounds, a program that only starts, and a page over HTTP.
void MeasureList(Report& report, bool is_quick);

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_LIST_SPEED_H_
