// Runs every thread of a simulated cluster as a fiber of one OS thread, with virtual time and one seed.
//
// The code under test is not changed and not compiled again: the simulation's binary is linked with --wrap for the few
// functions of libc and libstdc++ through which common/sync, common/executor, common/clock and common/random reach
// the machine (wrapped_threads.cc). Production's objects are what runs here.
//
// When nothing can run, time jumps to the next timer. Which of several fibers runs next is drawn from the seed, and a
// fiber may be put behind others each time it takes a lock: races as fine as locks are explored.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_FIBER_SCHEDULER_H_
#define DFS_TESTS_SIMULATION_SYSTEM_FIBER_SCHEDULER_H_

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/random.h"

namespace dfs::simulation {

// One run of a simulated machine's process: the fibers that die and stand still together, and their clock.
struct SimProcess {
  std::string name;
  bool is_dead = false;    // its fibers never run again; what they own is never destroyed
  bool is_paused = false;  // its fibers stand still, its clock runs on (SIGSTOP)
  // Its clock shows origin + elapsed * (1 + drift_ppm / 1e6); its wall clock wall_offset more.
  std::int64_t drift_ppm = 0;
  std::int64_t wall_offset_ns = 0;
};

class Fiber;

class FiberScheduler {
 public:
  struct Options {
    std::uint64_t seed = 1;
    bool is_tracing = false;               // each switch is printed
    std::uint64_t preempt_one_in = 16;     // locks at which a fiber goes behind others; 0: never
    std::uint64_t steps_at_one_time_max = 2'000'000;  // more without time passing is a livelock
  };
  explicit FiberScheduler(const Options& options);
  ~FiberScheduler();
  FiberScheduler(const FiberScheduler&) = delete;
  FiberScheduler& operator=(const FiberScheduler&) = delete;

  // The one that runs now; null outside of Run.
  static FiberScheduler* Current();

  // Runs `main` as the first fiber until it returns; what else lives then is abandoned.
  void Run(std::function<void()> main);

  // A new fiber of `process` (null: of the simulation itself, which never dies or pauses).
  std::uint64_t Spawn(const std::shared_ptr<SimProcess>& process, std::function<void()> body);
  // Calls `event` after so long in true time, on no fiber: it may spawn, but not wait.
  void CallAfter(std::int64_t nanoseconds, std::function<void()> event);
  // Blocks the calling fiber for so long in true time, whatever its clock says.
  void SleepFor(std::int64_t nanoseconds);
  void Kill(const std::shared_ptr<SimProcess>& process);
  void SetPaused(const std::shared_ptr<SimProcess>& process, bool is_paused);
  [[nodiscard]] const std::shared_ptr<SimProcess>& process() const;

  [[nodiscard]] std::int64_t now_ns() const { return now_ns_; }  // true time
  [[nodiscard]] std::int64_t LocalNow() const;                   // of the calling fiber's process
  [[nodiscard]] std::int64_t LocalWallNow() const;
  // Randomness of the schedule and of what the machine gives (getrandom).
  Random& random() { return random_; }

  // One number over all that happened: equal seeds give equal numbers.
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  void Note(std::uint64_t what, std::uint64_t a = 0, std::uint64_t b = 0);

  // ---- for wrapped_threads.cc ----
  void LockMutex(void* mutex);
  bool TryLockMutex(void* mutex);
  void UnlockMutex(void* mutex);
  // False after `deadline_local_ns` on the caller's clock (negative: none).
  bool WaitCondition(void* condition, void* mutex, std::int64_t deadline_local_ns);
  void NotifyCondition(void* condition, bool is_all);
  void Join(std::uint64_t fiber);
  void NameCurrent(const char* name);

 private:
  friend class Fiber;
  static void Enter();
  void SwitchOut();        // from a fiber to the scheduler
  void Resume(Fiber* fiber);
  void MakeRunnable(Fiber* fiber);
  void Block(const void* on);
  void Yield();
  Fiber* PickNext();
  void FireTimers();
  void Retire(Fiber* fiber);
  [[nodiscard]] std::int64_t TrueTimeOf(std::int64_t local_ns) const;
  void WakeOneWaiter(std::vector<Fiber*>& waiters, std::size_t at);

  const Options options_;
  Random random_;
  std::int64_t now_ns_;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_here_ = 0;
  std::uint64_t trace_hash_ = 14695981039346656037ULL;
  std::uint64_t next_id_ = 1;
  Fiber* current_ = nullptr;
  jmp_buf scheduler_context_;
  std::vector<Fiber*> runnable_;
  std::map<SimProcess*, std::vector<Fiber*>> parked_;       // of paused processes
  std::set<std::pair<std::int64_t, Fiber*>, bool (*)(const std::pair<std::int64_t, Fiber*>&,
                                                     const std::pair<std::int64_t, Fiber*>&)>
      timers_;
  std::map<std::pair<std::int64_t, std::uint64_t>, std::function<void()>> events_;
  std::uint64_t next_event_ = 0;
  std::unordered_map<const void*, std::vector<Fiber*>> waiters_;  // found by key only, never walked over
  std::unordered_map<std::uint64_t, Fiber*> living_;              // the same
  std::vector<Fiber*> idle_;                                // finished; their stacks are used again
  std::shared_ptr<SimProcess> world_ = std::make_shared<SimProcess>();
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_FIBER_SCHEDULER_H_
