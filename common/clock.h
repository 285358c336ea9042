// The only door to the machine's clocks.
#ifndef DFS_COMMON_CLOCK_H_
#define DFS_COMMON_CLOCK_H_

#include "absl/time/time.h"

namespace dfs {

// A point on a clock that never goes back and that wall-clock changes do not move
// (CLOCK_BOOTTIME: it also runs while the machine sleeps). Its origin means nothing: compare and
// subtract only, within one process.
using MonotonicTime = absl::Time;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonotonicTime Now() const = 0;
  // What people call the time; may jump in both directions. Never decides about safety.
  [[nodiscard]] virtual absl::Time WallNow() const = 0;
};

// The machine's own clocks. Lives for ever.
const Clock& SystemClock();

}  // namespace dfs

#endif  // DFS_COMMON_CLOCK_H_
