// Time, chance, the event queue and the trace of one simulation run. One seed, one run, always the
// same.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_WORLD_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_WORLD_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "common/clock.h"
#include "common/random.h"

namespace dfs::consensus {

class SimWorld {
 public:
  // `keeps_trace`: text of the last events is kept for Tail; costs time.
  SimWorld(std::uint64_t seed, bool keeps_trace);

  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] Random& random() { return random_; }
  // Counts events; orders everything that happens.
  [[nodiscard]] std::int64_t step() const { return step_; }
  [[nodiscard]] std::int64_t NextStamp() { return ++stamp_; }

  void At(MonotonicTime when, absl::AnyInvocable<void()> what);
  void After(absl::Duration delay, absl::AnyInvocable<void()> what) {
    At(now_ + delay, std::move(what));
  }
  absl::Duration Uniform(absl::Duration low, absl::Duration high);
  // Runs events until `end`, or until something failed.
  void RunUntil(MonotonicTime end);

  // The first failure wins; the run stops after the event under way.
  void Fail(const std::string& what);
  [[nodiscard]] bool has_failed() const { return !failure_.empty(); }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::int64_t failed_at_step() const { return failed_at_step_; }

  // Everything that happens goes into the hash; `text` is called only if a trace is kept.
  void Mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001B3ULL + (hash_ >> 29); }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] bool keeps_trace() const { return keeps_trace_; }
  void Trace(std::string line);
  [[nodiscard]] const std::deque<std::string>& trace() const { return trace_; }

  // What happened, by name: faults, messages, operations.
  std::map<std::string, std::int64_t> counts;

 private:
  struct Event {
    MonotonicTime when;
    std::int64_t order = 0;
    absl::AnyInvocable<void()> what;
  };
  static bool IsLater(const Event& a, const Event& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }

  const bool keeps_trace_;
  Random random_;
  MonotonicTime now_ = absl::UnixEpoch() + absl::Hours(1);
  std::vector<Event> events_;  // heap, earliest first
  std::int64_t order_ = 0;
  std::int64_t step_ = 0;
  std::int64_t stamp_ = 0;
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
  std::string failure_;
  std::int64_t failed_at_step_ = 0;
  std::deque<std::string> trace_;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_WORLD_H_
