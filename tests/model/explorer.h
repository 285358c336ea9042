// Visits every state that can be reached, nearest first.
#ifndef DFS_TESTS_MODEL_EXPLORER_H_
#define DFS_TESTS_MODEL_EXPLORER_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "tests/model/protocol.h"

namespace dfs::model {

struct Exploration {
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::size_t depth = 0;             // layers that were expanded
  bool is_complete = false;          // no state within the configuration's bounds was left out
  std::set<std::string_view> steps;  // kinds of steps that were taken
  std::string violation;             // empty: none
  std::string transcript;            // the shortest way to it, a step a line
};

// Stops at the first violation, and at `states_max` (then it is not complete).
//
// States that differ only in the numbers of nodes count as one: no step prefers a node. Visited
// states are known by 128 bits of hash (5e24 pairs of a billion states would have to be tried for
// an even chance of one collision).
[[nodiscard]] Exploration Explore(const Protocol& protocol, std::uint64_t states_max);

}  // namespace dfs::model

#endif  // DFS_TESTS_MODEL_EXPLORER_H_
