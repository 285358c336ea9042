// How often clients do what, how long it takes, and what becomes of it.
#ifndef DFS_COMMON_OPERATION_METRICS_H_
#define DFS_COMMON_OPERATION_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs {

enum class Door : std::uint8_t { kGrpc, kHttp };
enum class Operation : std::uint8_t {
  kPut, kGet, kStat, kLocate, kList, kRemove, kUndelete, kClear, kSettle, kMove, kMakeBucket,
  kRemoveBucket, kListBuckets,
};
inline constexpr std::size_t kDoors = 2;
inline constexpr std::size_t kOperations = 13;

// What an operation's thread is busy with. Of a put: kBegin, checks and the leader's transaction; kTransfer, the client's bytes,
// waited for, summed and handed on; kQueue, replicas that lag; kSync, from the last byte until W replicas hold all of them
// durably; kCommit, the entry of the log. Of a get: kResolve, read index, version and confirmations; kFirstByte, from there to
// the first bytes that are ready to be sent; kRest, sending them and all others.
enum class Phase : std::uint8_t { kBegin, kTransfer, kQueue, kSync, kCommit, kResolve, kFirstByte, kRest };
inline constexpr std::size_t kPhases = 8;

std::string_view NameOf(Door door);
std::string_view NameOf(Operation operation);
std::string_view NameOf(Phase phase);
// Whose phase it is.
Operation OperationOf(Phase phase);

// Where the time of one operation goes: each moment belongs to the phase that was entered last. Used by one thread.
class PhaseTimer {
 public:
  // `clock` outlives it.
  explicit PhaseTimer(const Clock* clock) : clock_(clock) {}

  // Returns the phase until now. nullopt: none; the time then belongs to nobody.
  std::optional<Phase> Enter(std::optional<Phase> phase);
  // Until the last Enter. nullopt: it was never entered.
  [[nodiscard]] std::optional<absl::Duration> TimeIn(Phase phase) const {
    return times_.at(static_cast<std::size_t>(phase));
  }

 private:
  const Clock* clock_;
  std::optional<Phase> phase_;
  MonotonicTime since_ = absl::InfinitePast();
  std::array<std::optional<absl::Duration>, kPhases> times_;
};

// One phase as long as this lives; then the one before goes on. Without a timer nothing is measured.
class InPhase {
 public:
  InPhase(PhaseTimer* timer, Phase phase)
      : timer_(timer), before_(timer == nullptr ? std::nullopt : timer->Enter(phase)) {}
  ~InPhase() {
    if (timer_ != nullptr) timer_->Enter(before_);
  }
  InPhase(const InPhase&) = delete;
  InPhase& operator=(const InPhase&) = delete;

 private:
  PhaseTimer* const timer_;
  const std::optional<Phase> before_;
};

// Thread-safe; Record never blocks.
class OperationMetrics {
 public:
  // Upper bounds of the latencies that are counted together, in seconds; one more is for all beyond.
  static constexpr std::array<double, 14> kBounds = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                     0.1,    0.2,   0.5,   1,     2,    5,    10};
  // ok; refused: the request was wrong, or what it names is not there; failed: this cluster could not do it.
  static constexpr std::array<std::string_view, 3> kResults = {"ok", "refused", "failed"};

  void Record(Door door, Operation operation, const absl::Status& status, absl::Duration took,
              std::uint64_t bytes_in, std::uint64_t bytes_out);
  // Those that were entered.
  void RecordPhases(const PhaseTimer& phases);
  // A chunk file of so many bytes was offered to a client on this machine.
  void RecordHandover(std::uint64_t bytes) { handover_bytes_ += bytes; }
  [[nodiscard]] std::uint64_t handover_bytes() const { return handover_bytes_; }
  static std::string_view ResultOf(const absl::Status& status);  // one of kResults

  struct Latencies {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};
    double seconds = 0;  // in all
  };
  // What was done at least once. Counts of one row may be some operations apart.
  struct Row {
    Door door;
    Operation operation;
    std::array<std::uint64_t, 3> results;  // as kResults
    Latencies latencies;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };
  [[nodiscard]] std::vector<Row> Read() const;
  // Of both doors together; phases that were entered at least once.
  struct PhaseRow {
    Phase phase;
    Latencies latencies;
  };
  [[nodiscard]] std::vector<PhaseRow> ReadPhases() const;

 private:
  struct Histogram {
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets{};
    std::atomic<std::uint64_t> microseconds{0};

    void Add(absl::Duration took);
    [[nodiscard]] Latencies Read() const;
  };
  struct Cell {
    std::array<std::atomic<std::uint64_t>, 3> results{};
    Histogram latencies;
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
  };
  std::array<std::array<Cell, kOperations>, kDoors> cells_{};
  std::array<Histogram, kPhases> phases_{};
  std::atomic<std::uint64_t> handover_bytes_{0};
};

// One operation, from its beginning to End: counted, and at --v=1 told to the log in one line. Used by one thread.
class OperationTimer {
 public:
  OperationTimer(OperationMetrics* metrics, const Clock* clock, Door door, Operation operation)
      : phases(clock),
        metrics_(metrics),
        clock_(clock),
        door_(door),
        operation_(operation),
        start_(clock->Now()) {}

  PhaseTimer phases;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  // What it is about, for the log.
  void About(std::string_view bucket, std::string_view name);
  // Returns what it is given.
  const absl::Status& End(const absl::Status& status);

 private:
  OperationMetrics* const metrics_;
  const Clock* const clock_;
  const Door door_;
  const Operation operation_;
  const MonotonicTime start_;
  std::string about_;
};

}  // namespace dfs

#endif  // DFS_COMMON_OPERATION_METRICS_H_
