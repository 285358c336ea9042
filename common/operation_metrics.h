// How often clients do what, how long it takes, and what becomes of it.
#ifndef DFS_COMMON_OPERATION_METRICS_H_
#define DFS_COMMON_OPERATION_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
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

std::string_view NameOf(Door door);
std::string_view NameOf(Operation operation);

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

  // What was done at least once. Counts of one row may be some operations apart.
  struct Row {
    Door door;
    Operation operation;
    std::array<std::uint64_t, 3> results;  // as kResults
    std::array<std::uint64_t, kBounds.size() + 1> buckets;
    double seconds = 0;  // in all
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };
  [[nodiscard]] std::vector<Row> Read() const;

 private:
  struct Cell {
    std::array<std::atomic<std::uint64_t>, 3> results{};
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets{};
    std::atomic<std::uint64_t> microseconds{0};
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
  };
  std::array<std::array<Cell, kOperations>, kDoors> cells_{};
};

// One operation, from its beginning to End. Used by one thread.
class OperationTimer {
 public:
  OperationTimer(OperationMetrics* metrics, const Clock* clock, Door door, Operation operation)
      : metrics_(metrics),
        clock_(clock),
        door_(door),
        operation_(operation),
        start_(clock->Now()) {}

  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  // Returns what it is given.
  const absl::Status& End(const absl::Status& status) {
    metrics_->Record(door_, operation_, status, clock_->Now() - start_, bytes_in, bytes_out);
    return status;
  }

 private:
  OperationMetrics* const metrics_;
  const Clock* const clock_;
  const Door door_;
  const Operation operation_;
  const MonotonicTime start_;
};

}  // namespace dfs

#endif  // DFS_COMMON_OPERATION_METRICS_H_
