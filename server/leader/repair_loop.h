// Makes the copies that are missing, while this node leads.
#ifndef DFS_SERVER_LEADER_REPAIR_LOOP_H_
#define DFS_SERVER_LEADER_REPAIR_LOOP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "server/leader/node_directory.h"
#include "server/leader/repair_plan.h"
#include "server/leader/replica_changes.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Held by shared_ptr: callbacks keep it.
class RepairLoop : public std::enable_shared_from_this<RepairLoop> {
 public:
  // Versions looked at in one pass; the next pass goes on behind them.
  static constexpr int kVersionsPerPass = 2'000;
  static constexpr std::size_t kChunksPerPass = 4'000;
  static constexpr std::size_t kFailedMax = 100'000;

  RepairLoop(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory,
             std::shared_ptr<ReplicaChanges> changes)
      : state_(std::move(state)), directory_(std::move(directory)), changes_(std::move(changes)) {}

  // One pass: plans as many copies as may be in flight and orders them. Call regularly, from the executor.
  void Tick();

 private:
  struct Failure {
    MonotonicTime retry;
    absl::Duration pause;
  };

  [[nodiscard]] std::vector<IncompleteChunk> Collect(const metadata::MetadataView& view,
                                                     std::uint64_t members);
  [[nodiscard]] bool IsBusy(const ChunkId& chunk, const rpc::ChunkRow& row);
  void Order(const CopyTask& task);
  // On the pool.
  void Copy(const CopyTask& task, std::uint64_t order);
  void Finish(const CopyTask& task, bool is_made);

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
  const std::shared_ptr<ReplicaChanges> changes_;
  // Executor only.
  TxnId cursor_;
  std::vector<IncompleteChunk> backlog_;  // found incomplete, not ordered yet; a few seconds old at most
  RepairLoad load_;
  std::map<ChunkId, Failure> failed_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REPAIR_LOOP_H_
