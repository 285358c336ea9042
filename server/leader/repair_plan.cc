#include "server/leader/repair_plan.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "common/mutant.h"

namespace dfs::leader {
namespace {

struct Target {
  NodeId node;
  NodeId replaces;
};

// Members of the set whose copy is to be made again, the least loaded first.
template <class MayTake>
std::optional<Target> TargetInSet(const IncompleteChunk& chunk, MayTake may_take,
                                  const RepairLimits& limits, RepairLoad& load) {
  std::optional<NodeId> best;
  for (const auto& [node, state] : chunk.set) {
    if (state == CopyState::kOk || !may_take(node)) continue;
    if (load.by_target[node] >= limits.per_target_max) continue;
    if (!best || load.by_target[node] < load.by_target[*best]) best = node;
  }
  if (!best) return std::nullopt;
  return Target{*best, NodeId()};
}

// Smaller gives its place up first; nullopt: it keeps it.
std::optional<int> RankOfPlace(const IncompleteChunk& chunk, NodeId node,
                               const RepairMembers& members) {
  const bool is_ok = chunk.set.at(node) == CopyState::kOk;
  if (members.Find(node) == nullptr) return is_ok ? 1 : 0;
  if (!members.Counts(node)) {
    if (!is_ok) return 2;
    return members.IsUsable(node) ? 4 : 3;
  }
  if (is_ok) return std::nullopt;
  // Alive and yet no target: it is full. A dead one may come back with room.
  return members.IsUsable(node) ? std::optional<int>(5) : std::nullopt;
}

// Whose place a copy outside the set takes: none, if one is free. nullopt: there is no place.
std::optional<NodeId> PlaceInSet(const IncompleteChunk& chunk, const RepairMembers& members) {
  if (chunk.set.size() < std::min(chunk.replicas_wanted, members.size())) return NodeId();
  std::optional<NodeId> best;
  int best_rank = std::numeric_limits<int>::max();
  for (const auto& [node, state] : chunk.set) {
    const auto rank = RankOfPlace(chunk, node, members);
    if (!rank || *rank >= best_rank) continue;
    best = node;
    best_rank = *rank;
  }
  return best;
}

// A node outside the set, from a zone with as few of its copies as can be, with the least to do and the most room.
template <class MayTake>
std::optional<Target> TargetOutside(const IncompleteChunk& chunk, const RepairMembers& members,
                                    MayTake may_take, const RepairLimits& limits,
                                    RepairLoad& load) {
  const auto replaces = PlaceInSet(chunk, members);
  if (!replaces) return std::nullopt;
  std::map<std::string, int> zones;
  for (const auto& [node, state] : chunk.set) {
    const placement::Candidate* const member = members.Find(node);
    if (member != nullptr && node != *replaces && !member->zone.empty()) ++zones[member->zone];
  }
  std::optional<NodeId> best;
  std::tuple<int, std::size_t, std::uint64_t> best_rank;
  for (const auto& [node, candidate] : members.all()) {
    if (chunk.set.contains(node) || !may_take(node)) continue;
    if (load.by_target[node] >= limits.per_target_max) continue;
    const auto in_zone = zones.find(candidate.zone);
    const std::tuple rank{in_zone == zones.end() ? 0 : in_zone->second, load.by_target[node],
                          ~candidate.free_bytes};
    if (!best || rank < best_rank) {
      best = node;
      best_rank = rank;
    }
  }
  if (!best) return std::nullopt;
  return Target{*best, *replaces};
}

std::optional<Target> ChooseTarget(const IncompleteChunk& chunk, const RepairMembers& members,
                                   const RepairLimits& limits, RepairLoad& load) {
  const auto has_room = [&](NodeId node) { return members.HasRoom(node); };
  const auto takes_copies = [&](NodeId node) { return members.TakesCopies(node); };
  auto target = TargetInSet(chunk, has_room, limits, load);
  if (!target) target = TargetOutside(chunk, members, has_room, limits, load);
  if (!target) target = TargetInSet(chunk, takes_copies, limits, load);
  if (!target) target = TargetOutside(chunk, members, takes_copies, limits, load);
  return target;
}

std::vector<NodeId> Sources(const IncompleteChunk& chunk, const RepairMembers& members,
                            const RepairLimits& limits, RepairLoad& load) {
  std::vector<NodeId> sources = LiveSources(chunk, members, load);
  if (!sources.empty() && load.by_source[sources.front()] >= limits.per_source_max) return {};
  return sources;
}

// No live copy is known. A member of the set that counts as missing may hold one all the same: its acknowledgement died
// with a leader, say. Each is asked; without a source that is all an order does.
void AskHolders(const IncompleteChunk& chunk, const RepairMembers& members,
                const RepairLimits& limits, RepairLoad& load, std::vector<CopyTask>* tasks) {
  for (const auto& [node, state] : chunk.set) {
    if (state == CopyState::kOk || !members.IsUsable(node)) continue;
    if (load.in_flight >= limits.in_flight_max || load.by_target[node] >= limits.per_target_max) continue;
    if (DFS_MUTANT(809, "a copy that is counted as missing is never asked for")) continue;
    ++load.in_flight;
    ++load.by_target[node];
    tasks->push_back({chunk.chunk, chunk.size, chunk.hash, {}, node, NodeId(), false});
  }
}

std::size_t WantedOfTrash(const IncompleteChunk& chunk, const RepairMembers& members) {
  if (DFS_MUTANT(1240, "a node that leaves takes along what only it has in the trash")) return 0;
  const bool may_go = std::any_of(chunk.set.begin(), chunk.set.end(), [&](const auto& entry) {
    return entry.second == CopyState::kOk && members.Find(entry.first) != nullptr &&
           !members.Counts(entry.first);
  });
  return may_go ? std::min({chunk.replicas_wanted, kTrashCopies, members.staying()}) : 0;
}

}  // namespace

RepairMembers::RepairMembers(const std::vector<placement::Candidate>& members) {
  for (const auto& candidate : members) {
    members_[candidate.node] = candidate;
    if (!candidate.is_withdrawn) ++staying_;
  }
}

const placement::Candidate* RepairMembers::Find(NodeId node) const {
  const auto found = members_.find(node);
  return found == members_.end() ? nullptr : &found->second;
}

bool RepairMembers::IsUsable(NodeId node) const {
  const placement::Candidate* const member = Find(node);
  return member != nullptr && member->is_usable;
}

bool RepairMembers::Counts(NodeId node) const {
  const placement::Candidate* const member = Find(node);
  return member != nullptr && !member->is_withdrawn;
}

bool RepairMembers::TakesCopies(NodeId node) const {
  const placement::Candidate* const member = Find(node);
  return member != nullptr && member->is_usable && !member->is_withdrawn &&
         placement::FullnessOf(member->free_bytes, member->total_bytes) != placement::Fullness::kFull;
}

bool RepairMembers::HasRoom(NodeId node) const {
  const placement::Candidate* const member = Find(node);
  return TakesCopies(node) && placement::FullnessOf(member->free_bytes, member->total_bytes) ==
                                  placement::Fullness::kRoomy;
}

ChunkHealth HealthOf(const IncompleteChunk& chunk, const RepairMembers& members) {
  ChunkHealth health;
  health.wanted = chunk.is_trashed ? WantedOfTrash(chunk, members)
                                   : std::min(chunk.replicas_wanted, members.size());
  for (const auto& [node, state] : chunk.set) {
    if (state != CopyState::kOk) continue;
    if (members.Counts(node)) ++health.counting;
    if (members.IsUsable(node)) ++health.live;
    if (members.Counts(node) || members.IsUsable(node)) ++health.present;
  }
  return health;
}

RepairRank RankOf(const IncompleteChunk& chunk, const ChunkHealth& health) {
  return {chunk.is_trashed, health.live};
}

bool IsWhole(const IncompleteChunk& chunk, const RepairMembers& members) {
  return chunk.set.size() >= std::min(chunk.replicas_wanted, members.size()) &&
         std::all_of(chunk.set.begin(), chunk.set.end(), [&](const auto& entry) {
           return entry.second == CopyState::kOk && members.Find(entry.first) != nullptr;
         });
}

std::vector<NodeId> LiveSources(const IncompleteChunk& chunk, const RepairMembers& members,
                                const RepairLoad& load) {
  const auto load_of = [&](NodeId node) {
    const auto found = load.by_source.find(node);
    return found == load.by_source.end() ? 0 : found->second;
  };
  std::vector<NodeId> sources;
  for (const auto& [node, state] : chunk.set) {
    if (state == CopyState::kOk && members.IsUsable(node)) sources.push_back(node);
  }
  std::stable_sort(sources.begin(), sources.end(),
                   [&](NodeId a, NodeId b) { return load_of(a) < load_of(b); });
  return sources;
}

std::vector<CopyTask> PlanRepair(const std::vector<IncompleteChunk>& chunks,
                                 const RepairMembers& members, const RepairLimits& limits,
                                 RepairLoad load) {
  std::vector<std::pair<RepairRank, const IncompleteChunk*>> order;
  order.reserve(chunks.size());
  for (const auto& chunk : chunks) {
    const ChunkHealth health = HealthOf(chunk, members);
    if (!health.is_complete()) order.emplace_back(RankOf(chunk, health), &chunk);
  }
  if (!DFS_MUTANT(803, "repair does not take the most endangered chunk first")) {
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  std::vector<CopyTask> tasks;
  for (const auto& [rank, entry] : order) {
    const IncompleteChunk& chunk = *entry;
    if (load.in_flight >= limits.in_flight_max) break;
    if (rank == RepairRank{}) AskHolders(chunk, members, limits, load, &tasks);
    std::vector<NodeId> sources = Sources(chunk, members, limits, load);
    if (sources.empty()) continue;
    const auto target = ChooseTarget(chunk, members, limits, load);
    if (!target) continue;
    ++load.in_flight;
    ++load.by_source[sources.front()];
    ++load.by_target[target->node];
    tasks.push_back({chunk.chunk, chunk.size, chunk.hash, std::move(sources), target->node,
                     target->replaces, false});
  }
  return tasks;
}

Obstacle ObstacleOf(const IncompleteChunk& chunk, const RepairMembers& members) {
  const ChunkHealth health = HealthOf(chunk, members);
  if (health.is_complete()) return Obstacle::kComplete;
  if (health.live == 0) return Obstacle::kNoLiveSource;
  RepairLoad none;
  constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
  if (ChooseTarget(chunk, members, {kUnlimited, kUnlimited, kUnlimited}, none)) {
    return Obstacle::kNone;
  }
  bool has_full = false;
  bool has_away = false;
  for (const auto& [node, candidate] : members.all()) {
    const auto at = chunk.set.find(node);
    if (!members.Counts(node) || (at != chunk.set.end() && at->second == CopyState::kOk)) continue;
    (candidate.is_usable ? has_full : has_away) = true;
  }
  if (has_away) return Obstacle::kNodesAway;
  return has_full ? Obstacle::kNoSpace : Obstacle::kNoNodeLeft;
}

}  // namespace dfs::leader
