// How transcripts and traces write what a Raft group does (tests/scenarios/README.md says how to
// read it).
#ifndef DFS_TESTS_SUPPORT_RAFT_TEXT_H_
#define DFS_TESTS_SUPPORT_RAFT_TEXT_H_

#include <string>
#include <vector>

#include "server/consensus/input_output.h"
#include "server/consensus/message.h"
#include "server/consensus/raft_core.h"

namespace dfs::consensus {

// "{1 2 3} +4 ?5": voters, learners that count, joiners; "{1 2 4}&{1 2 3}" while joint.
std::string TextOf(const Configuration& configuration);
// "5/2 x": index, term and command; "-" for none; a configuration in braces.
std::string TextOf(const Entry& entry);
std::string TextOf(const std::vector<Entry>& entries);
std::string TextOf(const Message& message);
std::string TextOf(RejectReason reason);
std::string TextOf(Role role);
// "leader term 2 leader 1 commit 3": what others can see of a member.
std::string StateOf(const RaftCore& core);

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SUPPORT_RAFT_TEXT_H_
