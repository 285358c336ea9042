// Which missing copies to make next, from where and onto which node. Pure.
#ifndef DFS_SERVER_LEADER_REPAIR_PLAN_H_
#define DFS_SERVER_LEADER_REPAIR_PLAN_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/ids.h"
#include "server/placement/placement_policy.h"

namespace dfs::leader {

enum class CopyState { kOk, kMissing, kCorrupt };

struct IncompleteChunk {
  ChunkId chunk;
  std::uint64_t size = 0;
  Hash128 hash;
  std::size_t replicas_wanted = 3;  // of the bucket
  std::map<NodeId, CopyState> set;
  bool is_trashed = false;  // its version was removed and may come back until it is purged (rule R17)
};

// What is in the trash gets no new copies, but where a good one is on a member that is OUT or on its way out: so many are
// wanted on those that stay. Two: what an acknowledged put has at least. A leave takes nothing with it, and one that
// leaves two elsewhere costs nothing. There may be fewer, though never fewer than there were good ones: where missing copies
// on dead members keep their places in the set, the new copy takes the place of the one that goes.
inline constexpr std::size_t kTrashCopies = 2;

// The ACTIVE members, by id. A node of a set that is not among them is retired.
class RepairMembers {
 public:
  explicit RepairMembers(const std::vector<placement::Candidate>& members);

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  // Those that are to stay: neither OUT nor on their way out.
  [[nodiscard]] std::size_t staying() const { return staying_; }
  [[nodiscard]] const std::map<NodeId, placement::Candidate>& all() const { return members_; }
  [[nodiscard]] const placement::Candidate* Find(NodeId node) const;
  // Alive: worth reading from.
  [[nodiscard]] bool IsUsable(NodeId node) const;
  // A copy there counts, whether the node is alive or not: it is a member that is to stay.
  [[nodiscard]] bool Counts(NodeId node) const;
  // May get new copies now. Repair uses the room of nodes that are nearly full, which new files avoid.
  [[nodiscard]] bool TakesCopies(NodeId node) const;
  // The same, and is not nearly full.
  [[nodiscard]] bool HasRoom(NodeId node) const;

 private:
  std::map<NodeId, placement::Candidate> members_;
  std::size_t staying_ = 0;
};

// What a chunk has. Complete: `counting` reaches `wanted`.
struct ChunkHealth {
  // min(replicas wanted, members): members that are OUT raise it all the same (rule R7). Of what is in the trash: 0, or
  // min(replicas wanted, kTrashCopies, members that stay).
  std::size_t wanted = 0;
  std::size_t counting = 0;  // good copies on members that are to stay
  std::size_t live = 0;      // good copies on nodes that are alive
  std::size_t present = 0;   // good copies on members that are alive or to stay
  [[nodiscard]] bool is_complete() const { return counting >= wanted; }
};
[[nodiscard]] ChunkHealth HealthOf(const IncompleteChunk& chunk, const RepairMembers& members);

// Smaller is copied first: what is in the trash after all else, then by the number of live copies.
struct RepairRank {
  bool is_trashed = false;
  std::size_t live = 0;
  friend auto operator<=>(const RepairRank&, const RepairRank&) = default;
};
[[nodiscard]] RepairRank RankOf(const IncompleteChunk& chunk, const ChunkHealth& health);

// Whether every node of the set is a member that holds a good copy, and the set is as large as it can be: what a move asks for.
[[nodiscard]] bool IsWhole(const IncompleteChunk& chunk, const RepairMembers& members);

struct RepairLimits {
  std::size_t in_flight_max = 16;
  std::size_t per_source_max = 4;
  std::size_t per_target_max = 4;
};

// Copies under way.
struct RepairLoad {
  std::size_t in_flight = 0;
  std::map<NodeId, std::size_t> by_source;
  std::map<NodeId, std::size_t> by_target;
};

// The live nodes that hold the chunk in full, the one with the fewest copies to give first.
[[nodiscard]] std::vector<NodeId> LiveSources(const IncompleteChunk& chunk,
                                              const RepairMembers& members, const RepairLoad& load);

struct CopyTask {
  ChunkId chunk;
  std::uint64_t size = 0;
  Hash128 hash;
  std::vector<NodeId> sources;  // alive, hold it in full; the least loaded first. None: the target is only asked whether it has it
  NodeId target;
  NodeId replaces;  // the node of the set whose place the copy takes; none: its own, or one that is free
  bool is_move = false;  // nothing is missing: `replaces` holds a good copy, and the target is to have it in its stead
};

// At most one task for a chunk; chunks of smaller RankOf() first. Targets that are nearly full come after all others. The target is a member of the set
// whose copy is missing or corrupt and that takes copies; failing that a node outside the set, from a zone that has no
// copy if there is one. Outside, the copy takes a free place of the set; else that of a retired node, of
// one that is OUT or on its way out, or of a missing or corrupt copy on a live node that takes none (it is full).
// A copy that counts is never replaced, and a missing copy on a dead node waits until that is OUT.
[[nodiscard]] std::vector<CopyTask> PlanRepair(const std::vector<IncompleteChunk>& chunks,
                                               const RepairMembers& members,
                                               const RepairLimits& limits, RepairLoad load);

// Why no copy of the chunk can be made now, whatever else is under way.
enum class Obstacle {
  kNone,          // one can
  kComplete,      // none is missing
  kNoLiveSource,  // no live node holds a good one
  kNodesAway,     // only nodes that are dead and not OUT yet could take one: their return is awaited
  kNoNodeLeft,    // every member that may take copies holds one already
  kNoSpace,       // others could, but they are full
};
[[nodiscard]] Obstacle ObstacleOf(const IncompleteChunk& chunk, const RepairMembers& members);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_PLAN_H_
