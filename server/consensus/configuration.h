// Who belongs to the Raft group, as one log entry says it. Pure data and arithmetic.
#ifndef DFS_SERVER_CONSENSUS_CONFIGURATION_H_
#define DFS_SERVER_CONSENSUS_CONFIGURATION_H_

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"

namespace dfs::consensus {

struct MemberInfo {
  // Only this data directory may vote or acknowledge as this member (rule R2).
  StorageUuid storage_uuid;
  // Where the member's peer port is reached, "host:port". Opaque to the core.
  std::string peer_address;
  // False for a joiner: it gets the log but counts in nothing (rule R7). A voter is always active.
  bool is_active = false;
  // It gets entries without their commands: it follows the log's course and its configurations, and keeps nothing of what the
  // commands make. Never active, so never a voter, and nothing is held because it is there.
  bool gets_no_commands = false;
  bool operator==(const MemberInfo&) const = default;
};

// A configuration, in force from the moment its entry is in a log (committed or not; Raft
// dissertation section 4.1), and back to the one before it when the entry is truncated.
//
// Joint consensus (section 4.3): while `old_voters` is not empty, every decision needs a majority of
// `voters` and a majority of `old_voters`.
struct Configuration {
  std::map<NodeId, MemberInfo> members;  // voters, learners and joiners alike
  std::set<NodeId> voters;               // those to come, while joint; never empty in a formed cluster
  std::set<NodeId> old_voters;           // empty unless joint

  bool operator==(const Configuration&) const = default;

  [[nodiscard]] bool is_joint() const { return !old_voters.empty(); }
  [[nodiscard]] bool IsVoter(NodeId node) const {
    return voters.contains(node) || old_voters.contains(node);
  }
  [[nodiscard]] bool IsMember(NodeId node) const { return members.contains(node); }
  // Members that count: voters and active learners (rules R6, R7).
  [[nodiscard]] std::size_t ActiveCount() const;

  // Whether `has` holds for a majority of the voters, of both sets while joint. False if there are
  // no voters.
  [[nodiscard]] bool HasQuorum(const std::function<bool(NodeId)>& has) const;
  // The greatest value that a quorum has reached: the usual commit rule, the smaller of both sets'
  // while joint. 0 if there are no voters.
  [[nodiscard]] LogIndex QuorumIndex(const std::function<LogIndex(NodeId)>& match) const;
  // The greatest index that min(2, active members) active members hold (rule R6).
  [[nodiscard]] LogIndex HeldIndex(const std::function<LogIndex(NodeId)>& match) const;

  // The joint configuration on the way to `next_voters`, and the one that ends it.
  [[nodiscard]] Configuration EnterJoint(std::set<NodeId> next_voters) const;
  [[nodiscard]] Configuration LeaveJoint() const;

  // Whether the log may go from *this to `next` in one entry: no voter changes unless through
  // joint; only one of {joint entered, joint left, members changed} at once; every voter is an active
  // member; voters not empty; no active member without the commands, and nobody begins or ceases to get them.
  // kInvalidArgument says which rule is broken.
  [[nodiscard]] absl::Status CheckStep(const Configuration& next) const;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_CONFIGURATION_H_
