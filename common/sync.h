// Locks that both checkers understand: clang's thread-safety analysis at compile time and
// ThreadSanitizer at run time. (The distribution's Abseil is not instrumented, so a correct
// program with absl::Mutex is reported as racy; these wrap the standard library's locks.)
#ifndef DFS_COMMON_SYNC_H_
#define DFS_COMMON_SYNC_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace dfs {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// Wait only in a loop that checks its condition: wake-ups may be spurious.
class CondVar {
 public:
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns false if `timeout` passed first.
  bool WaitFor(Mutex* mutex, absl::Duration timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    // A bound keeps the addition inside wait_for from overflowing.
    const absl::Duration bounded = std::min(timeout, absl::Hours(24 * 365));
    const bool in_time =
        condition_.wait_for(lock, absl::ToChronoNanoseconds(bounded)) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void Signal() { condition_.notify_one(); }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// Set once, by anyone; waited for by any number of threads.
class Event {
 public:
  void Set() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    is_set_ = true;
    condition_.SignalAll();
  }
  [[nodiscard]] bool IsSet() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return is_set_;
  }
  void Wait() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (!is_set_) condition_.Wait(&mutex_);
  }
  // Returns whether the event was set before `timeout` passed.
  bool WaitFor(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto end = std::chrono::steady_clock::now() +
                     absl::ToChronoNanoseconds(std::min(timeout, absl::Hours(24 * 365)));
    MutexLock lock(&mutex_);
    while (!is_set_) {
      const auto left = end - std::chrono::steady_clock::now();
      if (left <= left.zero()) return false;
      condition_.WaitFor(&mutex_, absl::FromChrono(left));
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar condition_;
  bool is_set_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace dfs

#endif  // DFS_COMMON_SYNC_H_
