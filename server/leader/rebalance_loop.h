// Moves copies from fuller members to emptier ones, after a join for instance, while this node
// leads and nothing is missing.
//
// A round: all versions are looked at once for what each member holds; placement::RebalancePlan
// says what each should hold; then the versions are gone through again and those whose move brings
// the members nearer to that are handed to repair, which makes the copies under its own limits and
// pace. What a move leaves behind is named by no set any more and goes by the ordinary verdicts
// (EXCESS, released).
#ifndef DFS_SERVER_LEADER_REBALANCE_LOOP_H_
#define DFS_SERVER_LEADER_REBALANCE_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/leader/node_directory.h"
#include "server/leader/repair_plan.h"
#include "server/leader/term_state.h"
#include "server/placement/rebalance_plan.h"

namespace dfs::leader {

// What each node holds by the sets: a sum over all versions, while it is being taken.
struct HeldBytes {
  TxnId cursor;
  std::map<NodeId, std::uint64_t> by_node;
  std::uint64_t unique_bytes = 0;
    std::uint64_t wanted_bytes = 0;  // with all copies that their buckets want  // each chunk once
};

// On the leader's executor only.
class RebalanceLoop {
 public:
  // Versions looked at in one go.
  static constexpr int kVersionsPerSlice = 1'000;
  // Moves that are planned and not ordered yet.
  static constexpr std::size_t kReadyMax = 64;

  // Whether the chunk may be moved now: read again, and not just being copied. nullopt: no.
  using ReadAgain = std::function<std::optional<IncompleteChunk>(const metadata::MetadataView&, const ChunkId&)>;
  RebalanceLoop(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory,
                ReadAgain read_again)
      : state_(std::move(state)), directory_(std::move(directory)), read_again_(std::move(read_again)) {}

  // Goes on with the round, or begins one if it is time: after members came or went (`nodes` describes them), after a round that
  // moved something, and every LeaderOptions::rebalance_every. True: there is more to look at, call again soon.
  bool Tick(const RepairMembers& members, const std::string& nodes);
  // The next move as it is now, the sources by their load; nullopt: none. It stays the next one until Pop.
  [[nodiscard]] std::optional<CopyTask> Next(const RepairMembers& members, const RepairLoad& load);
  // It was ordered.
  void Pop();
  // A task with is_move has ended.
  void Finish(const CopyTask& task, bool is_made);

  [[nodiscard]] bool is_moving() const { return plan_.has_value(); }
  [[nodiscard]] std::uint64_t bytes_to_move() const;
  [[nodiscard]] std::uint64_t moves_made() const { return moves_made_; }
  [[nodiscard]] std::uint64_t bytes_moved() const { return bytes_moved_; }

 private:
  struct Ready {
    ChunkId chunk;
    std::uint64_t size = 0;
    placement::RebalancePlan::Move move;
  };
  // Gives the round up; the next Tick begins anew. What is under way ends by itself.
  void Abandon();
  [[nodiscard]] bool IsTimeToMeasure(const std::string& nodes) const;
  // True: it has ended.
  bool MeasureOn();
  void MakePlan(const RepairMembers& members);
  // True: all versions were gone through.
  bool WalkOn(const RepairMembers& members);
  void OfferVersion(const rpc::VersionRow& version, const RepairMembers& members);
  void EndRound();

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
  const ReadAgain read_again_;
  std::optional<HeldBytes> measure_;
  std::optional<placement::RebalancePlan> plan_;
  TxnId cursor_;                 // of the walk
  bool is_walked_ = false;
  std::deque<Ready> ready_;
  std::map<ChunkId, placement::RebalancePlan::Move> under_way_;  // of this round
  std::uint64_t bytes_planned_ = 0;  // of ready_ and under_way_
  std::uint64_t moves_made_in_round_ = 0;
  std::string measured_nodes_;
  MonotonicTime round_ended_ = absl::InfinitePast();
  bool wants_round_ = true;
  std::uint64_t moves_made_ = 0;
  std::uint64_t bytes_moved_ = 0;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REBALANCE_LOOP_H_
