#include "tests/simulation/system/fiber_scheduler.h"

#include <glog/logging.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace dfs::simulation {
namespace {

constexpr std::size_t kStackBytes = std::size_t{512} << 10;
constexpr std::int64_t kOriginNs = 1'000'000'000'000'000'000;
// A step costs so much time: nothing happens twice at one moment for ever.
constexpr std::int64_t kStepNs = 1'000;

FiberScheduler* g_scheduler = nullptr;

}  // namespace

class Fiber {
 public:
  explicit Fiber(FiberScheduler* scheduler) : scheduler_(scheduler) {
    stack_ = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PCHECK(stack_ != MAP_FAILED) << "no memory for a stack";
    PCHECK(mprotect(stack_, 4096, PROT_NONE) == 0);
  }

  void Start(std::uint64_t the_id, std::shared_ptr<SimProcess> the_process,
             std::function<void()> the_body) {
    id = the_id;
    process = std::move(the_process);
    body = std::move(the_body);
    name[0] = '\0';
    waits_on = nullptr;
    timer_ns = -1;
    has_timed_out = false;
    if (has_begun) return;  // its loop goes on
    PCHECK(getcontext(&first_context_) == 0);
    first_context_.uc_stack.ss_sp = stack_;
    first_context_.uc_stack.ss_size = kStackBytes;
    first_context_.uc_link = nullptr;
    makecontext(&first_context_, &FiberScheduler::Enter, 0);
  }

  FiberScheduler* const scheduler_;
  std::uint64_t id = 0;
  std::shared_ptr<SimProcess> process;
  std::function<void()> body;
  char name[16] = {};
  const void* waits_on = nullptr;   // key in the table of waiters
  std::int64_t timer_ns = -1;       // true time; -1: none
  bool has_timed_out = false;
  bool has_begun = false;
  jmp_buf context;
  ucontext_t first_context_;

 private:
  void* stack_ = nullptr;
};

namespace {

bool TimerBefore(const std::pair<std::int64_t, Fiber*>& a,
                 const std::pair<std::int64_t, Fiber*>& b) {
  return a.first != b.first ? a.first < b.first : a.second->id < b.second->id;
}

// What a locked mutex holds: the first word of a std::mutex, which is 0 while it is free.
std::uint64_t& OwnerOf(void* mutex) { return *static_cast<std::uint64_t*>(mutex); }

}  // namespace

FiberScheduler::FiberScheduler(const Options& options)
    : options_(options), random_(options.seed), now_ns_(kOriginNs), timers_(&TimerBefore) {
  CHECK(g_scheduler == nullptr);
  world_->name = "world";
}

// Fibers that were abandoned stay as they are: nothing may run any more.
FiberScheduler::~FiberScheduler() { g_scheduler = nullptr; }

FiberScheduler* FiberScheduler::Current() { return g_scheduler; }

void FiberScheduler::Note(std::uint64_t what, std::uint64_t a, std::uint64_t b) {
  for (const std::uint64_t word : {what, a, b, static_cast<std::uint64_t>(now_ns_)}) {
    trace_hash_ = (trace_hash_ ^ word) * 1099511628211ULL;
    trace_hash_ ^= trace_hash_ >> 29;
  }
}

void FiberScheduler::Enter() {
  FiberScheduler* const scheduler = g_scheduler;
  Fiber* const self = scheduler->current_;
  self->has_begun = true;
  while (true) {
    self->body();
    self->body = nullptr;
    scheduler->Retire(self);
    scheduler->SwitchOut();
  }
}

void FiberScheduler::Retire(Fiber* fiber) {
  living_.erase(fiber->id);
  const auto joining = waiters_.find(fiber);
  if (joining != waiters_.end()) {
    while (!joining->second.empty()) WakeOneWaiter(joining->second, 0);
    waiters_.erase(joining);
  }
  fiber->process = nullptr;
  idle_.push_back(fiber);
}

std::uint64_t FiberScheduler::Spawn(const std::shared_ptr<SimProcess>& process,
                                    std::function<void()> body) {
  Fiber* fiber = nullptr;
  if (idle_.empty()) {
    fiber = new Fiber(this);
  } else {
    fiber = idle_.back();
    idle_.pop_back();
  }
  const std::uint64_t id = next_id_++;
  fiber->Start(id, process == nullptr ? world_ : process, std::move(body));
  living_[id] = fiber;
  MakeRunnable(fiber);
  return id;
}

void FiberScheduler::MakeRunnable(Fiber* fiber) { runnable_.push_back(fiber); }

void FiberScheduler::SwitchOut() {
  Fiber* const self = current_;
  if (_setjmp(self->context) == 0) _longjmp(scheduler_context_, 1);
}

void FiberScheduler::Resume(Fiber* fiber) {
  current_ = fiber;
  if (_setjmp(scheduler_context_) == 0) {
    if (fiber->has_begun) _longjmp(fiber->context, 1);
    setcontext(&fiber->first_context_);
  }
  current_ = nullptr;
}

Fiber* FiberScheduler::PickNext() {
  while (!runnable_.empty()) {
    const std::size_t at =
        runnable_.size() == 1 ? 0 : static_cast<std::size_t>(random_.Below(runnable_.size()));
    Fiber* const fiber = runnable_[at];
    runnable_[at] = runnable_.back();
    runnable_.pop_back();
    if (fiber->process->is_dead) continue;
    if (fiber->process->is_paused) {
      parked_[fiber->process.get()].push_back(fiber);
      continue;
    }
    return fiber;
  }
  return nullptr;
}

void FiberScheduler::CallAfter(std::int64_t nanoseconds, std::function<void()> event) {
  events_.emplace(std::pair{now_ns_ + nanoseconds, next_event_++}, std::move(event));
}

void FiberScheduler::FireTimers() {
  while (!events_.empty() && events_.begin()->first.first <= now_ns_) {
    const std::function<void()> event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    Note(2);
    event();
  }
  while (!timers_.empty() && timers_.begin()->first <= now_ns_) {
    Fiber* const fiber = timers_.begin()->second;
    timers_.erase(timers_.begin());
    fiber->timer_ns = -1;
    if (fiber->process == nullptr || fiber->process->is_dead) continue;
    fiber->has_timed_out = true;
    if (fiber->waits_on != nullptr) {
      auto& waiters = waiters_[fiber->waits_on];
      waiters.erase(std::find(waiters.begin(), waiters.end(), fiber));
      if (waiters.empty()) waiters_.erase(fiber->waits_on);
      fiber->waits_on = nullptr;
    }
    MakeRunnable(fiber);
  }
}

void FiberScheduler::Run(std::function<void()> main) {
  g_scheduler = this;
  bool has_ended = false;
  Spawn(nullptr, [&] {
    main();
    has_ended = true;
  });
  while (!has_ended) {
    FireTimers();
    Fiber* const next = PickNext();
    if (next == nullptr) {
      CHECK(!timers_.empty() || !events_.empty()) << "every fiber waits for another one";
      std::int64_t next_ns = INT64_MAX;
      if (!timers_.empty()) next_ns = timers_.begin()->first;
      if (!events_.empty()) next_ns = std::min(next_ns, events_.begin()->first.first);
      now_ns_ = std::max(now_ns_, next_ns);
      steps_here_ = 0;
      continue;
    }
    ++steps_;
    CHECK_LT(++steps_here_, options_.steps_at_one_time_max) << "something runs for ever";
    now_ns_ += kStepNs;
    Note(1, next->id);
    if (options_.is_tracing) {
      std::printf("%.6f %s %s#%llu\n", static_cast<double>(now_ns_ - kOriginNs) / 1e9,
                  next->process->name.c_str(), next->name,
                  static_cast<unsigned long long>(next->id));
    }
    Resume(next);
  }
  g_scheduler = nullptr;
}

void FiberScheduler::Block(const void* on) {
  Fiber* const self = current_;
  self->waits_on = on;
  self->has_timed_out = false;
  if (on != nullptr) waiters_[on].push_back(self);
  if (self->timer_ns >= 0) timers_.emplace(self->timer_ns, self);
  SwitchOut();
}

void FiberScheduler::Yield() {
  MakeRunnable(current_);
  SwitchOut();
}

void FiberScheduler::SleepFor(std::int64_t nanoseconds) {
  if (nanoseconds <= 0) {
    Yield();
    return;
  }
  current_->timer_ns = now_ns_ + nanoseconds;
  Block(nullptr);
}

void FiberScheduler::Kill(const std::shared_ptr<SimProcess>& process) {
  process->is_dead = true;
  parked_.erase(process.get());
}

void FiberScheduler::SetPaused(const std::shared_ptr<SimProcess>& process, bool is_paused) {
  process->is_paused = is_paused;
  if (is_paused) return;
  const auto parked = parked_.find(process.get());
  if (parked == parked_.end()) return;
  runnable_.insert(runnable_.end(), parked->second.begin(), parked->second.end());
  parked_.erase(parked);
}

const std::shared_ptr<SimProcess>& FiberScheduler::process() const {
  return current_ == nullptr ? world_ : current_->process;
}

std::int64_t FiberScheduler::LocalNow() const {
  const std::int64_t elapsed = now_ns_ - kOriginNs;
  const std::int64_t ppm = process()->drift_ppm;
  return kOriginNs + elapsed + elapsed / 1'000'000 * ppm;
}

std::int64_t FiberScheduler::LocalWallNow() const {
  return LocalNow() + process()->wall_offset_ns;
}

std::int64_t FiberScheduler::TrueTimeOf(std::int64_t local_ns) const {
  const std::int64_t wait = local_ns - LocalNow();
  const std::int64_t ppm = process()->drift_ppm;
  // A little late rather than early: a timer that fires early would be set again at once.
  return now_ns_ + std::max<std::int64_t>(0, wait - wait / 1'000'000 * ppm) + 2'000;
}

void FiberScheduler::WakeOneWaiter(std::vector<Fiber*>& waiters, std::size_t at) {
  Fiber* const fiber = waiters[at];
  waiters.erase(waiters.begin() + static_cast<std::ptrdiff_t>(at));
  fiber->waits_on = nullptr;
  if (fiber->timer_ns >= 0) timers_.erase({fiber->timer_ns, fiber});
  fiber->timer_ns = -1;
  MakeRunnable(fiber);
}

bool FiberScheduler::TryLockMutex(void* mutex) {
  if (OwnerOf(mutex) != 0) return false;
  OwnerOf(mutex) = current_ == nullptr ? 1 : current_->id + 1;
  return true;
}

void FiberScheduler::LockMutex(void* mutex) {
  if (current_ != nullptr && options_.preempt_one_in != 0 &&
      random_.Below(options_.preempt_one_in) == 0) {
    Yield();
  }
  while (!TryLockMutex(mutex)) {
    CHECK(current_ != nullptr) << "the scheduler itself would wait";
    CHECK_NE(OwnerOf(mutex), current_->id + 1) << "locked twice by one thread";
    Block(mutex);
  }
}

void FiberScheduler::UnlockMutex(void* mutex) {
  OwnerOf(mutex) = 0;
  const auto found = waiters_.find(mutex);
  if (found == waiters_.end()) return;
  WakeOneWaiter(found->second, static_cast<std::size_t>(random_.Below(found->second.size())));
  if (found->second.empty()) waiters_.erase(found);
}

bool FiberScheduler::WaitCondition(void* condition, void* mutex, std::int64_t deadline_local_ns) {
  CHECK(current_ != nullptr);
  UnlockMutex(mutex);
  current_->timer_ns = deadline_local_ns < 0 ? -1 : TrueTimeOf(deadline_local_ns);
  Block(condition);
  const bool is_in_time = !current_->has_timed_out;
  while (!TryLockMutex(mutex)) Block(mutex);
  return is_in_time;
}

void FiberScheduler::NotifyCondition(void* condition, bool is_all) {
  const auto found = waiters_.find(condition);
  if (found == waiters_.end()) return;
  do {
    WakeOneWaiter(found->second, static_cast<std::size_t>(random_.Below(found->second.size())));
  } while (is_all && !found->second.empty());
  if (found->second.empty()) waiters_.erase(found);
}

void FiberScheduler::Join(std::uint64_t fiber) {
  while (true) {
    const auto found = living_.find(fiber);
    if (found == living_.end()) return;
    Block(found->second);
  }
}

void FiberScheduler::NameCurrent(const char* name) {
  if (current_ == nullptr) return;
  std::strncpy(current_->name, name, sizeof(current_->name) - 1);
}

}  // namespace dfs::simulation
