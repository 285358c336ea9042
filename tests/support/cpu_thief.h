// Takes CPU time from processes as a hypervisor does that gives it to others: in slices, without a word.
#ifndef DFS_TESTS_SUPPORT_CPU_THIEF_H_
#define DFS_TESTS_SUPPORT_CPU_THIEF_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/random.h"
#include "common/sync.h"

namespace dfs::testing {

// Stops each process (SIGSTOP) for a moment and lets it go on, for ever and independently of the others. They must outlive
// this; at the end they run. Thread-safe.
class CpuThief {
 public:
  struct Options {
    std::uint64_t seed = 1;
    // A process runs and stands for times that are uniform from 0 to twice these.
    absl::Duration run_mean = absl::Milliseconds(70);
    absl::Duration stolen_mean = absl::Milliseconds(30);
    // And beside that it stands for so long, so often.
    absl::Duration pause = absl::Milliseconds(200);
    absl::Duration pause_every = absl::Seconds(10);
  };
  struct Totals {
    absl::Duration stolen;  // of all processes together
    int slices = 0;
    int pauses = 0;
    absl::Duration longest;
  };

  CpuThief(std::vector<pid_t> processes, const Options& options);
  ~CpuThief();  // Stop()

  // Lets all go on. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] Totals totals() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Victim {
    pid_t process = 0;
    MonotonicTime next_pause;
    MonotonicTime stopped;
  };

  // Each posts the other; on the executor.
  void StopOne(std::size_t victim) ABSL_LOCKS_EXCLUDED(mutex_);
  void Continue(std::size_t victim) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Around(absl::Duration mean);

  const Options options_;
  std::vector<Victim> victims_;  // on the executor
  Random random_;                // on the executor
  mutable Mutex mutex_;
  Totals totals_ ABSL_GUARDED_BY(mutex_);
  ThreadExecutor executor_;  // last: its thread uses the rest
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_CPU_THIEF_H_
