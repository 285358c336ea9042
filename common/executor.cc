#include "common/executor.h"

#include <pthread.h>

#include <optional>

namespace dfs {
namespace {

void NameThisThread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

ThreadExecutor::ThreadExecutor(std::string name, const Clock& clock)
    : name_(std::move(name)), clock_(clock), thread_([this] { Run(); }) {}

ThreadExecutor::~ThreadExecutor() { Stop(); }

void ThreadExecutor::Post(Task task) {
  MutexLock lock(&mutex_);
  if (is_stopping_) return;
  queue_.push_back(std::move(task));
  wake_.Signal();
}

void ThreadExecutor::PostAt(MonotonicTime when, Task task) {
  MutexLock lock(&mutex_);
  if (is_stopping_) return;
  timers_.emplace(std::pair{when, next_timer_++}, std::move(task));
  wake_.Signal();
}

void ThreadExecutor::Stop() {
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    wake_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  // What is dropped may own things whose destructors post again: do it outside the lock.
  std::deque<Task> queue;
  std::map<std::pair<MonotonicTime, std::uint64_t>, Task> timers;
  MutexLock lock(&mutex_);
  queue.swap(queue_);
  timers.swap(timers_);
}

void ThreadExecutor::Run() {
  NameThisThread(name_);
  while (true) {
    std::optional<Task> task;
    {
      MutexLock lock(&mutex_);
      while (!task) {
        if (is_stopping_) return;
        // Due timers go first, so that a full queue cannot hold up a heartbeat.
        const MonotonicTime now = timers_.empty() ? absl::InfinitePast() : clock_.Now();
        if (!timers_.empty() && timers_.begin()->first.first <= now) {
          task = std::move(timers_.begin()->second);
          timers_.erase(timers_.begin());
        } else if (!queue_.empty()) {
          task = std::move(queue_.front());
          queue_.pop_front();
        } else if (timers_.empty()) {
          wake_.Wait(&mutex_);
        } else {
          wake_.WaitFor(&mutex_, timers_.begin()->first.first - now);
        }
      }
    }
    (*task)();
  }
}

ThreadPool::ThreadPool(std::string name, std::size_t threads_max)
    : name_(std::move(name)), threads_max_(threads_max) {}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Post(Task task) {
  MutexLock lock(&mutex_);
  if (is_stopping_) return;
  queue_.push_back(std::move(task));
  if (queue_.size() > idle_ && threads_.size() < threads_max_) {
    threads_.emplace_back([this] { Run(); });
  } else {
    wake_.Signal();
  }
}

void ThreadPool::Stop() {
  std::vector<std::jthread> threads;
  std::deque<Task> queue;
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    threads.swap(threads_);
    queue.swap(queue_);
    wake_.SignalAll();
  }
  for (auto& thread : threads) thread.join();
}

void ThreadPool::Run() {
  NameThisThread(name_);
  while (true) {
    std::optional<Task> task;
    {
      MutexLock lock(&mutex_);
      ++idle_;
      while (queue_.empty() && !is_stopping_) wake_.Wait(&mutex_);
      --idle_;
      if (is_stopping_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    (*task)();
  }
}

}  // namespace dfs
