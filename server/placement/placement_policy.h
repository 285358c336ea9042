// Which nodes get the copies of a new file. Pure: equal questions get equal answers.
#ifndef DFS_SERVER_PLACEMENT_PLACEMENT_POLICY_H_
#define DFS_SERVER_PLACEMENT_PLACEMENT_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"

namespace dfs::placement {

// Watermarks on what new chunks may still use of a disk (the node's own reserve, for its databases, is taken off already).
// Below kFreeBytesMin, or a twentieth of a small disk, a node is nearly full: new files go elsewhere, and what is left is for
// repair and for puts that would find no W nodes otherwise. Below kFullBytes, or a fiftieth, it is full and gets nothing.
inline constexpr std::uint64_t kFreeBytesMin = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kFullBytes = std::uint64_t{128} << 20;  // two chunks of full length
inline constexpr std::size_t kSparesMax = 2;

enum class Fullness { kRoomy, kNearlyFull, kFull };
// `total_bytes` 0: the size of the disk is not known.
[[nodiscard]] Fullness FullnessOf(std::uint64_t free_bytes, std::uint64_t total_bytes);

struct Candidate {
  NodeId node;
  std::string zone;              // failure domain; empty is a zone as any other
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;  // 0: not known
  bool is_usable = false;        // alive, as far as the asker knows
  bool is_retired = false;       // no member (any more): never picked
  bool is_slow = false;          // its disk hangs: picked only where nobody else is left
  // OUT or on its way out: gets no new copies, and stands in a set only where nobody else is left.
  bool is_withdrawn = false;
  // Has started, and what it holds was not compared with the log since. Of no meaning for placement.
  bool is_returning = false;
};

struct Question {
  std::vector<Candidate> candidates;  // the members, each once
  NodeId coordinator;                 // has the bytes at hand; none: nobody is preferred
  std::vector<NodeId> avoid;          // just failed: neither replica nor spare
  std::vector<NodeId> holders;        // hold the bytes already: taken first unless retired
  std::size_t replicas = 3;           // wanted
  bool takes_nearly_full = false;     // nodes that are nearly full are taken too
  std::uint64_t seed = 0;             // varies the choice among equals, for instance the transaction's number
};

struct Placement {
  // Where to write now: at most `replicas`, fewer if fewer are usable. Holders come first, then the coordinator
  // if it can take a copy.
  std::vector<NodeId> replicas;
  // Next choices, if one of them fails. At most kSparesMax.
  std::vector<NodeId> spares;
  // What the version is to name (rule R16): min(replicas, members) distinct nodes, `replicas` first, then those
  // that stand in as missing.
  std::vector<NodeId> set;
};

// Prefers, in this order: holders, nodes whose disks are not slow, the coordinator, zones that have fewest copies, and free space. Free space decides by
// weighted rendezvous hashing: over many seeds a node with twice the space gets about twice the
// copies. (Always to take the emptiest would send every put to the same node until its
// next heartbeat says so, and all load to a node that has just joined.)
[[nodiscard]] Placement Place(const Question& question);

}  // namespace dfs::placement

#endif  // DFS_SERVER_PLACEMENT_PLACEMENT_POLICY_H_
