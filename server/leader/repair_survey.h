// One look at all versions: what copies are missing, and in which order to make them. Pure.
#ifndef DFS_SERVER_LEADER_REPAIR_SURVEY_H_
#define DFS_SERVER_LEADER_REPAIR_SURVEY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "common/ids.h"
#include "server/leader/repair_plan.h"

namespace dfs::leader {

struct Handover {
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t chunks_stuck = 0;       // of the chunks: no copy can be made now
  Obstacle obstacle = Obstacle::kNone;  // of one of the stuck ones
};

struct SurveyTotals {
  std::uint64_t chunks_incomplete = 0;
  std::uint64_t copies_missing = 0;
  std::uint64_t bytes_missing = 0;
  // Of the incomplete ones, but not of what is in the trash: held by one live node only.
  std::uint64_t chunks_one_copy = 0;
  std::uint64_t chunks_no_copy = 0;   // of the incomplete ones: by none
  std::uint64_t chunks_waiting = 0;   // of the incomplete ones: nothing can be done now
  std::uint64_t files_short = 0;  // with a chunk of which fewer copies than wanted are present
  // For each member on its way out: chunks that would be short of copies without it.
  std::map<NodeId, Handover> handovers;
};

// Not thread-safe.
class RepairSurvey {
 public:
  // Beyond, a chunk is counted only, or takes the place of one of a greater RankOf(); the next look queues what was left out.
  static constexpr std::size_t kQueuedMax = 200'000;

  explicit RepairSurvey(std::size_t queued_max = kQueuedMax) : queued_max_(queued_max) {}

  // `is_busy`: its copy is on its way, or failed a moment ago: counted, not queued. What is in the trash and cannot be
  // copied now is no loss that anybody must hear of: it counts for the hand-over only.
  void Add(const IncompleteChunk& chunk, const RepairMembers& members, bool is_busy);
  // A file with a chunk that lacks copies, whatever is being done about it.
  void CountShortFile() { ++totals_.files_short; }
  // The look has ended: from here on chunks with more than one live copy may be taken.
  void Finish() { is_finished_ = true; }

  [[nodiscard]] bool is_finished() const { return is_finished_; }
  [[nodiscard]] const SurveyTotals& totals() const { return totals_; }
  [[nodiscard]] std::size_t queued() const { return queued_; }
  // Takes up to `count` chunks, those with the fewest live copies first. Before the end of the look only those with one
  // live copy: one copy goes before two among all versions, not only among those seen so far.
  [[nodiscard]] std::vector<ChunkId> Take(std::size_t count);

 private:
  // A place for a chunk of this rank, if need be that of one of the greatest rank. False: there is none.
  bool MakeRoom(const RepairRank& rank);

  std::size_t queued_max_;
  SurveyTotals totals_;
  std::map<RepairRank, std::deque<ChunkId>> by_rank_;  // no deque is empty
  std::size_t queued_ = 0;
  bool is_finished_ = false;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_SURVEY_H_
