#include "server/leader/read_index_rounds.h"

#include <algorithm>

namespace dfs::leader {
namespace {

// A round that takes longer is given up and asked anew.
constexpr absl::Duration kRoundTimeout = absl::Seconds(2);

}  // namespace

absl::StatusOr<LogIndex> ReadIndexRounds::Ask(absl::Duration timeout) {
  const MonotonicTime end = route_->Now() + timeout;
  while (true) {
    const absl::Duration left = end - route_->Now();
    if (left <= absl::ZeroDuration() || route_->is_stopping()) return route_->NoQuorum();
    const auto target = route_->Find();
    std::optional<absl::StatusOr<rpc::ReadIndexResponse>> response;
    if (target && target->is_local) {
      // Here the Raft host gathers those that ask at the same time.
      auto answer = std::make_shared<PendingAnswer<rpc::ReadIndexResponse>>();
      target->operations->ReadIndex(left, [answer](absl::StatusOr<rpc::ReadIndexResponse> index) {
        answer->Set(std::move(index));
      });
      response = route_->Await(*answer, *target, end);
    } else if (target) {
      const Shared round = Join();
      while (!response && route_->Now() < end && !route_->is_stopping()) {
        response = round->answer.WaitFor(std::min(
            std::max(end - route_->Now(), absl::ZeroDuration()), LeaderRoute::kLookEvery));
        if (!response) AbandonIfStale();
      }
    }
    if (response && response->ok()) return LogIndex((*response)->index());
    if (response && !LeaderRoute::IsWorthRetrying(response->status())) return response->status();
    if (!route_->Pause(LeaderRoute::kLookEvery)) return route_->NoQuorum();
  }
}

ReadIndexRounds::Shared ReadIndexRounds::Join() {
  Shared round;
  {
    MutexLock lock(&mutex_);
    if (next_ == nullptr) next_ = std::make_shared<Round>();
    round = next_;
  }
  SendNext();
  return round;
}

void ReadIndexRounds::SendNext() {
  const auto target = route_->Find();
  Shared round;
  {
    MutexLock lock(&mutex_);
    if (in_flight_ != nullptr || next_ == nullptr) return;
    round = std::exchange(next_, nullptr);
    if (target) {
      round->target = target;
      in_flight_ = round;
    }
  }
  if (!target) {
    round->answer.Set(NotLeaderError());
    return;
  }
  target->operations->ReadIndex(
      kRoundTimeout, [self = shared_from_this(), round](absl::StatusOr<rpc::ReadIndexResponse> index) {
        round->answer.Set(std::move(index));
        self->Leave(round);
      });
}

void ReadIndexRounds::Leave(const Shared& round) {
  {
    MutexLock lock(&mutex_);
    if (in_flight_ != round) return;
    in_flight_ = nullptr;
  }
  SendNext();
}

// Another leads than the one that was asked: it may never answer.
void ReadIndexRounds::AbandonIfStale() {
  Shared round;
  {
    MutexLock lock(&mutex_);
    round = in_flight_;
  }
  if (round == nullptr || route_->IsStill(*round->target)) return;
  round->answer.Set(NotLeaderError());
  Leave(round);
}

}  // namespace dfs::leader
