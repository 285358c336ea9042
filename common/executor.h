// Where work runs. Threads of this system start here and in server/node/main.cc only.
#ifndef DFS_COMMON_EXECUTOR_H_
#define DFS_COMMON_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/sync.h"

namespace dfs {

using Task = absl::AnyInvocable<void()>;

// Runs tasks one after another, in the order of Post, never two at once. A host of a core lives
// on one of these and so mostly needs no lock. Thread-safe; never blocks the caller.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `task` soon. After Stop: destroys it without running it.
  virtual void Post(Task task) = 0;
  // Runs `task` at `when` on Clock::Now() or a little later. Tasks of equal time run in the order of posting.
  virtual void PostAt(MonotonicTime when, Task task) = 0;
};

// An Executor on one thread of its own. Lengths of queues are bounded by those who post: each
// names its own limit.
class ThreadExecutor final : public Executor {
 public:
  // `name` (15 bytes at most are used) shows in top -H and in gdb.
  explicit ThreadExecutor(std::string name, const Clock& clock = SystemClock());
  ~ThreadExecutor() override;  // Stop()

  void Post(Task task) override ABSL_LOCKS_EXCLUDED(mutex_);
  void PostAt(MonotonicTime when, Task task) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets the running task end, drops the others, joins the thread. Idempotent. Not from a task.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string name_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar wake_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<MonotonicTime, std::uint64_t>, Task> timers_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;
};

// Up to `threads_max` threads, started when needed and kept, that take tasks from one queue. For
// work that blocks (disk, synchronous RPCs). A task must not wait for another task of the same
// pool that may still be queued.
class ThreadPool final {
 public:
  ThreadPool(std::string name, std::size_t threads_max);
  ~ThreadPool();  // Stop()
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // After Stop: destroys `task` without running it.
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets running tasks end, drops the queued ones, joins. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string name_;
  const std::size_t threads_max_;
  Mutex mutex_;
  CondVar wake_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs

#endif  // DFS_COMMON_EXECUTOR_H_
