// The puts in progress that the leader of one term has opened (rules R11, R13).
//
// In memory only: it dies with the term. A transaction goes OPEN -> PROPOSED -> CLOSED, or OPEN -> CLOSED; from
// PROPOSED back to OPEN only if it is certain that the proposal never became an entry. Once CLOSED no CommitPut
// of it may be proposed, so that what is said about its chunks afterwards (garbage_verdict.h) stays true.
// Closed ones are not kept: every number below the next one that is not in the table is closed.
//
// Pure: no clock, lock or I/O. Not thread-safe.
#ifndef DFS_SERVER_LEADER_TRANSACTION_TABLE_H_
#define DFS_SERVER_LEADER_TRANSACTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::leader {

enum class TransactionState {
  kNotOurs,   // of another term, or a number not given yet
  kOpen,
  kProposed,  // a CommitPut of it is on its way through the log
  kClosed,
};

class TransactionTable {
 public:
  // Without renewal for so long a transaction is closed (rule R11).
  static constexpr absl::Duration kRenewWithin = absl::Seconds(10);
  // Bounds the table: a coordinator has at most so many puts at once, kept in advance included.
  static constexpr std::size_t kOpenPerCoordinatorMax = 10'000;

  explicit TransactionTable(Term term) : term_(term) {}

  [[nodiscard]] Term term() const { return term_; }

  // Opens `count` transactions for this run of the coordinator. Another run than the one before closes what that one
  // had open. (Should a late message of a dead run do so to a live one, its puts begin again; nothing is lost.)
  // All or nothing. kResourceExhausted: it would have more than kOpenPerCoordinatorMax; nothing opened.
  [[nodiscard]] absl::StatusOr<std::vector<TxnId>> Open(NodeId coordinator, RunId run,
                                                        std::size_t count, MonotonicTime now);
  // Renews what the run holds and returns those of `held` that it does not have (closed, of another term, another's).
  [[nodiscard]] std::vector<TxnId> Renew(NodeId coordinator, RunId run,
                                         const std::vector<TxnId>& held, MonotonicTime now);
  // Closes it if it is open and belongs to the run. One that is proposed stays: its entry decides.
  void Cancel(NodeId coordinator, RunId run, const TxnId& txn);
  // Closes what was not renewed within kRenewWithin. Proposed ones stay.
  void Expire(MonotonicTime now);

  // OPEN -> PROPOSED. False, and nothing changed, in every other state: at most one proposal at a time, none after
  // closing.
  [[nodiscard]] bool Propose(const TxnId& txn);
  // PROPOSED -> OPEN: the proposal certainly did not become an entry.
  void Unpropose(const TxnId& txn, MonotonicTime now);
  // -> CLOSED, from any state. Of another term: nothing.
  void Close(const TxnId& txn);

  [[nodiscard]] TransactionState StateOf(const TxnId& txn) const;
  [[nodiscard]] std::size_t size() const { return transactions_.size(); }

 private:
  struct Transaction {
    NodeId coordinator;
    bool is_proposed = false;
    MonotonicTime renewed;
  };
  struct Coordinator {
    RunId run;
    std::set<std::uint64_t> sequences;
  };
  // Makes `run` the current one of the coordinator.
  Coordinator& Admit(NodeId coordinator, RunId run);
  void Erase(std::uint64_t sequence);

  const Term term_;
  std::uint64_t next_sequence_ = 1;
  std::map<std::uint64_t, Transaction> transactions_;  // by sequence; open and proposed ones only
  std::map<NodeId, Coordinator> coordinators_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_TRANSACTION_TABLE_H_
