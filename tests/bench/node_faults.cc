#include "tests/bench/node_faults.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/status_macros.h"
#include "common/sync.h"
#include "tests/support/file_checks.h"

namespace dfs::bench {
namespace {

constexpr int kPutsBefore = 20;
constexpr int kPutsAfter = 20;
constexpr absl::Duration kPutsTimeout = absl::Seconds(60);

// Puts small files until it is stopped, and notes when each was acknowledged.
class Writer {
 public:
  explicit Writer(const std::vector<std::string>& endpoints) : client_(endpoints), thread_("writer", 1) {
    thread_.Post([this] { Run(); });
  }
  ~Writer() {
    is_stopping_ = true;
    thread_.Stop();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Waits for `count` more acknowledgements.
  absl::Status Await(int count) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MonotonicTime end = SystemClock().Now() + kPutsTimeout;
    MutexLock lock(&mutex_);
    const std::size_t wanted = acknowledged_.size() + static_cast<std::size_t>(count);
    while (acknowledged_.size() < wanted) {
      const absl::Duration left = end - SystemClock().Now();
      if (left <= absl::ZeroDuration()) return absl::UnavailableError("no puts any more: " + error_);
      more_.WaitFor(&mutex_, left);
    }
    return absl::OkStatus();
  }
  // The longest time without an acknowledgement since `from`.
  absl::Duration LongestPauseSince(MonotonicTime from) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    absl::Duration longest;
    MonotonicTime last = from;
    for (const MonotonicTime time : acknowledged_) {
      if (time < from) continue;
      longest = std::max(longest, time - last);
      last = time;
    }
    return longest;
  }

 private:
  void Run() {
    for (int i = 0; !is_stopping_; ++i) {
      const absl::Status status =
          testing::Put(client_, "faults/" + std::to_string(i % 100), std::string(4'096, 'f'));
      MutexLock lock(&mutex_);
      if (status.ok()) {
        acknowledged_.push_back(SystemClock().Now());
      } else {
        error_ = status.ToString();
      }
      more_.SignalAll();
    }
  }

  client::FileClient client_;
  std::atomic<bool> is_stopping_ = false;
  Mutex mutex_;
  CondVar more_;
  std::vector<MonotonicTime> acknowledged_ ABSL_GUARDED_BY(mutex_);
  std::string error_ ABSL_GUARDED_BY(mutex_);
  ThreadPool thread_;  // last: it uses the rest
};

// The value of a line "Name:   123 kB" in kB.
double FieldOf(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

// User and system time of a process so far.
absl::Duration CpuTimeOf(pid_t pid) {
  const std::string stat = testing::ReadFile("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state to cmajflt
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return absl::Seconds((user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

absl::Duration CpuTime(const testing::ProcessCluster& cluster) {
  absl::Duration total;
  for (const int n : cluster.Running()) total += CpuTimeOf(cluster.PidOf(n));
  return total;
}

}  // namespace

absl::StatusOr<client::Latencies> PausesAfter(Fault fault, testing::ProcessCluster& cluster, int times) {
  client::Latencies samples;
  const std::vector<int> all = cluster.Running();
  Writer writer(cluster.Endpoints());
  for (int i = 0; i < times; ++i) {
    DFS_RETURN_IF_ERROR(writer.Await(kPutsBefore));
    DFS_ASSIGN_OR_RETURN(const int leader, cluster.Leader());
    const MonotonicTime start = SystemClock().Now();
    if (fault == Fault::kKill) {
      cluster.Kill(leader);
    } else {
      cluster.Pause(leader);
    }
    DFS_RETURN_IF_ERROR(writer.Await(kPutsAfter));
    samples.Add(writer.LongestPauseSince(start));
    if (fault == Fault::kKill) {
      cluster.Start(leader);
    } else {
      cluster.Resume(leader);
    }
    DFS_RETURN_IF_ERROR(cluster.WaitReady(all));
  }
  return samples;
}

IdleCost MeasureIdle(const testing::ProcessCluster& cluster, absl::Duration time) {
  Event never;
  const absl::Duration cpu_before = CpuTime(cluster);
  const MonotonicTime start = SystemClock().Now();
  never.WaitFor(time);
  const absl::Duration elapsed = SystemClock().Now() - start;
  IdleCost cost;
  cost.cpu_percent = 100 * absl::FDivDuration(CpuTime(cluster) - cpu_before, elapsed);
  cost.pss_mb = PssMb(cluster);
  return cost;
}

double PssMb(const testing::ProcessCluster& cluster) {
  double kilobytes = 0;
  for (const int n : cluster.Running()) {
    kilobytes += FieldOf(
        testing::ReadFile("/proc/" + std::to_string(cluster.PidOf(n)) + "/smaps_rollup"), "Pss");
  }
  return kilobytes * 1'024 / 1e6;
}

}  // namespace dfs::bench
