#include "server/consensus/read_index.h"

#include <utility>

#include "common/mutant.h"

namespace dfs::consensus {

void ReadIndexQueue::Add(std::uint64_t context) {
  ++size_;
  if (DFS_MUTANT(18, "a read joins a round that was sent already") && !closed_.empty()) {
    closed_.back().contexts.push_back(context);
    return;
  }
  open_.push_back(context);
}

void ReadIndexQueue::Close(LogIndex index) {
  ++last_round_;
  if (!open_.empty()) closed_.push_back(Round{last_round_, index, std::move(open_)});
  open_.clear();
}

void ReadIndexQueue::Confirm(const std::function<bool(std::uint64_t)>& has_quorum) {
  if (last_round_ == confirmed_round_) return;
  if (has_quorum(last_round_)) {
    confirmed_round_ = last_round_;
    return;
  }
  for (const Round& round : closed_) {
    if (round.number <= confirmed_round_) continue;
    if (!has_quorum(round.number)) break;
    confirmed_round_ = round.number;
  }
}

std::vector<ReadReady> ReadIndexQueue::TakeReady(LogIndex held_index) {
  std::vector<ReadReady> ready;
  while (!closed_.empty() && closed_.front().number <= confirmed_round_ &&
         closed_.front().index <= held_index) {
    const Round& round = closed_.front();
    for (const std::uint64_t context : round.contexts) ready.push_back({context, round.index});
    size_ -= round.contexts.size();
    closed_.pop_front();
  }
  return ready;
}

void ReadIndexQueue::Reopen() {
  std::vector<std::uint64_t> again;
  while (!closed_.empty() && closed_.back().number > confirmed_round_) {
    again.insert(again.begin(), closed_.back().contexts.begin(), closed_.back().contexts.end());
    closed_.pop_back();
  }
  again.insert(again.end(), open_.begin(), open_.end());
  open_ = std::move(again);
  // No round is under way any more; the numbers go on, so old echoes stay below the next one.
  confirmed_round_ = last_round_;
}

std::vector<std::uint64_t> ReadIndexQueue::TakeAll() {
  std::vector<std::uint64_t> all;
  for (const Round& round : closed_) {
    all.insert(all.end(), round.contexts.begin(), round.contexts.end());
  }
  all.insert(all.end(), open_.begin(), open_.end());
  closed_.clear();
  open_.clear();
  confirmed_round_ = last_round_;
  size_ = 0;
  return all;
}

}  // namespace dfs::consensus
