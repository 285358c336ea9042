// The doors of the real code to the machine, in the simulation's binary (linked with --wrap, CMakeLists.txt): threads,
// locks, clocks and randomness come from the FiberScheduler. Outside of FiberScheduler::Run there is one thread: locks
// are free then, and clocks are the machine's.
#include <glog/logging.h>
#include <pthread.h>
#include <sys/types.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/time/time.h"
#include "tests/simulation/system/fiber_scheduler.h"

using dfs::simulation::FiberScheduler;

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t NsOf(const timespec& time) { return time.tv_sec * kNsPerSecond + time.tv_nsec; }

}  // namespace

extern "C" {

int __real_clock_gettime(clockid_t clock, timespec* out);
ssize_t __real_getrandom(void* out, size_t bytes, unsigned flags);
int __real_pthread_mutex_lock(pthread_mutex_t* mutex);
int __real_pthread_mutex_trylock(pthread_mutex_t* mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t* mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler == nullptr) return 0;
  scheduler->LockMutex(mutex);
  return 0;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t* mutex) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  return scheduler == nullptr || scheduler->TryLockMutex(mutex) ? 0 : EBUSY;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t* mutex) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler != nullptr) scheduler->UnlockMutex(mutex);
  return 0;
}

int __wrap_pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  clockid_t clock, const timespec* deadline) {
  CHECK_EQ(clock, CLOCK_MONOTONIC);
  FiberScheduler* const scheduler = FiberScheduler::Current();
  CHECK(scheduler != nullptr) << "nobody could end this wait";
  return scheduler->WaitCondition(condition, mutex, NsOf(*deadline)) ? 0 : ETIMEDOUT;
}

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(
    std::condition_variable* condition, std::unique_lock<std::mutex>* lock) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  CHECK(scheduler != nullptr) << "nobody could end this wait";
  scheduler->WaitCondition(condition, lock->mutex(), -1);
}

void __wrap__ZNSt18condition_variable10notify_oneEv(std::condition_variable* condition) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler != nullptr) scheduler->NotifyCondition(condition, false);
}

void __wrap__ZNSt18condition_variable10notify_allEv(std::condition_variable* condition) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler != nullptr) scheduler->NotifyCondition(condition, true);
}

// A std::thread is its id, and nothing else: 0 while it has none.
void __wrap__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(
    std::thread* thread, std::unique_ptr<std::thread::_State>* state, void (*)()) {
  static_assert(sizeof(std::thread) == sizeof(std::uint64_t));
  FiberScheduler* const scheduler = FiberScheduler::Current();
  CHECK(scheduler != nullptr) << "a thread outside of the simulation";
  const std::shared_ptr<std::thread::_State> shared = std::move(*state);
  const std::uint64_t id =
      scheduler->Spawn(scheduler->process(), [shared] { shared->_M_run(); });
  std::memcpy(static_cast<void*>(thread), &id, sizeof(id));
}

void __wrap__ZNSt6thread4joinEv(std::thread* thread) {
  std::uint64_t id = 0;
  std::memcpy(&id, static_cast<const void*>(thread), sizeof(id));
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler != nullptr) scheduler->Join(id);
  id = 0;
  std::memcpy(static_cast<void*>(thread), &id, sizeof(id));
}

int __wrap_pthread_setname_np(pthread_t, const char* name) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler != nullptr) scheduler->NameCurrent(name);
  return 0;
}

int __wrap_clock_gettime(clockid_t clock, timespec* out) {
  const FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler == nullptr) return __real_clock_gettime(clock, out);
  const std::int64_t ns =
      clock == CLOCK_REALTIME ? scheduler->LocalWallNow() : scheduler->LocalNow();
  out->tv_sec = ns / kNsPerSecond;
  out->tv_nsec = ns % kNsPerSecond;
  return 0;
}

std::int64_t __real__ZNSt6chrono3_V212steady_clock3nowEv();
std::int64_t __wrap__ZNSt6chrono3_V212steady_clock3nowEv() {
  const FiberScheduler* const scheduler = FiberScheduler::Current();
  return scheduler == nullptr ? __real__ZNSt6chrono3_V212steady_clock3nowEv()
                              : scheduler->LocalNow();
}

std::int64_t __real__ZNSt6chrono3_V212system_clock3nowEv();
std::int64_t __wrap__ZNSt6chrono3_V212system_clock3nowEv() {
  const FiberScheduler* const scheduler = FiberScheduler::Current();
  return scheduler == nullptr ? __real__ZNSt6chrono3_V212system_clock3nowEv()
                              : scheduler->LocalWallNow();
}

ssize_t __wrap_getrandom(void* out, size_t bytes, unsigned flags) {
  FiberScheduler* const scheduler = FiberScheduler::Current();
  if (scheduler == nullptr) return __real_getrandom(out, bytes, flags);
  auto* to = static_cast<unsigned char*>(out);
  for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<unsigned char>(scheduler->random().Next());
  return static_cast<ssize_t>(bytes);
}

}  // extern "C"

// absl::Now reads the time-stamp counter: its own door.
absl::Time SimulatedNow() __asm__("__wrap__ZN4absl7debian33NowEv");
absl::Time RealNow() __asm__("__real__ZN4absl7debian33NowEv");
absl::Time SimulatedNow() {
  const FiberScheduler* const scheduler = FiberScheduler::Current();
  return scheduler == nullptr ? RealNow() : absl::FromUnixNanos(scheduler->LocalWallNow());
}
