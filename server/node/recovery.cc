#include "server/node/recovery.h"

#include <glog/logging.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/metadata.pb.h"

namespace dfs::node {
namespace {

// Terms that the lost voter may have begun without this node's knowledge (each start of its process
// is one) stay unused: transactions and so chunks are named by their term.
constexpr std::uint64_t kTermsSkipped = 1'000'000;

const consensus::Configuration& NewestConfiguration(const consensus::InitialState& stored) {
  const auto found =
      std::find_if(stored.entries.rbegin(), stored.entries.rend(),
                   [](const consensus::Entry& entry) { return entry.configuration != nullptr; });
  return found == stored.entries.rend() ? stored.base_configuration : *found->configuration;
}

absl::Status Refused(const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat(
      "--recover-as-voter is for the second of two members, when the only voter is lost "
      "for good: ",
      why, ". Nothing was changed"));
}

absl::Status CheckMembers(NodeId self, const consensus::Configuration& configuration) {
  const auto own = configuration.members.find(self);
  if (own == configuration.members.end())
    return Refused("this node's log does not name it as a member");
  if (configuration.members.size() != 2) {
    return Refused(absl::StrCat("this node knows of ", configuration.members.size(), " members"));
  }
  if (configuration.IsVoter(self)) return Refused("this node votes already");
  if (configuration.is_joint()) return Refused("a change of voters is under way");
  // From the entry on that made it active it holds every change that was answered.
  if (!own->second.is_active) return Refused("this node was still taking over the log, or is a gateway or storage node");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<Recovery>> PlanRecovery(const replicated_log::Identity& identity,
                                                     const consensus::InitialState& stored) {
  if (!identity.cluster_id) {
    return absl::InvalidArgumentError(
        "--recover-as-voter: the data directory belongs to no cluster, there is nothing to "
        "recover");
  }
  const consensus::Configuration& now = NewestConfiguration(stored);
  const NodeId self = identity.node_id;
  if (now.members.size() == 1 && now.voters == std::set<NodeId>{self} && !now.is_joint()) {
    return std::optional<Recovery>();
  }
  DFS_RETURN_IF_ERROR(CheckMembers(self, now));
  Recovery plan;
  consensus::Configuration next;
  for (const auto& [node, member] : now.members) {
    if (node == self) {
      next.members[node] = member;
      continue;
    }
    plan.lost = node;
    plan.lost_address = member.peer_address;
  }
  next.voters.insert(self);
  rpc::Command command;
  command.mutable_retire_node()->set_node_id(plan.lost.value());
  command.set_time_us(static_cast<std::uint64_t>(absl::ToUnixMicros(SystemClock().WallNow())));
  const Term last_term = stored.entries.empty() ? stored.base_term : stored.entries.back().term;
  const Term known = std::max(stored.hard_state.term, last_term);
  plan.entry.term = Term(known.value() + kTermsSkipped);
  plan.entry.index = LogIndex(stored.base_index.value() + stored.entries.size() + 1);
  plan.entry.configuration = std::make_shared<const consensus::Configuration>(std::move(next));
  plan.entry.command = std::make_shared<const std::string>(command.SerializeAsString());
  plan.hard_state = {plan.entry.term, self};
  return std::optional<Recovery>(std::move(plan));
}

absl::Status RecoverAsVoter(replicated_log::LogStore& store, const std::vector<std::string>& others,
                            const Dial& answers) {
  DFS_ASSIGN_OR_RETURN(const consensus::InitialState stored, store.Load());
  DFS_ASSIGN_OR_RETURN(const auto plan, PlanRecovery(store.identity(), stored));
  if (!plan) {
    LOG(WARNING) << "--recover-as-voter: this node is the only member already; nothing is changed. "
                    "Take the flag away";
    return absl::OkStatus();
  }
  std::vector<std::string> asked = others;
  asked.push_back(plan->lost_address);
  for (const auto& address : asked) {
    if (!answers(address)) continue;
    return Refused(
        absl::StrCat("something answers at ", address, ". If node ", plan->lost.value(),
                     " lives, start this node without the flag; else stop what listens there"));
  }
  DFS_RETURN_IF_ERROR(store.Append(plan->hard_state, {plan->entry}));
  LOG(WARNING)
      << "RECOVERED AS VOTER: node " << store.identity().node_id
      << " is the only voter and the only member from log index " << plan->entry.index << ", term "
      << plan->entry.term << ", on.\n"
      << "  Node " << plan->lost << " (" << plan->lost_address
      << ") is retired: never start it again with its data directory, wipe that first.\n"
      << "  Kept: every change that was answered while both nodes were members.\n"
      << "  Lost: bytes that only node " << plan->lost
      << " held (files put while it was alone and not copied yet): `dfs-cli get` of such a file "
         "fails. Requests that were under way when it died may or may not have happened.\n"
      << "  Until another node joins, every file has one copy: let one join soon.";
  return absl::OkStatus();
}

}  // namespace dfs::node
