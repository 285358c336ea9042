// What real nodes say of each other's liveness, from their answers and from their logs.
#ifndef DFS_TESTS_SUPPORT_RING_VIEWS_H_
#define DFS_TESTS_SUPPORT_RING_VIEWS_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "membership/member.h"
#include "tests/support/process_cluster.h"

namespace dfs::testing {

// Members by name and state ("alive", "suspect", "dead"), as node `n` sees them. Needs no leader.
absl::StatusOr<std::map<std::string, std::string>> ViewAt(ProcessCluster& cluster, int n);

// The numbers of all nodes in the order of the ring, beginning with node 1. All must be alive in its eyes.
absl::StatusOr<std::vector<int>> RingOrder(ProcessCluster& cluster);

// Waits until each of `nodes` says that the members in `dead` are dead and all others alive.
absl::Status WaitForViews(ProcessCluster& cluster, const std::vector<int>& nodes, const std::set<int>& dead,
                          absl::Duration timeout);

// Changes of state that the nodes have written into their logs.
class LoggedChanges {
 public:
  // Those that are written from now on count.
  explicit LoggedChanges(const ProcessCluster& cluster);

  // How often any node found another in that state so far.
  [[nodiscard]] int CountOf(membership::LivenessState state) const;
  // The lines themselves, each with the node that wrote it.
  [[nodiscard]] std::vector<std::string> LinesOf(membership::LivenessState state) const;

 private:
  const ProcessCluster& cluster_;
  std::map<int, std::size_t> begin_;  // bytes of each log that were there before
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_RING_VIEWS_H_
