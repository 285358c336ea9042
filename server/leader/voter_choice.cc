#include "server/leader/voter_choice.h"

namespace dfs::leader {

std::size_t VotersWanted(std::size_t members) { return members < 3 ? 1 : 3; }

std::set<NodeId> ChooseVoters(const std::vector<VoterCandidate>& active,
                              const std::set<NodeId>& current) {
  const std::size_t wanted = VotersWanted(active.size());
  std::set<NodeId> voters = current;
  std::set<std::string> zones;
  for (const auto& candidate : active) {
    if (voters.contains(candidate.node)) zones.insert(candidate.zone);
  }
  for (const bool only_new_zones : {true, false}) {
    for (const auto& candidate : active) {
      if (voters.size() >= wanted) return voters;
      if (!candidate.is_eligible || voters.contains(candidate.node)) continue;
      const bool is_new = candidate.zone.empty() || !zones.contains(candidate.zone);
      if (only_new_zones && !is_new) continue;
      voters.insert(candidate.node);
      zones.insert(candidate.zone);
    }
  }
  return voters.size() >= wanted ? voters : current;
}

}  // namespace dfs::leader
