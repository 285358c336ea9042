// The way to the leader: finds it, asks it, and asks again while nothing has happened.
#ifndef DFS_SERVER_LEADER_LEADER_ROUTE_H_
#define DFS_SERVER_LEADER_LEADER_ROUTE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/sync.h"
#include "server/leader/consensus_port.h"
#include "server/leader/leader_operations.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// One answer that one thread waits for; the first one given counts. Thread-safe.
template <class Response>
class PendingAnswer {
 public:
  void Set(absl::StatusOr<Response> answer) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (answer_) return;
    answer_ = std::move(answer);
    changed_.SignalAll();
  }
  // Blocks for at most `timeout`. nullopt: no answer yet.
  std::optional<absl::StatusOr<Response>> WaitFor(absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (!answer_) changed_.WaitFor(&mutex_, timeout);
    return answer_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::StatusOr<Response>> answer_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe.
class LeaderRoute {
 public:
  // How often a caller that waits looks whether another leads by now, and how long it pauses before it asks again. A
  // leader that was killed is replaced in 100 to 500 ms.
  static constexpr absl::Duration kLookEvery = absl::Milliseconds(20);
  // A node that has heard of no leader for so long is not merely between two leaders: it may be cut off from those that have
  // one. It says so, and its clients ask another node while they have time for it.
  static constexpr absl::Duration kLeaderlessMax = absl::Milliseconds(1'500);

  struct Parts {
    NodeId self;
    const Clock* clock = nullptr;
    ConsensusPort* consensus = nullptr;
    LeaderOperations* local = nullptr;
    std::function<LeaderOperations*(NodeId)> peers;  // null for a node whose address is not known
    ViewSource view;          // for names in errors
    LivenessSource liveness;
  };
  struct Target {
    NodeId node;
    Term term;
    LeaderOperations* operations = nullptr;
    bool is_local = false;
  };

  explicit LeaderRoute(Parts parts) : parts_(std::move(parts)) {}

  // nullopt: nobody leads as far as this node knows, or it leads itself and cannot serve yet.
  [[nodiscard]] std::optional<Target> Find() const;
  [[nodiscard]] bool IsStill(const Target& target) const;
  // kUnavailable, NOTHING_CHANGED: NO_QUORUM, with the members that this node believes dead; or OVERLOADED, if it is this
  // node's own log that hangs, so that it cannot hear who leads: another node may be asked at once.
  [[nodiscard]] absl::Status NoQuorum() const;
  [[nodiscard]] bool IsUsable(const rpc::OpenTransaction& transaction) const;
  // Whether a node is there that is none of its replicas.
  [[nodiscard]] bool IsUsableBeside(const rpc::OpenTransaction& transaction) const;
  [[nodiscard]] MonotonicTime Now() const { return parts_.clock->Now(); }
  [[nodiscard]] NodeId self() const { return parts_.self; }

  // Blocks for at most `timeout`. False: the caller should give up: the route is stopping, or waiting is of no use
  // because this node's log hangs or it has had no leader for kLeaderlessMax.
  [[nodiscard]] bool Pause(absl::Duration timeout) {
    return !HangsWithoutLeader() && !stopping_.WaitFor(timeout) && !IsLeaderless();
  }
  [[nodiscard]] bool is_stopping() { return stopping_.IsSet(); }
  // Callers that wait give up.
  void Stop() { stopping_.Set(); }

  // Whether an error is worth asking again: nothing is wrong with the question.
  [[nodiscard]] static bool IsWorthRetrying(const absl::Status& status);

  // Asks whoever leads until there is an answer, a refusal, or `timeout` has passed. `call` is
  // called once for each attempt and may be asked of several leaders one after another: only for what may happen more than once.
  // kDeadlineExceeded: an attempt may have reached a leader; NoQuorum(): none did.
  template <class Response>
  absl::StatusOr<Response> Ask(
      absl::Duration timeout,
      const std::function<void(LeaderOperations&, absl::Duration, Answer<Response>)>& call) {
    const MonotonicTime end = Now() + timeout;
    bool has_reached = false;
    while (true) {
      const absl::Duration left = end - Now();
      if (left <= absl::ZeroDuration() || is_stopping()) return GiveUp(has_reached);
      const auto target = Find();
      if (!target) {
        if (!Pause(std::min(left, kLookEvery))) return GiveUp(has_reached);
        continue;
      }
      auto answer = std::make_shared<PendingAnswer<Response>>();
      call(*target->operations, left, [answer](absl::StatusOr<Response> response) {
        answer->Set(std::move(response));
      });
      const auto response = Await(*answer, *target, end);
      if (response && (response->ok() || !IsWorthRetrying(response->status()))) return *response;
      if (!response || !IsNothingChanged(response->status())) has_reached = true;
      if (!Pause(std::min(std::max(end - Now(), absl::ZeroDuration()), kLookEvery))) {
        return GiveUp(has_reached);
      }
    }
  }

  // nullopt: `end` has passed, or another leads than `target`.
  template <class Response>
  std::optional<absl::StatusOr<Response>> Await(PendingAnswer<Response>& answer,
                                                const Target& target, MonotonicTime end) {
    while (true) {
      const absl::Duration left = std::max(end - Now(), absl::ZeroDuration());
      if (auto response = answer.WaitFor(std::min(left, kLookEvery))) return response;
      if (left <= absl::ZeroDuration() || is_stopping() || !IsStill(target)) return std::nullopt;
    }
  }

  [[nodiscard]] absl::Status GiveUp(bool has_reached) const;

 private:
  [[nodiscard]] bool HangsWithoutLeader() const;
  [[nodiscard]] bool IsLeaderless() const;

  const Parts parts_;
  Event stopping_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_LEADER_ROUTE_H_
