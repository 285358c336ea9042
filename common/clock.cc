#include "common/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace dfs {
namespace {

class RealClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override {
    timespec ts{};
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return absl::TimeFromTimespec(ts);
  }
  [[nodiscard]] absl::Time WallNow() const override { return absl::Now(); }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock* const clock = new RealClock;
  return *clock;
}

}  // namespace dfs
