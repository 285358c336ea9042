// Which dead nodes become OUT: their replicas are made anew elsewhere. Pure.
#ifndef DFS_SERVER_LEADER_OUT_POLICY_H_
#define DFS_SERVER_LEADER_OUT_POLICY_H_

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::leader {

struct OutCandidate {
  NodeId node;
  bool is_usable = false;
  bool is_out = false;
  MonotonicTime dead_since = absl::InfiniteFuture();  // as the ring saw it; InfiniteFuture: not known
};

// By itself at most so many of the members are OUT: more at once are a fault of the network or the power, and
// copying most of the data onto what is left would not help against either.
[[nodiscard]] std::size_t OutMax(std::size_t members);

// Remembers since when nodes have been away. Not thread-safe.
class OutPolicy {
 public:
  explicit OutPolicy(absl::Duration out_after) : out_after_(out_after) {}

  // The one node that is to become OUT now, the one away longest first; none: nobody is due, or OutMax is reached.
  // `members`: all that are ACTIVE. Call regularly.
  [[nodiscard]] std::optional<NodeId> Due(const std::vector<OutCandidate>& members,
                                          MonotonicTime now);
  // When the node becomes OUT if it stays away; InfiniteFuture: it is not away.
  [[nodiscard]] MonotonicTime DueAt(NodeId node) const;

 private:
  const absl::Duration out_after_;
  std::map<NodeId, MonotonicTime> away_since_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_OUT_POLICY_H_
