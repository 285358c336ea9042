// How often a test of the same path with other values repeats itself.
#ifndef DFS_TESTS_SUPPORT_TRIALS_H_
#define DFS_TESTS_SUPPORT_TRIALS_H_

#include <algorithm>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DFS_TRIALS_DIVISOR 4
#endif
#endif
#ifndef DFS_TRIALS_DIVISOR
#define DFS_TRIALS_DIVISOR 1
#endif

namespace dfs::testing {

// `full`; under a sanitizer a quarter of it, for the values were tried without one and the paths are the same. With
// DFS_TEST_NIGHTLY always `full`.
inline int Trials(int full) {
  return std::getenv("DFS_TEST_NIGHTLY") != nullptr ? full : std::max(1, full / DFS_TRIALS_DIVISOR);
}

}  // namespace dfs::testing

#undef DFS_TRIALS_DIVISOR

#endif  // DFS_TESTS_SUPPORT_TRIALS_H_
