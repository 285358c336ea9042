#include "server/leader/member_change.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "server/leader/term_state.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {
namespace {

using Result = absl::StatusOr<std::optional<ChangePlan>>;

absl::Status Refuse(const std::string& why) { return absl::FailedPreconditionError(why); }

// What the cluster is like without the node, however it goes.
absl::Status CheckRest(const ChangeFacts& facts) {
  if (!metadata::HoldsReplicas(facts.node)) return absl::OkStatus();
  if (facts.members <= 1) {
    return Refuse("it is the last member: stop it if the cluster is to end");
  }
  if (facts.live_staying == 0) return Refuse("no other node is alive");
  if (facts.is_forced || facts.staying >= facts.replicas) return absl::OkStatus();
  return Refuse(absl::StrCat("only ", facts.staying, " node(s) would remain to hold copies, and files are to have ",
                             facts.replicas, ": add a node first, or use --force"));
}

Result PlanHandover(rpc::Departure departure, const ChangeFacts& facts) {
  const std::string name = NameOf(facts.node);
  if (facts.node.departure() == rpc::FORGOTTEN) return Refuse(absl::StrCat(name, " is being forgotten"));
  if (departure == rpc::DRAINING && !metadata::HoldsReplicas(facts.node)) {
    return Refuse(absl::StrCat(name, " is a gateway and holds no copies: it may be stopped at any time"));
  }
  // Asked for DRAIN it goes on to leave: UNDRAIN takes that back first.
  if (facts.node.departure() == departure || facts.node.departure() == rpc::LEAVING) {
    return std::optional<ChangePlan>();
  }
  if (!facts.is_usable) {
    return Refuse(absl::StrCat(name, " is dead and can hand nothing over: start it, or use dfs-cli forget ",
                               name));
  }
  if (absl::Status rest = CheckRest(facts); !rest.ok()) return rest;
  return std::optional(ChangePlan{departure, 0});
}

Result PlanForget(bool is_replaced, const ChangeFacts& facts) {
  const std::string name = NameOf(facts.node);
  if (facts.node.departure() == rpc::FORGOTTEN) return std::optional<ChangePlan>();
  if (facts.is_usable && !DFS_MUTANT(807, "a node that is alive is forgotten")) {
    return Refuse(absl::StrCat(name, " is alive: use dfs-cli leave ", name,
                               ", which hands its copies over first"));
  }
  if (is_replaced && !facts.successor) {
    return Refuse(absl::StrCat("no node has come in the stead of ", name,
                               " yet: start dfs-server with an empty data directory and --join at its address (",
                               facts.node.client_address(), ") or with its name, then ask again"));
  }
  if (facts.members <= 1 && metadata::HoldsReplicas(facts.node)) return Refuse("it is the last member");
  if (facts.last_copies > 0 && !facts.is_forced &&
      !DFS_MUTANT(808, "a node is forgotten that may hold the last copy")) {
    return Refuse(absl::StrCat(facts.last_copies, " file(s), for example \"", facts.last_copy_name,
                               "\", have no complete copy on a live node without ", name,
                               ": start it again if that is possible; --force gives those files up",
                               TrashLossText(facts)));
  }
  return std::optional(ChangePlan{rpc::FORGOTTEN, is_replaced ? facts.successor->node_id() : 0});
}

}  // namespace

absl::StatusOr<rpc::NodeRow> FindNamed(const std::vector<NamedNode>& nodes, std::string_view name,
                                       bool wants_dead) {
  // Smaller is likelier.
  const auto rank = [&](const NamedNode& node) {
    return std::tuple(node.row.state() == rpc::RETIRED, node.is_usable == wants_dead);
  };
  const NamedNode* best = nullptr;
  bool is_ambiguous = false;
  for (const auto& node : nodes) {
    if (absl::StrCat(node.row.node_id()) == name) return node.row;
    if (NameOf(node.row) != name) continue;
    if (best == nullptr || rank(node) < rank(*best)) {
      best = &node;
      is_ambiguous = false;
    } else if (rank(node) == rank(*best)) {
      is_ambiguous = true;
    }
  }
  if (best == nullptr) return absl::NotFoundError(absl::StrCat("no member is called ", std::string(name)));
  // Of those that were, the last one.
  if (best->row.state() == rpc::RETIRED) {
    for (const auto& node : nodes) {
      if (NameOf(node.row) == name && rank(node) == rank(*best)) best = &node;
    }
    return best->row;
  }
  if (is_ambiguous) {
    return absl::InvalidArgumentError(
        absl::StrCat("several members are called ", std::string(name), ": give the id"));
  }
  return best->row;
}

std::optional<rpc::NodeRow> FindSuccessor(const std::vector<NamedNode>& nodes,
                                          const rpc::NodeRow& dead) {
  for (const auto& node : nodes) {
    const rpc::NodeRow& row = node.row;
    if (row.node_id() == dead.node_id() || !node.is_usable || row.state() == rpc::RETIRED) continue;
    const bool is_same_place = row.client_address() == dead.client_address() ||
                               row.peer_address() == dead.peer_address();
    if (is_same_place || (!dead.name().empty() && row.name() == dead.name())) return row;
  }
  return std::nullopt;
}

std::string TrashLossText(const ChangeFacts& facts) {
  if (facts.last_trashed == 0) return "";
  return absl::StrCat("; ", facts.last_trashed, " removed file(s) in the trash have their last complete copy there, and "
                      "undelete cannot bring these back without it");
}

Result PlanChange(ChangeMemberRequest::Change change, const ChangeFacts& facts) {
  switch (change) {
    case ChangeMemberRequest::LEAVE:
      return PlanHandover(rpc::LEAVING, facts);
    case ChangeMemberRequest::DRAIN:
      return PlanHandover(rpc::DRAINING, facts);
    case ChangeMemberRequest::UNDRAIN:
      if (facts.node.departure() == rpc::STAYS) return std::optional<ChangePlan>();
      return std::optional(ChangePlan{rpc::STAYS, 0});
    case ChangeMemberRequest::FORGET:
      return PlanForget(false, facts);
    case ChangeMemberRequest::REPLACE:
      return PlanForget(true, facts);
    default:
      return absl::InvalidArgumentError("no such change");
  }
}

}  // namespace dfs::leader
