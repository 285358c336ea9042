#include "server/leader/repair_survey.h"

#include <algorithm>

#include "common/mutant.h"

namespace dfs::leader {

void RepairSurvey::Add(const IncompleteChunk& chunk, const RepairMembers& members, bool is_busy) {
  const ChunkHealth health = HealthOf(chunk, members);
  const std::size_t wanted_without = std::min(health.wanted, std::min(chunk.replicas_wanted, members.staying()));
  if (health.counting < wanted_without) {
    for (const auto& [node, state] : chunk.set) {
      if (state != CopyState::kOk || members.Find(node) == nullptr || members.Counts(node)) continue;
      Handover& handover = totals_.handovers[node];
      ++handover.chunks;
      handover.bytes += chunk.size;
    }
  }
  if (health.is_complete()) return;
  const bool is_possible = ObstacleOf(chunk, members) == Obstacle::kNone;
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
  if (is_busy || queued_ >= kQueuedMax) return;
  by_rank_[RankOf(chunk, health)].push_back(chunk.chunk);
  ++queued_;
}

std::vector<ChunkId> RepairSurvey::Take(std::size_t count) {
  std::vector<ChunkId> taken;
  const bool takes_all =
      is_finished_ || DFS_MUTANT(804, "repair takes two copies before it has looked for one");
  for (auto& [rank, chunks] : by_rank_) {
    if (rank > 1 && !takes_all) break;
    while (!chunks.empty() && taken.size() < count) {
      taken.push_back(chunks.front());
      chunks.pop_front();
      --queued_;
    }
  }
  return taken;
}

}  // namespace dfs::leader
