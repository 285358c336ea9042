// Decides whether a history of one register is linearizable (Herlihy and Wing 1990).
//
// If no two writes wrote the same value, none wrote 0, none is known to have replaced a certain value
// and none brought one back, by the zones of Gibbons and Korach ("Testing shared memories", 1997), in n log n; else by
// the search of Wing and Gong with the memory of Lowe ("Testing for linearizability", 2016).
//
// Exact: a history is refused if and only if no order of its operations explains it. A register is
// one key; registers are independent, so a store is checked key by key.
#ifndef DFS_TESTS_SUPPORT_LINEARIZABILITY_H_
#define DFS_TESTS_SUPPORT_LINEARIZABILITY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"

namespace dfs {

struct RegisterOperation {
  enum class Kind { kWrite, kRead };
  Kind kind = Kind::kRead;
  // What was written or read. 0 is the value of a register that was never written; a removal is a
  // write of 0.
  std::uint64_t value = 0;
  // When it was called and when it returned, on any clock that orders all events of the history:
  // what returned before another was called comes before it. No two events share a time.
  std::int64_t start = 0;
  std::int64_t end = 0;
  // A write that may have happened, may yet happen, or never will: `end` does not count. (A read
  // without an answer says nothing; leave it out.)
  bool is_outcome_unknown = false;
  int client = 0;  // for messages only
  // Of a write: the value that it replaced, if the writer was told. It can only happen over that.
  std::optional<std::uint64_t> over = std::nullopt;
  // Of a write: it brings `value` back (an undelete). It can only happen after a write of it that is none of these,
  // and while the register holds another value.
  bool brings_back = false;
};

// kFailedPrecondition if no order explains the history; the text shows where the search got stuck.
// kResourceExhausted if the search needed more than `steps_max` steps: its time is exponential in
// the number of operations that overlap at once. Prefer unique values.
absl::Status CheckLinearizable(std::vector<RegisterOperation> history,
                               std::int64_t steps_max = 20'000'000);

// The search alone, whatever the values are. For the tests of this file.
absl::Status SearchLinearization(std::vector<RegisterOperation> history,
                                 std::int64_t steps_max = 20'000'000);

}  // namespace dfs

#endif  // DFS_TESTS_SUPPORT_LINEARIZABILITY_H_
