#include "server/leader/voter_choice.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace dfs::leader {
namespace {

// Voters while they are chosen.
class Choice {
 public:
  explicit Choice(const std::vector<VoterCandidate>& active) {
    for (const auto& candidate : active) candidates_[candidate.node] = &candidate;
  }

  void Add(const VoterCandidate& candidate) { voters_.insert(candidate.node); }
  [[nodiscard]] const std::set<NodeId>& voters() const { return voters_; }
  [[nodiscard]] bool Has(NodeId node) const { return voters_.contains(node); }

  // How many of the voters are in its zone, itself not counted.
  [[nodiscard]] std::size_t OthersInZone(const VoterCandidate& candidate) const {
    if (candidate.zone.empty()) return 0;
    return static_cast<std::size_t>(std::count_if(voters_.begin(), voters_.end(), [&](NodeId node) {
      return node != candidate.node && candidates_.at(node)->zone == candidate.zone;
    }));
  }

  // Adds eligible ones, new zones first, up to `wanted`.
  void Fill(std::size_t wanted) {
    for (const bool only_new_zones : {true, false}) {
      for (const auto& [node, candidate] : candidates_) {
        if (voters_.size() >= wanted) return;
        if (!IsFree(*candidate) || (only_new_zones && OthersInZone(*candidate) > 0)) continue;
        voters_.insert(node);
      }
    }
  }

  void Shrink(std::size_t wanted) {
    while (voters_.size() > wanted) {
      const NodeId worst = *std::max_element(voters_.begin(), voters_.end(), [&](NodeId a, NodeId b) {
        return Dispensability(a) < Dispensability(b);
      });
      voters_.erase(worst);
    }
  }

  // One voter makes room for a member of a zone that has none.
  void Spread() {
    const auto from = std::find_if(voters_.begin(), voters_.end(), [&](NodeId node) {
      const VoterCandidate& candidate = *candidates_.at(node);
      return !candidate.is_leader && OthersInZone(candidate) > 0;
    });
    if (from == voters_.end()) return;
    for (const auto& [node, candidate] : candidates_) {
      if (!IsFree(*candidate) || candidate->zone.empty() || OthersInZone(*candidate) > 0) continue;
      voters_.erase(from);
      voters_.insert(node);
      return;
    }
  }

 private:
  [[nodiscard]] bool IsFree(const VoterCandidate& candidate) const {
    return candidate.is_eligible && !candidate.goes && !candidate.is_out && !Has(candidate.node);
  }
  [[nodiscard]] std::tuple<bool, bool, bool, std::size_t, NodeId> Dispensability(NodeId node) const {
    const VoterCandidate& candidate = *candidates_.at(node);
    return {!candidate.is_leader, candidate.is_out, !candidate.is_eligible, OthersInZone(candidate),
            node};
  }

  std::map<NodeId, const VoterCandidate*> candidates_;
  std::set<NodeId> voters_;
};

}  // namespace

std::size_t VotersWanted(std::size_t members) {
  if (members < 3) return 1;
  return members < 5 ? 3 : 5;
}

std::set<NodeId> ChooseVoters(const std::vector<VoterCandidate>& active,
                              const std::set<NodeId>& current) {
  const std::size_t wanted = VotersWanted(static_cast<std::size_t>(
      std::count_if(active.begin(), active.end(), [](const auto& c) { return !c.goes; })));
  Choice choice(active);
  for (const auto& candidate : active) {
    if (current.contains(candidate.node) && !candidate.goes && !candidate.is_out) choice.Add(candidate);
  }
  choice.Fill(wanted);
  // Nobody can take their votes.
  for (const auto& candidate : active) {
    if (choice.voters().size() >= wanted) break;
    if (current.contains(candidate.node) && candidate.is_out && !candidate.goes) choice.Add(candidate);
  }
  choice.Shrink(wanted);
  if (choice.voters().size() >= wanted) {
    choice.Spread();
    return choice.voters();
  }
  // 3 of 5 are better than waiting for two that are not there.
  if (choice.voters().size() >= 3) {
    choice.Shrink(3);
    return choice.voters();
  }
  return current;
}

}  // namespace dfs::leader
