#include "server/leader/repair_plan.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace dfs::leader {
namespace {

using Members = std::map<NodeId, const placement::Candidate*>;

bool IsUsable(const Members& members, NodeId node) {
  const auto found = members.find(node);
  return found != members.end() && found->second->is_usable;
}

bool TakesCopies(const Members& members, NodeId node) {
  return IsUsable(members, node) && members.at(node)->free_bytes >= placement::kFreeBytesMin;
}

std::size_t LiveCopies(const Members& members, const IncompleteChunk& chunk) {
  return static_cast<std::size_t>(std::count_if(chunk.set.begin(), chunk.set.end(), [&](auto& e) {
    return e.second == CopyState::kOk && IsUsable(members, e.first);
  }));
}

// Members of the set whose copy is to be made again, the least loaded first.
std::optional<NodeId> TargetInSet(const Members& members, const IncompleteChunk& chunk,
                                  const RepairLimits& limits, RepairLoad& load) {
  std::optional<NodeId> best;
  for (const auto& [node, state] : chunk.set) {
    if (state == CopyState::kOk || !TakesCopies(members, node)) continue;
    if (load.by_target[node] >= limits.per_target_max) continue;
    if (!best || load.by_target[node] < load.by_target[*best]) best = node;
  }
  return best;
}

// A node outside the set, from a zone that is not in it if there is one, with the most room.
std::optional<NodeId> TargetOutside(const Members& members, const IncompleteChunk& chunk,
                                    const RepairLimits& limits, RepairLoad& load) {
  if (chunk.set.size() >= std::min(chunk.replicas_wanted, members.size())) return std::nullopt;
  std::set<std::string> zones;
  for (const auto& [node, state] : chunk.set) {
    const auto found = members.find(node);
    if (found != members.end() && !found->second->zone.empty()) zones.insert(found->second->zone);
  }
  std::optional<NodeId> best;
  std::tuple<bool, std::size_t, std::uint64_t> best_rank;
  for (const auto& [node, candidate] : members) {
    if (chunk.set.contains(node) || !TakesCopies(members, node)) continue;
    if (load.by_target[node] >= limits.per_target_max) continue;
    const std::tuple rank{zones.contains(candidate->zone), load.by_target[node],
                          ~candidate->free_bytes};
    if (!best || rank < best_rank) {
      best = node;
      best_rank = rank;
    }
  }
  return best;
}

std::vector<NodeId> Sources(const Members& members, const IncompleteChunk& chunk,
                            const RepairLimits& limits, RepairLoad& load) {
  std::vector<NodeId> sources;
  for (const auto& [node, state] : chunk.set) {
    if (state == CopyState::kOk && IsUsable(members, node)) sources.push_back(node);
  }
  std::stable_sort(sources.begin(), sources.end(), [&](NodeId a, NodeId b) {
    return load.by_source[a] < load.by_source[b];
  });
  if (!sources.empty() && load.by_source[sources.front()] >= limits.per_source_max) return {};
  return sources;
}

}  // namespace

std::vector<CopyTask> PlanRepair(const std::vector<IncompleteChunk>& chunks,
                                 const std::vector<placement::Candidate>& candidates,
                                 const RepairLimits& limits, RepairLoad load) {
  Members members;
  for (const auto& candidate : candidates) members[candidate.node] = &candidate;
  std::vector<std::pair<std::size_t, const IncompleteChunk*>> order;
  order.reserve(chunks.size());
  for (const auto& chunk : chunks) order.emplace_back(LiveCopies(members, chunk), &chunk);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<CopyTask> tasks;
  for (const auto& [copies, entry] : order) {
    const IncompleteChunk& chunk = *entry;
    if (load.in_flight >= limits.in_flight_max) break;
    std::vector<NodeId> sources = Sources(members, chunk, limits, load);
    if (sources.empty()) continue;
    std::optional<NodeId> target = TargetInSet(members, chunk, limits, load);
    if (!target) target = TargetOutside(members, chunk, limits, load);
    if (!target) continue;
    ++load.in_flight;
    ++load.by_source[sources.front()];
    ++load.by_target[*target];
    tasks.push_back({chunk.chunk, chunk.size, chunk.hash, std::move(sources), *target, NodeId()});
  }
  return tasks;
}

}  // namespace dfs::leader
