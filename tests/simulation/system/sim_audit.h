// Looks now and then whether each node holds what the log says it holds, while the run goes on.
//
// A copy that is lost by mistake is found by the next scrub and made anew, so that all looks well at
// the end: only who looks in between sees it.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_AUDIT_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_AUDIT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "tests/simulation/system/sim_cluster.h"

namespace dfs::simulation {

class SimAudit {
 public:
  explicit SimAudit(SimCluster* cluster) : cluster_(cluster) {}

  // One look; blocks, its calls go over the wire. kDataLoss: a node lacked a copy at this look and at
  // the one before, and each time it counted as good. A node is looked at from the moment at which
  // the leader has compared its present start with the log; one whose disk has rotted is left out
  // (its reports of that may be under way).
  [[nodiscard]] absl::Status LookOnce();
  [[nodiscard]] std::uint64_t copies_seen() const { return copies_seen_; }

 private:
  // What a node says of itself.
  struct Held {
    NodeId node;
    BootEpoch epoch;
    std::set<ChunkId> chunks;
  };
  // By node and its start: what it must hold.
  using Named = std::map<std::pair<NodeId, BootEpoch>, std::set<ChunkId>>;
  using Lacking = std::set<std::pair<int, ChunkId>>;
  [[nodiscard]] std::optional<Held> Ask(int machine);
  [[nodiscard]] std::optional<Named> ReadNamed();

  SimCluster* const cluster_;
  Lacking lacking_;  // at the look before
  std::uint64_t copies_seen_ = 0;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_AUDIT_H_
