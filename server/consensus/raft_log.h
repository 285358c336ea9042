// The replicated log as the core sees it: a base (what snapshots and the state machine cover) and
// every entry behind it, in memory.
//
// Invariants: indexes are contiguous from base_index() + 1 and terms do not fall;
// base_index() <= durable_index() <= emitted_index() <= last_index(). The configuration in force is
// a function of the content alone, so that truncation takes it back by itself.
//
// Not thread-safe. Does no I/O.
#ifndef DFS_SERVER_CONSENSUS_RAFT_LOG_H_
#define DFS_SERVER_CONSENSUS_RAFT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "server/consensus/message.h"

namespace dfs::consensus {

class RaftLog {
 public:
  // `entries` are durable and contiguous from base_index + 1.
  RaftLog(LogIndex base_index, Term base_term, Configuration base_configuration,
          std::vector<Entry> entries);

  [[nodiscard]] LogIndex base_index() const { return base_index_; }
  [[nodiscard]] LogIndex last_index() const {
    return LogIndex(base_index_.value() + slots_.size());
  }
  [[nodiscard]] Term last_term() const { return TermAt(last_index()); }
  // Everything up to here is durable and, entry by entry, what this log holds.
  [[nodiscard]] LogIndex durable_index() const { return durable_index_; }
  // Everything up to here was handed to the driver for writing.
  [[nodiscard]] LogIndex emitted_index() const { return emitted_index_; }

  // base_index() <= index <= last_index().
  [[nodiscard]] Term TermAt(LogIndex index) const;
  // Whether the log holds an entry (or its base) of that term at that index.
  [[nodiscard]] bool Holds(LogIndex index, Term term) const;
  // Greatest index <= `index` whose term is <= `term`; base_index() if none is.
  [[nodiscard]] LogIndex LastIndexUpToTerm(LogIndex index, Term term) const;
  // base_index() < index <= last_index().
  [[nodiscard]] const Entry& At(LogIndex index) const { return SlotAt(index).entry; }
  // Entries (after, to], as many as fit into `bytes_max`, but at least one if there is any.
  [[nodiscard]] std::vector<Entry> Entries(LogIndex after, LogIndex to,
                                           std::size_t bytes_max = SIZE_MAX) const;
  // Bytes of the entries (after, last_index()].
  [[nodiscard]] std::size_t BytesAfter(LogIndex after) const;
  [[nodiscard]] std::size_t bytes() const { return BytesAfter(base_index_); }

  // In force at the end of the log, and where its entry is or, if it was cut off, was.
  [[nodiscard]] const Configuration& configuration() const {
    return *configurations_.back().second;
  }
  [[nodiscard]] LogIndex configuration_index() const { return configurations_.back().first; }
  // base_index() <= index <= last_index().
  [[nodiscard]] const Configuration& ConfigurationAt(LogIndex index) const;

  // The entry's index is last_index() + 1 and its term at least last_term().
  void Append(Entry entry);
  // Drops `first` and everything behind it. base_index() < first.
  void TruncateFrom(LogIndex first);
  // Drops entries up to `index` and remembers term and configuration there. They count as durable
  // from now on: the caller says that something else covers them.
  void CutTo(LogIndex index);
  // Forgets everything; the log begins behind `index`.
  void Reset(LogIndex index, Term term, Configuration configuration);

  // Entries that the driver has not been given yet. `term` is the member's term now; see
  // RecordPersisted.
  [[nodiscard]] std::vector<Entry> TakeUnemitted(Term term);
  // The driver reports a batch that ended with (index, term), when the newest durable hard state
  // was of `hard_state_term`. Counts only if this log still holds that entry and handed it out no
  // later than in that term: an entry that was truncated and came back is durable when its second
  // write is, not when the report about its first one arrives late.
  void RecordPersisted(LogIndex index, Term term, Term hard_state_term);

 private:
  struct Slot {
    Entry entry;
    Term emitted_in;                // the member's term when the entry was handed out for writing
    std::size_t bytes_through = 0;  // running sum over the slots, from an arbitrary origin
  };
  [[nodiscard]] const Slot& SlotAt(LogIndex index) const;
  [[nodiscard]] Slot& SlotAt(LogIndex index);
  [[nodiscard]] std::size_t BytesThrough(LogIndex index) const;

  LogIndex base_index_;
  Term base_term_;
  LogIndex durable_index_;
  LogIndex emitted_index_;
  std::deque<Slot> slots_;
  std::size_t bytes_origin_ = 0;  // value of the running sum at base_index_
  // Front: in force at base_index_, whichever entry it came from. Never empty; indexes rise.
  std::deque<std::pair<LogIndex, std::shared_ptr<const Configuration>>> configurations_;
};

}  // namespace dfs::consensus

#endif  // DFS_SERVER_CONSENSUS_RAFT_LOG_H_
