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
  bool is_leader = false;    // keeps its vote unless it goes
  bool is_out = false;       // gives its vote to another that is there
  bool goes = false;         // leaves or is forgotten: may not vote any more, and is not counted
};

// 1 below three members, 3 from there on, 5 from five on.
[[nodiscard]] std::size_t VotersWanted(std::size_t members);

// Those that vote stay, unless they go, or are OUT and another can take the vote. Others join them, from zones without
// a voter first, until there are as many as wanted; where there are more, those that are away and those
// from zones with another voter lose the vote first. A voter from a zone with several gives its vote to an eligible member of a
// zone that has none, one at a time. Where fewer can vote than wanted: `current`, because two voters stand
// less than one does. `active`: all ACTIVE members.
[[nodiscard]] std::set<NodeId> ChooseVoters(const std::vector<VoterCandidate>& active,
                                            const std::set<NodeId>& current);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_VOTER_CHOICE_H_
