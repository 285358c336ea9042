#include "tests/support/cpu_thief.h"

#include <signal.h>

#include <algorithm>

namespace dfs::testing {

CpuThief::CpuThief(std::vector<pid_t> processes, const Options& options)
    : options_(options), random_(options.seed), executor_("thief") {
  const MonotonicTime now = SystemClock().Now();
  for (const pid_t process : processes) {
    victims_.push_back({.process = process, .next_pause = now + Around(options_.pause_every / 2), .stopped = now});
  }
  for (std::size_t i = 0; i < victims_.size(); ++i) {
    executor_.PostAt(now + Around(options_.run_mean), [this, i] { StopOne(i); });
  }
}

CpuThief::~CpuThief() { Stop(); }

void CpuThief::Stop() {
  executor_.Stop();
  for (const Victim& victim : victims_) kill(victim.process, SIGCONT);
}

CpuThief::Totals CpuThief::totals() const {
  MutexLock lock(&mutex_);
  return totals_;
}

absl::Duration CpuThief::Around(absl::Duration mean) {
  return absl::Microseconds(random_.Between(0, 2 * absl::ToInt64Microseconds(mean)));
}

void CpuThief::StopOne(std::size_t victim) {
  Victim& it = victims_[victim];
  kill(it.process, SIGSTOP);
  it.stopped = SystemClock().Now();
  absl::Duration stands = Around(options_.stolen_mean);
  if (it.stopped >= it.next_pause) {
    it.next_pause += options_.pause_every;
    stands = std::max(stands, options_.pause);
    MutexLock lock(&mutex_);
    ++totals_.pauses;
  }
  executor_.PostAt(it.stopped + stands, [this, victim] { Continue(victim); });
}

void CpuThief::Continue(std::size_t victim) {
  Victim& it = victims_[victim];
  kill(it.process, SIGCONT);
  const MonotonicTime now = SystemClock().Now();
  {
    MutexLock lock(&mutex_);
    ++totals_.slices;
    totals_.stolen += now - it.stopped;
    totals_.longest = std::max(totals_.longest, now - it.stopped);
  }
  executor_.PostAt(now + Around(options_.run_mean), [this, victim] { StopOne(victim); });
}

}  // namespace dfs::testing
