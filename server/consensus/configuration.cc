#include "server/consensus/configuration.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/mutant.h"

namespace dfs::consensus {
namespace {

bool HasMajority(const std::set<NodeId>& voters, const std::function<bool(NodeId)>& has) {
  const auto count = static_cast<std::size_t>(std::count_if(voters.begin(), voters.end(), has));
  return !voters.empty() && count > voters.size() / 2;
}

LogIndex MajorityIndex(const std::set<NodeId>& voters,
                       const std::function<LogIndex(NodeId)>& match) {
  std::vector<LogIndex> reached;
  reached.reserve(voters.size());
  for (const NodeId voter : voters) reached.push_back(match(voter));
  std::sort(reached.begin(), reached.end(), std::greater<>());
  return reached.empty() ? LogIndex() : reached[reached.size() / 2];
}

absl::Status CheckShape(const Configuration& c) {
  if (c.voters.empty()) return absl::InvalidArgumentError("a configuration needs a voter");
  for (const auto* set : {&c.voters, &c.old_voters}) {
    for (const NodeId voter : *set) {
      const auto member = c.members.find(voter);
      if (member == c.members.end()) {
        return absl::InvalidArgumentError("voter " + std::to_string(voter.value()) +
                                          " is not a member");
      }
      if (!member->second.is_active) {
        return absl::InvalidArgumentError("voter " + std::to_string(voter.value()) +
                                          " is not active");
      }
    }
  }
  for (const auto& [node, info] : c.members) {
    if (info.is_active && info.gets_no_commands) {
      return absl::InvalidArgumentError("member " + std::to_string(node.value()) +
                                        " is active without the commands");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::size_t Configuration::ActiveCount() const {
  return static_cast<std::size_t>(std::count_if(members.begin(), members.end(),
                                                [](const auto& m) { return m.second.is_active; }));
}

bool Configuration::HasQuorum(const std::function<bool(NodeId)>& has) const {
  if (!HasMajority(voters, has)) return false;
  if (DFS_MUTANT(5, "a joint decision needs the new majority only")) return true;
  return old_voters.empty() || HasMajority(old_voters, has);
}

LogIndex Configuration::QuorumIndex(const std::function<LogIndex(NodeId)>& match) const {
  const LogIndex reached = MajorityIndex(voters, match);
  if (DFS_MUTANT(5, "a joint decision needs the new majority only")) return reached;
  return old_voters.empty() ? reached : std::min(reached, MajorityIndex(old_voters, match));
}

LogIndex Configuration::HeldIndex(const std::function<LogIndex(NodeId)>& match) const {
  std::vector<LogIndex> held;
  for (const auto& [node, info] : members) {
    if (info.is_active || DFS_MUTANT(207, "joiners count (rule R7)")) held.push_back(match(node));
  }
  if (held.empty()) return LogIndex();
  std::sort(held.begin(), held.end(), std::greater<>());
  return held[std::min<std::size_t>(2, held.size()) - 1];
}

Configuration Configuration::EnterJoint(std::set<NodeId> next_voters) const {
  Configuration next = *this;
  next.old_voters = voters;
  next.voters = std::move(next_voters);
  return next;
}

Configuration Configuration::LeaveJoint() const {
  Configuration next = *this;
  next.old_voters.clear();
  return next;
}

absl::Status Configuration::CheckStep(const Configuration& next) const {
  if (absl::Status shape = CheckShape(next); !shape.ok()) return shape;
  if (voters.empty()) {  // the first configuration of all
    if (next.is_joint()) return absl::InvalidArgumentError("the first configuration is joint");
    return absl::OkStatus();
  }
  for (const auto& [node, info] : next.members) {
    const auto before = members.find(node);
    if (before != members.end() && before->second.storage_uuid != info.storage_uuid) {
      return absl::InvalidArgumentError("member " + std::to_string(node.value()) +
                                        " would change its storage_uuid");
    }
    if (before != members.end() && before->second.gets_no_commands != info.gets_no_commands) {
      return absl::InvalidArgumentError("member " + std::to_string(node.value()) +
                                        " would change whether it gets commands");
    }
  }
  if (is_joint() && next.is_joint()) {
    return absl::InvalidArgumentError("joint already: the only way on is to leave it");
  }
  if (is_joint() || next.is_joint()) {
    if (members != next.members) {
      return absl::InvalidArgumentError("members change while voters do");
    }
    const Configuration expected = is_joint() ? LeaveJoint() : EnterJoint(next.voters);
    if (next != expected) return absl::InvalidArgumentError("voters change without joint");
    return absl::OkStatus();
  }
  if (voters != next.voters) return absl::InvalidArgumentError("voters change without joint");
  return absl::OkStatus();
}

}  // namespace dfs::consensus
