#ifndef DFS_TESTS_MODEL_CONFIGURATIONS_H_
#define DFS_TESTS_MODEL_CONFIGURATIONS_H_

#include <vector>

#include "tests/model/protocol.h"

namespace dfs::model {

// What is explored: each has a part of the protocol in full, and a bound. `is_large`: with larger
// bounds.
[[nodiscard]] std::vector<Configuration> AllConfigurations(bool is_large);

}  // namespace dfs::model

#endif  // DFS_TESTS_MODEL_CONFIGURATIONS_H_
