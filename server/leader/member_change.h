// What becomes of a request to drain, let go or forget a member. Pure.
#ifndef DFS_SERVER_LEADER_MEMBER_CHANGE_H_
#define DFS_SERVER_LEADER_MEMBER_CHANGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/wire_ids.h"
#include "dfs/v1/cluster.pb.h"

namespace dfs::leader {

using api::ChangeMemberRequest;

// A node as a name or an id means it. Of several with that name: those that are members before those that were, and, if
// `wants_dead`, one that is dead before those that live. kNotFound; kInvalidArgument: two of that name, equally likely.
struct NamedNode {
  rpc::NodeRow row;
  bool is_usable = false;
};
[[nodiscard]] absl::StatusOr<rpc::NodeRow> FindNamed(const std::vector<NamedNode>& nodes,
                                                     std::string_view name, bool wants_dead);

// The node that has come in the dead one's stead: JOINING or ACTIVE, alive, of the same name or at the same address.
[[nodiscard]] std::optional<rpc::NodeRow> FindSuccessor(const std::vector<NamedNode>& nodes,
                                                        const rpc::NodeRow& dead);

struct ChangeFacts {
  rpc::NodeRow node;
  bool is_usable = false;
  std::size_t members = 0;        // ACTIVE, the node itself included
  std::size_t staying = 0;        // of these: neither OUT nor on their way out, the node not counted
  std::size_t live_staying = 0;   // of these: alive
  std::uint32_t replicas = 3;     // the most that a bucket wants
  // FORGET and REPLACE: files of which no other live node holds a chunk in full.
  std::uint64_t last_copies = 0;
  std::string last_copy_name;     // of one of them
  std::uint64_t last_trashed = 0;  // likewise, of files that were removed: no reason to refuse, but they cannot come back whole
  std::optional<rpc::NodeRow> successor;
  bool is_forced = false;
};

// What is lost of removed files with a node that is forgotten, as the end of a sentence; empty if nothing is.
[[nodiscard]] std::string TrashLossText(const ChangeFacts& facts);

// What to record; nullopt: it is so already. kFailedPrecondition: refused; the sentence says what to do.
struct ChangePlan {
  rpc::Departure departure = rpc::STAYS;
  std::uint32_t successor = 0;
};
[[nodiscard]] absl::StatusOr<std::optional<ChangePlan>> PlanChange(ChangeMemberRequest::Change change,
                                                                   const ChangeFacts& facts);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_MEMBER_CHANGE_H_
