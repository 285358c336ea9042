#include "server/replicated_log/caller_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dfs::replicated_log {
namespace {

constexpr std::size_t kWaitersMax = 65'536;

void Run(std::vector<ProposalTracker::Answer> answers) {
  for (auto& answer : answers) answer.Run();
}
void Run(std::vector<AppliedWaiters::Callback> waiters, const absl::Status& status) {
  for (auto& done : waiters) done(status);
}

}  // namespace

LogIndex CallerTable::applied() const {
  MutexLock lock(&mutex_);
  return applied_;
}

void CallerTable::AddProposal(LogIndex index, Term term, bool waits_for_held,
                              ProposalTracker::Callback done) {
  MutexLock lock(&mutex_);
  proposals_.Add(index, term, waits_for_held, std::move(done));
}

void CallerTable::AddReads(std::uint64_t context, std::vector<ReadCallback> reads) {
  MutexLock lock(&mutex_);
  reads_.emplace(context, std::move(reads));
}

void CallerTable::WaitApplied(LogIndex index, MonotonicTime deadline,
                              AppliedWaiters::Callback done) {
  absl::Status status;
  {
    MutexLock lock(&mutex_);
    if (applied_ < index) {
      if (waiters_.size() < kWaitersMax) {
        waiters_.Add(index, deadline, std::move(done));
        return;
      }
      status = absl::ResourceExhaustedError("too many callers wait for log entries to be applied");
    }
  }
  done(status);
}

void CallerTable::RecordApplied(std::vector<Applier::Applied> applied) {
  std::vector<ProposalTracker::Answer> answers;
  std::vector<AppliedWaiters::Callback> reached;
  {
    MutexLock lock(&mutex_);
    applied_ = applied.back().index;
    if (!proposals_.empty()) {
      for (auto& entry : applied) {
        auto some = proposals_.Applied(entry.index, entry.term, std::move(entry.result), held_);
        std::move(some.begin(), some.end(), std::back_inserter(answers));
      }
    }
    reached = waiters_.TakeReached(applied_);
  }
  Run(std::move(answers));
  Run(std::move(reached), absl::OkStatus());
}

void CallerTable::RecordHeld(LogIndex held) {
  std::vector<ProposalTracker::Answer> answers;
  {
    MutexLock lock(&mutex_);
    if (held == held_) return;
    held_ = held;
    answers = proposals_.Held(held);
  }
  Run(std::move(answers));
}

void CallerTable::RecordInstalled(LogIndex index) {
  std::vector<ProposalTracker::Answer> answers;
  std::vector<AppliedWaiters::Callback> reached;
  {
    MutexLock lock(&mutex_);
    applied_ = std::max(applied_, index);
    answers = proposals_.GiveUpTo(index);
    reached = waiters_.TakeReached(applied_);
  }
  Run(std::move(answers));
  Run(std::move(reached), absl::OkStatus());
}

void CallerTable::RecordRead(std::uint64_t context, absl::StatusOr<LogIndex> index) {
  std::vector<ReadCallback> reads;
  {
    MutexLock lock(&mutex_);
    const auto found = reads_.find(context);
    if (found == reads_.end()) return;
    reads = std::move(found->second);
    reads_.erase(found);
  }
  for (auto& done : reads) done(index);
}

void CallerTable::LoseLeadership(MonotonicTime deadline) {
  MutexLock lock(&mutex_);
  proposals_.LoseLeadership(deadline);
}

bool CallerTable::Sweep(MonotonicTime now) {
  std::vector<ProposalTracker::Answer> answers;
  std::vector<AppliedWaiters::Callback> late;
  bool is_more = false;
  {
    MutexLock lock(&mutex_);
    answers = proposals_.GiveUp(now);
    late = waiters_.TakeLate(now);
    is_more = !proposals_.empty() || !waiters_.empty();
  }
  Run(std::move(answers));
  Run(std::move(late),
      absl::DeadlineExceededError("this node has not applied the log that far in time"));
  return is_more;
}

void CallerTable::GiveUpAll() {
  std::vector<ProposalTracker::Answer> answers;
  std::vector<AppliedWaiters::Callback> waiters;
  std::map<std::uint64_t, std::vector<ReadCallback>> reads;
  {
    MutexLock lock(&mutex_);
    answers = proposals_.GiveUpAll();
    waiters = waiters_.TakeLate(absl::InfiniteFuture());
    reads.swap(reads_);
  }
  const absl::Status stopping = absl::UnavailableError("this node is stopping");
  Run(std::move(answers));
  Run(std::move(waiters), stopping);
  for (auto& [context, callbacks] : reads) {
    for (auto& done : callbacks) done(stopping);
  }
}

}  // namespace dfs::replicated_log
