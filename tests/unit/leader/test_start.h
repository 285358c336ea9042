// When time begins in tests that are told it.
#ifndef DFS_TESTS_UNIT_LEADER_TEST_START_H_
#define DFS_TESTS_UNIT_LEADER_TEST_START_H_

#include "common/clock.h"

namespace dfs::leader {

inline const MonotonicTime kStart = absl::FromUnixSeconds(1'000'000);

}  // namespace dfs::leader

#endif  // DFS_TESTS_UNIT_LEADER_TEST_START_H_
