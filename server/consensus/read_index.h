// Which read requests a leader may answer, and at what index (dissertation section 6.4).
//
// Requests gather in an open round. Closing it fixes its index and number; the number then goes out
// with the next messages to every voter, and a quorum of echoes says that this member still led
// after the round was closed, so after each of its requests arrived. A request never joins a
// round that has been closed: its echoes may be older than the request (rule R10).
//
// Not thread-safe. Does no I/O and keeps no time.
#ifndef DFS_SERVER_CONSENSUS_READ_INDEX_H_
#define DFS_SERVER_CONSENSUS_READ_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "common/ids.h"
#include "server/consensus/input_output.h"

namespace dfs::consensus {

class ReadIndexQueue {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  // Number of the last round that was closed; 0 if none was.
  [[nodiscard]] std::uint64_t last_round() const { return last_round_; }
  [[nodiscard]] bool has_open_requests() const { return !open_.empty(); }
  // Whether a closed round still waits for its quorum.
  [[nodiscard]] bool is_round_under_way() const { return last_round_ > confirmed_round_; }

  void Add(std::uint64_t context);
  // Closes the open round (which may be empty) at `index`: everything that may have been answered
  // to anybody before now lies at or below it.
  void Close(LogIndex index);
  // Marks the rounds as confirmed, from the oldest on, for which `has_quorum(round)` holds.
  void Confirm(const std::function<bool(std::uint64_t)>& has_quorum);
  // Takes out the confirmed requests whose index is at most `held_index`, oldest first.
  [[nodiscard]] std::vector<ReadReady> TakeReady(LogIndex held_index);
  // Puts all requests that are not confirmed back into the open round: echoes that arrive
  // from now on confirm nothing that was closed before.
  void Reopen();
  // Takes out everything, unanswered.
  [[nodiscard]] std::vector<std::uint64_t> TakeAll();

 private:
  struct Round {
    std::uint64_t number = 0;
    LogIndex index;
    std::vector<std::uint64_t> contexts;
  };
  std::vector<std::uint64_t> open_;
  std::deque<Round> closed_;  // numbers rise; confirmed ones first
  std::uint64_t last_round_ = 0;
  std::uint64_t confirmed_round_ = 0;
  std::size_t size_ = 0;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_READ_INDEX_H_
