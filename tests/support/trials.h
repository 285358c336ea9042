// How often a test of the same path with other values repeats itself.
#ifndef DFS_TESTS_SUPPORT_TRIALS_H_
#define DFS_TESTS_SUPPORT_TRIALS_H_

#include <algorithm>
#include <cstdlib>

#include "tests/support/sanitizers.h"

namespace dfs::testing {

#if defined(DFS_HAS_ADDRESS_SANITIZER) || defined(DFS_HAS_THREAD_SANITIZER)
inline constexpr int kTrialsDivisor = 4;
#else
inline constexpr int kTrialsDivisor = 1;
#endif

// `full`; under a sanitizer a quarter of it, for the values were tried without one and the paths are the same. With
// DFS_TEST_NIGHTLY always `full`.
inline int Trials(int full) {
  return std::getenv("DFS_TEST_NIGHTLY") != nullptr ? full : std::max(1, full / kTrialsDivisor);
}

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_TRIALS_H_
