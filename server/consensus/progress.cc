#include "server/consensus/progress.h"

#include <algorithm>

#include "common/mutant.h"

namespace dfs::consensus {

Progress::Progress(LogIndex next_index, std::size_t in_flight_messages_max,
                   std::size_t in_flight_bytes_max)
    : in_flight_messages_max_(in_flight_messages_max),
      in_flight_bytes_max_(in_flight_bytes_max),
      next_index_(next_index) {}

bool Progress::CanSendEntries() const {
  switch (state_) {
    case State::kProbe:
      return !is_probe_under_way_;
    case State::kReplicate:
      return (in_flight_.size() < in_flight_messages_max_ &&
              in_flight_bytes_ < in_flight_bytes_max_) ||
             DFS_MUTANT(28, "a slow follower's window has no bound");
    case State::kSnapshot:
      return false;
  }
  return false;
}

std::uint64_t Progress::RecordSent(LogIndex last, std::size_t bytes, LogIndex commit_index) {
  commit_sent_ = commit_index;
  if (state_ == State::kProbe) is_probe_under_way_ = true;
  if (state_ == State::kReplicate && last >= next_index_) {
    in_flight_.push_back(InFlight{last, bytes});
    in_flight_bytes_ += bytes;
    next_index_ = last.Next();
  }
  return ++last_sequence_;
}

void Progress::RecordSuccess(LogIndex index, std::uint64_t sequence) {
  if (sequence < first_sequence_of_run_ &&
      !DFS_MUTANT(513, "what a peer's earlier run acknowledged counts")) {
    return;
  }
  if (DFS_MUTANT(13, "an acknowledgement is taken for everything that was sent")) {
    index = std::max(index, LogIndex(next_index_.value() - 1));
  }
  match_index_ = std::max(match_index_, index);
  while (!in_flight_.empty() && in_flight_.front().last <= match_index_) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
  const bool is_current = sequence >= first_valid_sequence_;
  // A current success of a probe says that the logs agree up to next_index_ - 1, durable or not.
  if (state_ == State::kProbe &&
      (is_current || match_index_ >= LogIndex(next_index_.value() - 1))) {
    BecomeReplicate();
  }
  next_index_ = std::max(next_index_, match_index_.Next());
}

bool Progress::RecordRefusal(LogIndex refused, LogIndex next_try, std::uint64_t sequence) {
  const bool is_any = DFS_MUTANT(113, "a refusal counts whenever it comes");
  if (!is_any && (state_ == State::kSnapshot || sequence < first_valid_sequence_)) return false;
  if (!is_any && (refused <= match_index_ || refused >= next_index_)) return false;
  BecomeProbe(std::min(refused, next_try.Next()), /*is_under_way=*/false);
  return true;
}

void Progress::StartAnew(LogIndex next_index) {
  match_index_ = LogIndex();
  read_round = 0;
  BecomeProbe(next_index, /*is_under_way=*/false);
  first_sequence_of_run_ = last_sequence_ + 1;
}

void Progress::BecomeSnapshot() {
  state_ = State::kSnapshot;
  in_flight_.clear();
  in_flight_bytes_ = 0;
  first_valid_sequence_ = last_sequence_ + 1;
}

void Progress::BecomeProbe(LogIndex next_index, bool is_under_way) {
  state_ = State::kProbe;
  in_flight_.clear();
  in_flight_bytes_ = 0;
  next_index_ = std::max(next_index, match_index_.Next());
  is_probe_under_way_ = is_under_way;
  first_valid_sequence_ = last_sequence_ + 1;
}

void Progress::BecomeReplicate() {
  state_ = State::kReplicate;
  is_probe_under_way_ = false;
  first_valid_sequence_ = last_sequence_ + 1;
}

}  // namespace dfs::consensus
