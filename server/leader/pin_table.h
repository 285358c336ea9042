// Versions that running gets still read, as their coordinators tell once a second: they are not purged (rule R17).
//
// A pin is a courtesy, not a lock: a coordinator that is cut off loses its pins, and then the node's own trash still keeps
// the bytes for a while. In memory only; a new leader purges nothing until everybody has had time to tell it.
//
// Pure: no clock, lock or I/O. Not thread-safe.
#ifndef DFS_SERVER_LEADER_PIN_TABLE_H_
#define DFS_SERVER_LEADER_PIN_TABLE_H_

#include <map>
#include <set>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::leader {

class PinTable {
 public:
  // What was not told again for so long is pinned no more.
  static constexpr absl::Duration kHoldFor = absl::Minutes(1);

  // All that the coordinator's gets read now; takes the place of what it told before.
  void Set(NodeId coordinator, std::set<TxnId> txns, MonotonicTime now) {
    if (txns.empty()) {
      pins_.erase(coordinator);
    } else {
      pins_[coordinator] = {std::move(txns), now};
    }
  }
  [[nodiscard]] bool IsPinned(const TxnId& txn, MonotonicTime now) const {
    for (const auto& [coordinator, told] : pins_) {
      if (now - told.when < kHoldFor && told.txns.contains(txn)) return true;
    }
    return false;
  }

 private:
  struct Told {
    std::set<TxnId> txns;
    MonotonicTime when;
  };
  std::map<NodeId, Told> pins_;  // at most one for each member
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_PIN_TABLE_H_
