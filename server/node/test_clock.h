// A clock on the wall that is wrong on purpose: `dfs-server --test-clock-offset`.
#ifndef DFS_SERVER_NODE_TEST_CLOCK_H_
#define DFS_SERVER_NODE_TEST_CLOCK_H_

#include <glog/logging.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::node {

// The machine's clocks, the one on the wall so far ahead. Thread-safe.
class TestClock final : public Clock {
 public:
  explicit TestClock(absl::Duration offset) : offset_(offset) {
    LOG_IF(WARNING, offset != absl::ZeroDuration()) << "TEST: this node " << Describe() << " on purpose";
  }
  [[nodiscard]] MonotonicTime Now() const override { return SystemClock().Now(); }
  [[nodiscard]] absl::Time WallNow() const override { return SystemClock().WallNow() + offset_; }
  // For status; empty if it is right.
  [[nodiscard]] std::string Describe() const {
    if (offset_ == absl::ZeroDuration()) return "";
    return absl::StrCat("has a clock that is wrong by ", absl::FormatDuration(offset_));
  }

 private:
  const absl::Duration offset_;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_TEST_CLOCK_H_
