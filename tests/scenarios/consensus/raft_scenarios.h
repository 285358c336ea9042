// Shared by the main functions that run the transcripts.
#ifndef DFS_TESTS_SCENARIOS_CONSENSUS_RAFT_SCENARIOS_H_
#define DFS_TESTS_SCENARIOS_CONSENSUS_RAFT_SCENARIOS_H_

namespace dfs::consensus {

// What the transcripts print is put into them. Written before the tests run.
extern bool g_rewrites_transcripts;

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SCENARIOS_CONSENSUS_RAFT_SCENARIOS_H_
