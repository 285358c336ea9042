// Makes the copies that are missing, while this node leads.
//
// Looks at all versions (at the incomplete ones only while no member is OUT or on its way out), queues what lacks copies by
// the number of live ones, and orders copies as fast as repair_pace allows. What is queued is read
// again before it is ordered. When nothing is missing it orders the moves that rebalance_loop wants.
#ifndef DFS_SERVER_LEADER_REPAIR_LOOP_H_
#define DFS_SERVER_LEADER_REPAIR_LOOP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dfs/v1/cluster.pb.h"
#include "server/leader/node_directory.h"
#include "server/leader/rebalance_loop.h"
#include "server/leader/repair_pace.h"
#include "server/leader/repair_plan.h"
#include "server/leader/repair_survey.h"
#include "server/leader/replica_changes.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// A look at all versions that is under way.
struct RepairLook {
  RepairSurvey survey;
    std::uint64_t arriving = 0;  // chunks whose missing copies their puts may still bring
  TxnId cursor;
  bool is_full = false;         // all versions, not only those with a missing replica
  std::string nodes;            // the members as they were at its begin
  MonotonicTime began;
};

// Held by shared_ptr: callbacks keep it.
class RepairLoop : public std::enable_shared_from_this<RepairLoop> {
 public:
  // Versions looked at in one go; then others get their turn on the executor.
  static constexpr int kVersionsPerSlice = 1'000;
  // Chunks that are read again and planned at once.
  static constexpr std::size_t kBacklogMax = 256;
  static constexpr std::size_t kFailedMax = 100'000;

  RepairLoop(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory,
             std::shared_ptr<ReplicaChanges> changes)
      : state_(std::move(state)), directory_(std::move(directory)), changes_(std::move(changes)),
        rebalance_(state_, directory_, [this](const metadata::MetadataView& view, const ChunkId& chunk) {
          // What was removed meanwhile stays where it is.
          auto read = ReadAgain(view, chunk);
          return read && read->is_trashed ? std::nullopt : read;
        }) {}

  // Orders as many copies as may be in flight; begins a look if it is time. Call regularly, from the executor.
  void Tick();
  // Copies were lost or nodes came and went: looks again at once. From the executor.
  void Poke();

  // What `status` shows. Thread-safe.
  [[nodiscard]] api::RepairProgress Progress() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What the node still has to hand over, by a look at all versions that began after this leader saw it marked; nullopt:
  // no such look has ended yet. Thread-safe.
  [[nodiscard]] std::optional<Handover> HandoverOf(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Failure {
    MonotonicTime retry;
    absl::Duration pause;
  };
  void LookOn();
  void EndLook();
  [[nodiscard]] bool IsTimeToLook(const std::string& nodes, bool has_withdrawn);
  void AddVersion(const rpc::VersionRow& version, const RepairMembers& members);
  void Dispatch();
  void FillBacklog(const RepairMembers& members);
  [[nodiscard]] std::optional<IncompleteChunk> ReadAgain(const metadata::MetadataView& view,
                                                         const ChunkId& chunk);
  [[nodiscard]] bool IsBusy(const ChunkId& chunk, const rpc::ChunkRow& row);
  [[nodiscard]] bool IsArriving(const ChunkId& chunk, const rpc::ChunkRow& row);
  // False: too many orders are open, or the term has ended.
  bool Order(const CopyTask& task);
  // On the pool.
  void Copy(const CopyTask& task, std::uint64_t order, std::uint64_t bytes_per_s_max);
  void Finish(const CopyTask& task, bool is_made, rpc::ChunkAck::Origin origin);
  void RecordMade(const CopyTask& task, rpc::ChunkAck::Origin origin);
  void RecordFailed(const CopyTask& task);
  // Moves, while there is nothing to repair that could be.
  void Rebalance();
  [[nodiscard]] bool MayRebalance(const RepairMembers& members) const;
  void OrderMoves(const RepairMembers& members);
  void RebalanceAt(MonotonicTime when);
  [[nodiscard]] RepairMembers Members();
  void Publish();

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
  const std::shared_ptr<ReplicaChanges> changes_;
  // Executor only.
  std::optional<RepairLook> look_;
  RepairSurvey survey_;             // of the last look that ended
  std::uint64_t arriving_ = 0;  // as of the last look
  std::string surveyed_nodes_;
  bool was_full_ = false;
  MonotonicTime look_ended_ = absl::InfinitePast();
  absl::Duration look_took_;
  bool wants_look_ = true;
  std::vector<IncompleteChunk> backlog_;  // read a moment ago, not ordered yet
  RepairLoad load_;
  RepairPace pace_;
  std::map<ChunkId, Failure> failed_;
  RebalanceLoop rebalance_;
  bool is_rebalance_posted_ = false;
  std::uint64_t copies_adopted_ = 0;
  std::uint64_t bytes_adopted_ = 0;
  std::uint64_t copies_made_ = 0;
  std::uint64_t bytes_made_ = 0;
  std::uint64_t copies_made_since_look_ = 0;
  std::uint64_t bytes_made_since_look_ = 0;

  mutable Mutex mutex_;
  api::RepairProgress progress_ ABSL_GUARDED_BY(mutex_);  // without its age
  MonotonicTime progress_from_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::map<NodeId, Handover> handovers_ ABSL_GUARDED_BY(mutex_);
  std::string handover_nodes_ ABSL_GUARDED_BY(mutex_);  // the members as they were for handovers_
};

// Chunk `index` of the version, which has it, as repair sees it.
[[nodiscard]] IncompleteChunk ToIncompleteChunk(const rpc::VersionRow& version, int index,
                                                std::size_t replicas_wanted);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_LOOP_H_
