// What a leader knows of one peer's log, and how it sends to it.
//
//   probe      where the logs agree is not known; one message with entries at a time
//   replicate  known; messages stream ahead of their answers, within the window
//   snapshot   the peer lies behind the start of the log; nothing but heartbeats is sent
//
// `match_index` says what is durable at the peer. It moves by checked acknowledgements of
// this term only and never falls while the peer's process runs. Each message to the peer has a
// sequence number; a refusal counts only if it answers a message that was sent since the state or
// `next_index` was last set back, so late and doubled answers are harmless.
//
// Not thread-safe. Does no I/O and keeps no time.
#ifndef DFS_SERVER_CONSENSUS_PROGRESS_H_
#define DFS_SERVER_CONSENSUS_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "common/clock.h"
#include "common/ids.h"

namespace dfs::consensus {

class Progress {
 public:
  enum class State { kProbe, kReplicate, kSnapshot };

  // Starts as probe. The bounds are those of Options.
  Progress(LogIndex next_index, std::size_t in_flight_messages_max,
           std::size_t in_flight_bytes_max);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] LogIndex match_index() const { return match_index_; }
  [[nodiscard]] LogIndex next_index() const { return next_index_; }
  // The commit index that the last message told.
  [[nodiscard]] LogIndex commit_sent() const { return commit_sent_; }
  [[nodiscard]] std::size_t in_flight_bytes() const { return in_flight_bytes_; }
  [[nodiscard]] std::size_t in_flight_messages() const { return in_flight_.size(); }
  // Whether entries may go out now: no probe under way, room in the window, no snapshot.
  [[nodiscard]] bool CanSendEntries() const;
  [[nodiscard]] bool is_probe_under_way() const { return is_probe_under_way_; }

  // A message with the entries (next_index - 1, last] leaves; `last` is next_index - 1 if it is
  // empty. Returns its sequence number.
  std::uint64_t RecordSent(LogIndex last, std::size_t bytes, LogIndex commit_index);
  // The peer holds everything up to `index` durably. The caller has checked that this is no
  // more than the leader's own log.
  void RecordSuccess(LogIndex index, std::uint64_t sequence);
  // The peer refused a message that began behind `refused`; it may agree at `next_try` or below.
  // False if the answer is stale: nothing changed.
  bool RecordRefusal(LogIndex refused, LogIndex next_try, std::uint64_t sequence);

  // Forgets what the peer acknowledged and whatever answers are still to come; probes from
  // `next_index`.
  void StartAnew(LogIndex next_index);
  // Waits for a snapshot.
  void BecomeSnapshot();
  // Back to probing from `next_index` (at least match_index + 1). `is_under_way`: as if a probe
  // were out already, so that nothing is sent before the next heartbeat.
  void BecomeProbe(LogIndex next_index, bool is_under_way);

  // Written by the leader as answers arrive: greatest read-index round that the peer echoed, and
  // when it was heard last in this term.
  std::uint64_t read_round = 0;
  MonotonicTime last_heard = absl::InfinitePast();

 private:
  struct InFlight {
    LogIndex last;
    std::size_t bytes = 0;
  };
  void BecomeReplicate();

  const std::size_t in_flight_messages_max_;
  const std::size_t in_flight_bytes_max_;
  State state_ = State::kProbe;
  LogIndex match_index_;
  LogIndex next_index_;  // always > match_index_
  LogIndex commit_sent_;
  bool is_probe_under_way_ = false;
  std::uint64_t last_sequence_ = 0;
  // Answers to messages before this one say nothing about next_index_.
  std::uint64_t first_valid_sequence_ = 1;
  // Answers to messages before this one are of an earlier run of the peer.
  std::uint64_t first_sequence_of_run_ = 1;
  std::deque<InFlight> in_flight_;  // replicate only; `last` rises
  std::size_t in_flight_bytes_ = 0;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_PROGRESS_H_
