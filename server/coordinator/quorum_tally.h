// Counts replica answers for one write and says when its fate is known. Pure.
#ifndef DFS_SERVER_COORDINATOR_QUORUM_TALLY_H_
#define DFS_SERVER_COORDINATOR_QUORUM_TALLY_H_

#include <cstddef>
#include <set>

#include "common/ids.h"

namespace dfs::coordinator {

// A write is reached once `quorum` distinct replicas acknowledged it, and lost once so many have
// refused that `quorum` can no longer be met by those asked so far. Reached stays reached; lost
// is undone by AddCandidate (a spare takes part).
//
// Not thread-safe. Does no I/O and keeps no time.
class QuorumTally {
 public:
  enum class Verdict { kPending, kReached, kLost };

  QuorumTally() = default;
  // A quorum of 0 is reached at once.
  explicit QuorumTally(std::size_t quorum) : quorum_(quorum) {}

  void AddCandidate(NodeId node) { candidates_.insert(node); }
  // Of candidates only; a second answer of a node changes nothing.
  void RecordAcknowledged(NodeId node) {
    if (candidates_.contains(node) && !refused_.contains(node)) acknowledged_.insert(node);
  }
  void RecordRefused(NodeId node) {
    if (candidates_.contains(node) && !acknowledged_.contains(node)) refused_.insert(node);
  }

  [[nodiscard]] Verdict verdict() const {
    if (acknowledged_.size() >= quorum_) return Verdict::kReached;
    return candidates_.size() - refused_.size() < quorum_ ? Verdict::kLost : Verdict::kPending;
  }
  // Candidates that have not answered.
  [[nodiscard]] std::size_t waiting() const {
    return candidates_.size() - acknowledged_.size() - refused_.size();
  }
  [[nodiscard]] bool is_complete() const { return waiting() == 0; }
  [[nodiscard]] const std::set<NodeId>& candidates() const { return candidates_; }
  [[nodiscard]] const std::set<NodeId>& acknowledged() const { return acknowledged_; }
  [[nodiscard]] const std::set<NodeId>& refused() const { return refused_; }

 private:
  std::size_t quorum_ = 0;
  std::set<NodeId> candidates_;
  std::set<NodeId> acknowledged_;
  std::set<NodeId> refused_;
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_QUORUM_TALLY_H_
