// One examination of a suspect: direct probes over fresh connections, and probes by others.
#ifndef DFS_MEMBERSHIP_PROBE_ROUND_H_
#define DFS_MEMBERSHIP_PROBE_ROUND_H_

#include <cstddef>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::membership {

// Says when to send the next direct probe and whether all probes have failed. A positive answer ends the
// examination, so it is not recorded here. Pure.
class ProbeRound {
 public:
  static constexpr std::size_t kDirectProbes = 3;
  static constexpr std::size_t kHelpersMax = 3;
  // Between direct probes that time out, and after one that was refused (which takes no time at all).
  static constexpr absl::Duration kSpacing = absl::Milliseconds(50);
  static constexpr absl::Duration kSpacingRefused = absl::Milliseconds(20);

  // Helpers get two timeouts: their own probe's, and the way there and back.
  ProbeRound(MonotonicTime now, absl::Duration timeout, const std::vector<NodeId>& helpers);

  [[nodiscard]] bool IsDirectDue(MonotonicTime now) const {
    return sent_.size() < kDirectProbes && now >= next_direct_;
  }
  void RecordDirectSent(MonotonicTime now);
  // The address refused a connection, or the stream was reset: probes under way have failed.
  void RecordRefused(MonotonicTime now);
  void RecordHelperDenied(NodeId helper);
  // It is itself not there: no answer of its is waited for.
  void RecordHelperGone(NodeId helper);

  // All direct probes failed, and each helper denied or said nothing in time.
  [[nodiscard]] bool HasFailed(MonotonicTime now) const;
  [[nodiscard]] std::size_t refused() const { return refused_; }
  [[nodiscard]] std::size_t denied() const { return denied_; }
  [[nodiscard]] MonotonicTime NextDeadline(MonotonicTime now) const;

 private:
  const absl::Duration timeout_;
  MonotonicTime helpers_deadline_;
  std::map<NodeId, bool> helpers_;  // still counted on; whether it denied
  std::size_t denied_ = 0;
  std::size_t refused_ = 0;         // of those sent
  std::vector<MonotonicTime> sent_;  // when each direct probe counts as failed
  MonotonicTime next_direct_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_PROBE_ROUND_H_
