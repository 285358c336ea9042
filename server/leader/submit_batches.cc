#include "server/leader/submit_batches.h"

#include <algorithm>
#include <string>

#include "proto/error_detail.h"

namespace dfs::leader {
namespace {

constexpr absl::Duration kBatchTimeout = absl::Seconds(5);

absl::StatusOr<rpc::CommandResult> Outcome(const rpc::SubmitResult& result) {
  if (result.error_code() == 0) return result.result();
  return absl::Status(static_cast<absl::StatusCode>(result.error_code()), result.error_message());
}

absl::Status UnknownOutcome() {
  return absl::DeadlineExceededError("the leader's answer was lost; the outcome is unknown");
}

}  // namespace

rpc::SubmitRequest SubmitBatches::EmptyRequest() const {
  rpc::SubmitRequest request;
  request.set_coordinator(route_->self().value());
  request.set_run_id(run_.value());
  return request;
}

absl::StatusOr<rpc::CommandResult> SubmitBatches::Submit(const rpc::Command& command,
                                                         absl::Duration timeout) {
  const MonotonicTime end = route_->Now() + timeout;
  bool has_reached = false;
  while (true) {
    if (end <= route_->Now() || route_->is_stopping()) return route_->GiveUp(has_reached);
    std::optional<absl::StatusOr<rpc::CommandResult>> outcome;
    bool has_left = false;
    if (const auto target = route_->Find()) {
      if (target->is_local) {
        has_left = true;
        outcome = AskLocal(*target, command, end);
      } else {
        outcome = AskInBatch(command, end, has_left);
      }
    }
    if (outcome && (outcome->ok() || !LeaderRoute::IsWorthRetrying(outcome->status()))) {
      return *std::move(outcome);
    }
    if (has_left && (!outcome || !IsNothingChanged(outcome->status()))) has_reached = true;
    const absl::Duration left = std::max(end - route_->Now(), absl::ZeroDuration());
    if (!route_->Pause(std::min(left, LeaderRoute::kLookEvery))) return route_->GiveUp(has_reached);
  }
}

std::optional<absl::StatusOr<rpc::CommandResult>> SubmitBatches::AskLocal(
    const LeaderRoute::Target& target, const rpc::Command& command, MonotonicTime end) {
  auto answer = std::make_shared<PendingAnswer<rpc::CommandResult>>();
  rpc::SubmitRequest request = EmptyRequest();
  *request.add_commands() = command;
  target.operations->Submit(request, end - route_->Now(),
                            [answer](const absl::StatusOr<rpc::SubmitResponse>& response) {
                              if (!response.ok()) {
                                answer->Set(response.status());
                              } else if (response->results_size() != 1) {
                                answer->Set(absl::InternalError("one command, not one result"));
                              } else {
                                answer->Set(Outcome(response->results(0)));
                              }
                            });
  return route_->Await(*answer, target, end);
}

// `has_left`: the attempt was sent, or may have been.
std::optional<absl::StatusOr<rpc::CommandResult>> SubmitBatches::AskInBatch(
    const rpc::Command& command, MonotonicTime end, bool& has_left) {
  const auto attempt = std::make_shared<Attempt>(command);
  {
    MutexLock lock(&mutex_);
    queue_.push_back(attempt);
  }
  Pump();
  std::optional<absl::StatusOr<rpc::CommandResult>> outcome;
  while (!outcome && route_->Now() < end && !route_->is_stopping()) {
    const absl::Duration left = std::max(end - route_->Now(), absl::ZeroDuration());
    outcome = attempt->answer.WaitFor(std::min(left, LeaderRoute::kLookEvery));
    if (outcome) break;
    AbandonStale();
    Pump();
    // Nobody to send it to by batch any more: this node may lead itself by now.
    const auto target = route_->Find();
    MutexLock lock(&mutex_);
    if ((!target || target->is_local) && std::erase(queue_, attempt) > 0) return std::nullopt;
  }
  MutexLock lock(&mutex_);
  // Whoever is told that nothing happened must not be sent later.
  has_left = std::erase(queue_, attempt) == 0;
  return outcome;
}

void SubmitBatches::Pump() {
  while (true) {
    const auto target = route_->Find();
    if (!target || target->is_local) return;
    auto batch = std::make_shared<Batch>();
    batch->target = *target;
    {
      MutexLock lock(&mutex_);
      if (queue_.empty() || in_flight_.size() >= kBatchesInFlightMax) return;
      std::size_t bytes = 0;
      while (!queue_.empty() && batch->attempts.size() < kCommandsPerSubmitMax) {
        bytes += queue_.front()->command.ByteSizeLong();
        if (!batch->attempts.empty() && bytes > kBatchBytesMax) break;
        batch->attempts.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      in_flight_.insert(batch);
    }
    Send(batch);
  }
}

void SubmitBatches::Send(const std::shared_ptr<Batch>& batch) {
  rpc::SubmitRequest request = EmptyRequest();
  for (const auto& attempt : batch->attempts) *request.add_commands() = attempt->command;
  batch->target.operations->Submit(
      request, kBatchTimeout,
      [self = shared_from_this(), batch](absl::StatusOr<rpc::SubmitResponse> response) {
        self->Finish(batch, std::move(response));
      });
}

void SubmitBatches::Finish(const std::shared_ptr<Batch>& batch,
                           absl::StatusOr<rpc::SubmitResponse> response) {
  {
    MutexLock lock(&mutex_);
    in_flight_.erase(batch);
  }
  for (std::size_t i = 0; i < batch->attempts.size(); ++i) {
    auto& answer = batch->attempts[i]->answer;
    if (!response.ok()) {
      answer.Set(response.status());
    } else if (i < static_cast<std::size_t>(response->results_size())) {
      answer.Set(Outcome(response->results(static_cast<int>(i))));
    } else {
      answer.Set(UnknownOutcome());
    }
  }
  Pump();
}

// Another leads than the one a batch was sent to: that one may never answer. Should it do so still, in time, its answer
// is as good as any.
void SubmitBatches::AbandonStale() {
  std::vector<std::shared_ptr<Batch>> batches;
  {
    MutexLock lock(&mutex_);
    batches.assign(in_flight_.begin(), in_flight_.end());
  }
  for (const auto& batch : batches) {
    if (!route_->IsStill(batch->target)) Finish(batch, UnknownOutcome());
  }
}

}  // namespace dfs::leader
