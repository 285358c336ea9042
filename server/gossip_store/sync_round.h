// One exchange in which this node takes over what a peer has: what to ask next. Pure.
#ifndef DFS_SERVER_GOSSIP_STORE_SYNC_ROUND_H_
#define DFS_SERVER_GOSSIP_STORE_SYNC_ROUND_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <variant>

#include "common/clock.h"
#include "server/gossip_store/gossip_message.h"

namespace dfs::gossip_store {

// Asks top down, one question at a time, and only where digests differ. A leaf that was equal when it was compared has all
// that the peer had when the round began.
class SyncRound {
 public:
  // Without a fetched file for so long it is given up; another begins. Also the longest `answer_patience`.
  static constexpr absl::Duration kPatience = absl::Seconds(10);
  // A peer answers from memory: what takes longer is lost, or the peer stalls.
  static constexpr absl::Duration kAnswerPatienceMin = absl::Seconds(2);

  // `answer_patience`: without an answer for so long it is given up.
  SyncRound(NodeId peer, std::uint64_t number, MonotonicTime now, absl::Duration answer_patience)
      : peer_(peer), number_(number), answer_patience_(answer_patience), moved_(now) {}

  [[nodiscard]] NodeId peer() const { return peer_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] bool IsOverdue(MonotonicTime now) const {
    return now - moved_ >= (awaited_.empty() ? answer_patience_ : kPatience);
  }

  // Answers of the peer to this round; false: not what was asked for, and the round cannot go on.
  bool TakeState(const SyncState& state, const DigestTree& own, MonotonicTime now);
  bool TakeLeaves(const Leaves& leaves, const DigestTree& own, MonotonicTime now);
  bool TakeRecords(const LeafRecords& records, MonotonicTime now);

  // Records of the peer that are on their way here.
  void Await(const Stamp& stamp) { awaited_.insert(stamp); }
  // It has come, or something newer has.
  void Arrived(const Stamp& stamp, MonotonicTime now) {
    if (awaited_.erase(stamp) > 0) moved_ = now;
  }
  [[nodiscard]] bool IsAwaited(const Stamp& stamp) const { return awaited_.contains(stamp); }
  // Something of the peer's state was not taken over: the round goes on, but ends without effect.
  void Spoil() { is_spoiled_ = true; }

  // The next question; none while one is open, or records are on their way, or there is nothing more to ask.
  [[nodiscard]] std::optional<MessageBody> NextQuestion();
  [[nodiscard]] bool IsDone() const {
    return state_ && !is_asked_ && inner_.empty() && leaves_.empty() && awaited_.empty();
  }
  // Everything that the peer had at state()->as_of is here. Only once IsDone.
  [[nodiscard]] bool HasAll() const { return !is_spoiled_; }
  [[nodiscard]] const std::optional<SyncState>& state() const { return state_; }

 private:
  const NodeId peer_;
  const std::uint64_t number_;
  const absl::Duration answer_patience_;
  MonotonicTime moved_;
  std::optional<SyncState> state_;
  bool is_asked_ = false;
  bool is_spoiled_ = false;
  std::deque<InnerNumber> inner_;  // that differ, and were not asked for
  std::deque<LeafNumber> leaves_;
  std::set<InnerNumber> asked_inner_;
  std::set<LeafNumber> asked_leaves_;
  std::set<Stamp> awaited_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_SYNC_ROUND_H_
