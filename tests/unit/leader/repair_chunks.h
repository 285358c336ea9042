// Chunks and members as tests of repair write them.
#ifndef DFS_TESTS_UNIT_LEADER_REPAIR_CHUNKS_H_
#define DFS_TESTS_UNIT_LEADER_REPAIR_CHUNKS_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "server/leader/repair_plan.h"

namespace dfs::leader {

inline constexpr auto kOk = CopyState::kOk;
inline constexpr auto kMissing = CopyState::kMissing;

// Nodes 1 to `count`, usable and nearly empty.
inline std::vector<placement::Candidate> MembersWithRoom(std::uint32_t count) {
  std::vector<placement::Candidate> members;
  for (std::uint32_t node = 1; node <= count; ++node) {
    placement::Candidate member;
    member.node = NodeId(node);
    member.free_bytes = std::uint64_t{100} << 30;
    member.is_usable = true;
    members.push_back(member);
  }
  return members;
}

// Of 10 bytes; three copies are wanted.
inline IncompleteChunk Chunk(std::uint64_t sequence, std::map<NodeId, CopyState> set) {
  return {{{Term(1), sequence}, 0}, 10, {1, sequence}, 3, std::move(set)};
}

}  // namespace dfs::leader

#endif  // DFS_TESTS_UNIT_LEADER_REPAIR_CHUNKS_H_
