#include "server/leader/repair_survey.h"

#include <algorithm>
#include <iterator>

#include "common/mutant.h"

namespace dfs::leader {

void RepairSurvey::Add(const IncompleteChunk& chunk, const RepairMembers& members, bool is_busy) {
  const ChunkHealth health = HealthOf(chunk, members);
  const Obstacle obstacle = health.is_complete() ? Obstacle::kComplete : ObstacleOf(chunk, members);
  const bool is_possible = obstacle == Obstacle::kNone;
  const std::size_t wanted_without = std::min(health.wanted, std::min(chunk.replicas_wanted, members.staying()));
  if (health.counting < wanted_without) {
    for (const auto& [node, state] : chunk.set) {
      if (state != CopyState::kOk || members.Find(node) == nullptr || members.Counts(node)) continue;
      Handover& handover = totals_.handovers[node];
      ++handover.chunks;
      handover.bytes += chunk.size;
      if (is_possible) continue;
      ++handover.chunks_stuck;
      handover.obstacle = obstacle;
    }
  }
  if (health.is_complete()) return;
  if (chunk.is_trashed && !is_possible) return;
  const std::size_t missing = health.wanted - health.counting;
  ++totals_.chunks_incomplete;
  totals_.copies_missing += missing;
  totals_.bytes_missing += missing * chunk.size;
  if (health.live == 0) ++totals_.chunks_no_copy;
  if (health.live == 1 && !chunk.is_trashed) ++totals_.chunks_one_copy;
  if (!is_possible) {
    ++totals_.chunks_waiting;
    return;
  }
  const RepairRank rank = RankOf(chunk, health);
  if (is_busy || !MakeRoom(rank)) return;
  by_rank_[rank].push_back(chunk.chunk);
  ++queued_;
}

bool RepairSurvey::MakeRoom(const RepairRank& rank) {
  if (queued_ < queued_max_) return true;
  if (by_rank_.empty() || DFS_MUTANT(1257, "a full queue of repair leaves endangered files out")) return false;
  const auto worst = std::prev(by_rank_.end());
  if (rank >= worst->first) return false;
  worst->second.pop_back();
  if (worst->second.empty()) by_rank_.erase(worst);
  --queued_;
  return true;
}

std::vector<ChunkId> RepairSurvey::Take(std::size_t count) {
  std::vector<ChunkId> taken;
  const bool takes_all =
      is_finished_ || DFS_MUTANT(804, "repair takes two copies before it has looked for one");
  while (!by_rank_.empty() && taken.size() < count) {
    const auto best = by_rank_.begin();
    if (best->first > RepairRank{false, 1} && !takes_all) break;
    taken.push_back(best->second.front());
    best->second.pop_front();
    if (best->second.empty()) by_rank_.erase(best);
    --queued_;
  }
  return taken;
}

}  // namespace dfs::leader
