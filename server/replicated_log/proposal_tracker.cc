#include "server/replicated_log/proposal_tracker.h"

namespace dfs::replicated_log {

void ProposalTracker::Add(LogIndex index, Term term, bool waits_for_holders, Callback done) {
  Waiting& waiting = waiting_[index];
  waiting.term = term;
  waiting.waits_for_holders = waits_for_holders;
  waiting.done = std::move(done);
}

void ProposalTracker::RecordApplied(LogIndex index, Term term, const rpc::CommandResult& result) {
  applied_ = index;
  const auto found = waiting_.find(index);
  if (found == waiting_.end()) return;
  if (found->second.term == term) {
    found->second.result = result;
  } else {
    found->second.result =
        absl::UnavailableError("another entry took the place of this one; nothing happened");
    found->second.waits_for_holders = false;
  }
}

std::vector<ProposalTracker::Answer> ProposalTracker::TakeAnswered(LogIndex held) {
  std::vector<Answer> answers;
  for (auto it = waiting_.begin(); it != waiting_.end() && it->first <= applied_;) {
    Waiting& waiting = it->second;
    if (!waiting.result || (waiting.waits_for_holders && it->first > held)) {
      ++it;
      continue;
    }
    answers.push_back({std::move(waiting.done), *std::move(waiting.result)});
    it = waiting_.erase(it);
  }
  return answers;
}

std::vector<ProposalTracker::Answer> ProposalTracker::TakeAll(const absl::Status& reason) {
  std::vector<Answer> answers;
  for (auto& [index, waiting] : waiting_) answers.push_back({std::move(waiting.done), reason});
  waiting_.clear();
  return answers;
}

}  // namespace dfs::replicated_log
