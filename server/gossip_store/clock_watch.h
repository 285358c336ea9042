// How far this node's clock is from those of its peers (rule R24). Pure.
#ifndef DFS_SERVER_GOSSIP_STORE_CLOCK_WATCH_H_
#define DFS_SERVER_GOSSIP_STORE_CLOCK_WATCH_H_

#include <algorithm>
#include <cstddef>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::gossip_store {

// Not thread-safe.
class ClockWatch {
 public:
  static constexpr absl::Duration kKept = absl::Seconds(30);

  // `peer`'s clock showed `theirs` a moment before this node's showed `ours`.
  void Record(NodeId peer, absl::Time theirs, absl::Time ours, MonotonicTime now) {
    seen_[peer] = {theirs - ours, now};
  }
  // What is to be added to this node's clock to get the median of all that were heard of in the last kKept and its own; of two
  // in the middle the one nearer to its own, since one peer alone may be the wrong one.
  [[nodiscard]] absl::Duration ToMedian(MonotonicTime now) {
    std::erase_if(seen_, [&](const auto& entry) { return now - entry.second.at > kKept; });
    std::vector<absl::Duration> all = {absl::ZeroDuration()};
    for (const auto& [peer, seen] : seen_) all.push_back(seen.ahead);
    std::sort(all.begin(), all.end());
    const absl::Duration low = all[(all.size() - 1) / 2];
    const absl::Duration high = all[all.size() / 2];
    return absl::AbsDuration(low) < absl::AbsDuration(high) ? low : high;
  }
  // One peer alone was heard of in the last kKept, and its clock is further than that from this node's: a third has to say
  // which of the two is wrong.
  [[nodiscard]] bool IsInDoubt(MonotonicTime now, absl::Duration off_max) {
    std::erase_if(seen_, [&](const auto& entry) { return now - entry.second.at > kKept; });
    return seen_.size() == 1 && absl::AbsDuration(seen_.begin()->second.ahead) > off_max;
  }
  // Somebody was heard of.
  [[nodiscard]] bool has_heard() const { return !seen_.empty(); }

 private:
  struct Seen {
    absl::Duration ahead;
    MonotonicTime at;
  };
  std::map<NodeId, Seen> seen_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_CLOCK_WATCH_H_
