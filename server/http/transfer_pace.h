// How slowly a client may move bytes.
#ifndef DFS_SERVER_HTTP_TRANSFER_PACE_H_
#define DFS_SERVER_HTTP_TRANSFER_PACE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::http {

// Of the time that is spent waiting for the client, each kWindow must move kBytesMin at least: else it holds a thread
// for nothing. What the server takes for itself does not count. Pure, used by one thread.
class TransferPace {
 public:
  static constexpr absl::Duration kWindow = absl::Seconds(30);
  static constexpr std::uint64_t kBytesMin = std::uint64_t{30} << 10;  // 1 KiB a second

  // Until when a wait that begins now may last.
  [[nodiscard]] MonotonicTime DeadlineAt(MonotonicTime now) const {
    return now + (kWindow - waited_);
  }
  void Record(absl::Duration waited, std::uint64_t bytes) {
    waited_ += waited;
    bytes_ += bytes;
    if (bytes_ < kBytesMin) return;
    waited_ = absl::ZeroDuration();
    bytes_ = 0;
  }

 private:
  absl::Duration waited_;  // of the present window
  std::uint64_t bytes_ = 0;
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_TRANSFER_PACE_H_
