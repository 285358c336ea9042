// Which nodes get the copies of a put. Pure.
#ifndef DFS_SERVER_LEADER_REPLICA_CHOICE_H_
#define DFS_SERVER_LEADER_REPLICA_CHOICE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"

namespace dfs::leader {

// A member that is ACTIVE in the log.
struct CandidateNode {
  NodeId node;
  std::string zone;        // empty: a zone of its own
  bool is_usable = false;  // alive as far as this node knows
  bool is_full = false;
  std::uint64_t free_bytes = 0;  // 0: not known; nodes with more get more
};

struct ReplicaRequest {
  NodeId coordinator;
  std::size_t replicas = 3;      // of the bucket
  std::size_t write_quorum = 2;  // effective: at most the number of members
  std::vector<NodeId> avoid;     // just failed: taken only where write_quorum cannot be reached without
  std::vector<NodeId> holders;   // hold the bytes: taken whatever their state
  std::uint64_t seed = 0;        // spreads the load; equal seeds give equal choices
};

struct ReplicaChoice {
  std::vector<NodeId> replicas;  // are to be written; at least write_quorum unless is_short
  std::vector<NodeId> spares;    // at most kSparesMax
  // The set: min(request.replicas, candidates) distinct nodes, `replicas` first, then those that stand in as missing (rule R16).
  std::vector<NodeId> set;
  bool is_short = false;         // fewer than write_quorum can be written: nothing may be begun
  bool is_space_short = false;   // and with the full ones it would have been enough
};

inline constexpr std::size_t kSparesMax = 2;

// Usable, not full, from distinct zones as far as there are, the coordinator first if it is one of them.
[[nodiscard]] ReplicaChoice ChooseReplicas(const std::vector<CandidateNode>& candidates,
                                           const ReplicaRequest& request);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPLICA_CHOICE_H_
