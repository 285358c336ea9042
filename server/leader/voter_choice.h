// Which members vote. Pure.
#ifndef DFS_SERVER_LEADER_VOTER_CHOICE_H_
#define DFS_SERVER_LEADER_VOTER_CHOICE_H_

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "common/ids.h"

namespace dfs::leader {

struct VoterCandidate {
  NodeId node;
  std::string zone;          // empty: a zone of its own
  bool is_eligible = false;  // alive and with the log nearly at its end: may become a voter now
};

// 1 below three members, 3 from there on.
[[nodiscard]] std::size_t VotersWanted(std::size_t members);

// Those that vote stay; others join them, from zones without a voter first, until there are as many as wanted.
// Fewer eligible ones than that: `current`, because two voters stand less than one does. `active`: all ACTIVE members.
[[nodiscard]] std::set<NodeId> ChooseVoters(const std::vector<VoterCandidate>& active,
                                            const std::set<NodeId>& current);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_VOTER_CHOICE_H_
