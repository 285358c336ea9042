#include "server/replicated_log/proposal_tracker.h"

#include <algorithm>
#include <utility>

#include "common/mutant.h"

namespace dfs::replicated_log {
namespace {

absl::Status UnknownOutcome() {
  if (DFS_MUTANT(22, "a change whose outcome is unknown is said to have failed")) {
    return absl::UnavailableError("leadership was lost: nothing happened");
  }
  return absl::DeadlineExceededError(
      "leadership was lost before the change was known to be committed: outcome unknown");
}

absl::Status DidNotHappen() {
  return absl::UnavailableError(
      "leadership was lost and another entry took the place of this change: nothing happened");
}

}  // namespace

void ProposalTracker::Add(LogIndex index, Term term, bool waits_for_held, Callback done) {
  Waiting waiting;
  waiting.term = term;
  waiting.waits_for_held = waits_for_held;
  waiting.done = std::move(done);
  waiting_.emplace(index, std::move(waiting));
}

std::vector<ProposalTracker::Answer> ProposalTracker::Applied(LogIndex index, Term term,
                                                              rpc::CommandResult result,
                                                              LogIndex held) {
  std::vector<Answer> answers;
  auto [at, end] = waiting_.equal_range(index);
  while (at != end) {
    Waiting& waiting = at->second;
    if (waiting.term != term) {
      answers.push_back({std::move(waiting.done), DidNotHappen()});
      at = waiting_.erase(at);
    } else if (waiting.waits_for_held && index > held) {
      waiting.result = std::move(result);
      waiting.deadline = absl::InfiniteFuture();  // it happened; only the answer waits
      ++at;
    } else {
      answers.push_back({std::move(waiting.done), std::move(result)});
      at = waiting_.erase(at);
    }
  }
  return answers;
}

std::vector<ProposalTracker::Answer> ProposalTracker::Held(LogIndex held) {
  std::vector<Answer> answers;
  for (auto at = waiting_.begin(); at != waiting_.end() && at->first <= held;) {
    if (!at->second.result) {
      ++at;
      continue;
    }
    answers.push_back({std::move(at->second.done), *std::move(at->second.result)});
    at = waiting_.erase(at);
  }
  return answers;
}

void ProposalTracker::LoseLeadership(MonotonicTime deadline) {
  for (auto& [index, waiting] : waiting_) {
    waiting.deadline = std::min(waiting.deadline, deadline);
  }
}

std::vector<ProposalTracker::Answer> ProposalTracker::GiveUp(MonotonicTime now) {
  std::vector<Answer> answers;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    answers.push_back({std::move(at->second.done), UnknownOutcome()});
    at = waiting_.erase(at);
  }
  return answers;
}

std::vector<ProposalTracker::Answer> ProposalTracker::GiveUpAll() {
  return GiveUp(absl::InfiniteFuture());
}

std::vector<ProposalTracker::Answer> ProposalTracker::GiveUpTo(LogIndex index) {
  std::vector<Answer> answers;
  for (auto at = waiting_.begin(); at != waiting_.end() && at->first <= index;) {
    answers.push_back({std::move(at->second.done), UnknownOutcome()});
    at = waiting_.erase(at);
  }
  return answers;
}

}  // namespace dfs::replicated_log
