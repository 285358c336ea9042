// Clients that put, overwrite and read while a test breaks things, and remember what they were told.
#ifndef DFS_TESTS_SUPPORT_WORKLOAD_H_
#define DFS_TESTS_SUPPORT_WORKLOAD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/file_client.h"
#include "common/executor.h"
#include "common/random.h"
#include "common/sync.h"
#include "tests/support/process_cluster.h"

namespace dfs::testing {

// Writers put new files of many sizes and overwrite one file each; readers read acknowledged files. What they see
// is compared at once: wrong bytes, a missing acknowledged file, or an overwritten file that shows anything
// else than the last acknowledged content (or one of unknown outcome after it) is a violation.
class Workload {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::string prefix;  // of all names; different workloads of one cluster need different ones
    int writers = 3;
    int readers = 2;
    // Most files are far smaller; one in sixteen has about this size.
    std::size_t big_bytes = std::size_t{8} << 20;
  };
  enum class Fate { kAcknowledged, kFailed, kUnknown };
  // One put of a name that is used once.
  struct Record {
    std::string name;
    std::uint64_t seed = 0;
    std::size_t size = 0;
    Fate fate = Fate::kUnknown;
    std::string error;
  };

  Workload(ProcessCluster& cluster, const Options& options);
  ~Workload();  // Stop()

  // Waits until `puts` more puts have been acknowledged and `gets` more reads have been right.
  [[nodiscard]] absl::Status AwaitProgress(int puts, int gets, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets the running operations end. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] std::vector<Record> Records() const ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::vector<std::string> Violations() const ABSL_LOCKS_EXCLUDED(mutex_);
  // "123 puts acknowledged, 0 failed, 1 unknown; 456 reads right, 2 failed; longest pause 312 ms".
  [[nodiscard]] std::string Summary() const ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] int Count(Fate fate) const ABSL_LOCKS_EXCLUDED(mutex_);

  // After Stop: asks each of the nodes, with strong reads, for every file that was ever put. Acknowledged ones must
  // be there with the bytes sent, failed ones must not be there, unknown ones either way, but alike at all nodes.
  [[nodiscard]] absl::Status Verify(const std::vector<int>& nodes);

 private:
  void Write(int writer) ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadBack(int reader) ABSL_LOCKS_EXCLUDED(mutex_);
  void PutNew(client::FileClient& client, Random& random, int writer, int number)
      ABSL_LOCKS_EXCLUDED(mutex_);
  struct Overwritten;
  void Overwrite(client::FileClient& client, client::FileClient& other, int writer, int number,
                 Overwritten& file) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordAcknowledged() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddViolation(std::string text) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::vector<std::string> EndpointsFrom(int first) const;

  ProcessCluster& cluster_;
  const Options options_;
  const std::vector<std::string> endpoints_;
  std::atomic<bool> is_stopping_ = false;

  mutable Mutex mutex_;
  CondVar progressed_;
  std::vector<Record> records_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::size_t> acknowledged_ ABSL_GUARDED_BY(mutex_);  // indexes into records_
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mutex_);
  int puts_ ABSL_GUARDED_BY(mutex_) = 0;  // acknowledged, overwrites too
  int gets_ ABSL_GUARDED_BY(mutex_) = 0;
  int failed_gets_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_put_ ABSL_GUARDED_BY(mutex_);
  absl::Duration longest_pause_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<ThreadPool> threads_;  // last: its threads use the rest
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_WORKLOAD_H_
