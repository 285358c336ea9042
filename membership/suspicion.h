// How long a suspect has to refute.
#ifndef DFS_MEMBERSHIP_SUSPICION_H_
#define DFS_MEMBERSHIP_SUSPICION_H_

#include <cstddef>

#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::membership {

// The window shrinks as independent observers confirm (Lifeguard):
// max - (max - min) * log(c + 1) / log(k + 1), c confirmations of k expected, never below min; min at once if
// nobody can confirm. Pure.
class Suspicion {
 public:
  Suspicion(MonotonicTime started, absl::Duration min, absl::Duration max,
            std::size_t expected_confirmations);

  // `confirmations`: observers beyond the first.
  [[nodiscard]] MonotonicTime Deadline(std::size_t confirmations) const;
  [[nodiscard]] MonotonicTime started() const { return started_; }
  // The evidence so far is stale: the window begins again.
  void Restart(MonotonicTime now) { started_ = now; }

 private:
  MonotonicTime started_;
  absl::Duration min_;
  absl::Duration max_;
  std::size_t expected_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_SUSPICION_H_
