#include "server/leader/transaction_table.h"

#include "absl/status/status.h"
#include "common/mutant.h"

namespace dfs::leader {

TransactionTable::Coordinator& TransactionTable::Admit(NodeId coordinator, RunId run) {
  Coordinator& known = coordinators_[coordinator];
  if (known.run == run) return known;
  known.run = run;
  // Its process is gone, and with it whoever would have sent CommitPut; one that is proposed is decided by
  // its entry.
  const std::set<std::uint64_t> before = known.sequences;
  for (const std::uint64_t sequence : before) {
    if (!transactions_.at(sequence).is_proposed) Erase(sequence);
  }
  return known;
}

void TransactionTable::Erase(std::uint64_t sequence) {
  const auto found = transactions_.find(sequence);
  if (found == transactions_.end()) return;
  coordinators_[found->second.coordinator].sequences.erase(sequence);
  transactions_.erase(found);
}

absl::StatusOr<std::vector<TxnId>> TransactionTable::Open(NodeId coordinator, RunId run,
                                                          std::size_t count, MonotonicTime now) {
  Coordinator& known = Admit(coordinator, run);
  if (known.sequences.size() + count > kOpenPerCoordinatorMax) {
    return absl::ResourceExhaustedError("the coordinator has too many open transactions");
  }
  std::vector<TxnId> opened;
  opened.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t sequence = next_sequence_++;
    transactions_[sequence] = {coordinator, false, now};
    known.sequences.insert(sequence);
    opened.push_back({term_, sequence});
  }
  return opened;
}

std::vector<TxnId> TransactionTable::Renew(NodeId coordinator, RunId run,
                                           const std::vector<TxnId>& held, MonotonicTime now) {
  Admit(coordinator, run);
  std::vector<TxnId> unknown;
  for (const TxnId& txn : held) {
    const auto found =
        txn.term == term_ ? transactions_.find(txn.sequence) : transactions_.end();
    if (found == transactions_.end() || found->second.coordinator != coordinator) {
      unknown.push_back(txn);
    } else {
      found->second.renewed = now;
    }
  }
  return unknown;
}

void TransactionTable::Cancel(NodeId coordinator, RunId run, const TxnId& txn) {
  if (txn.term != term_) return;
  const auto found = transactions_.find(txn.sequence);
  if (found == transactions_.end() || found->second.is_proposed) return;
  if (found->second.coordinator != coordinator || coordinators_[coordinator].run != run) return;
  Erase(txn.sequence);
}

void TransactionTable::Expire(MonotonicTime now) {
  std::vector<std::uint64_t> expired;
  for (const auto& [sequence, transaction] : transactions_) {
    const bool may_expire = !transaction.is_proposed ||
                            DFS_MUTANT(336, "expiry closes what is proposed (rule R18)");
    if (may_expire && now - transaction.renewed >= kRenewWithin) {
      expired.push_back(sequence);
    }
  }
  for (const std::uint64_t sequence : expired) Erase(sequence);
}

bool TransactionTable::Propose(const TxnId& txn) {
  if (StateOf(txn) != TransactionState::kOpen) return false;
  transactions_.at(txn.sequence).is_proposed = true;
  return true;
}

void TransactionTable::Unpropose(const TxnId& txn, MonotonicTime now) {
  if (StateOf(txn) != TransactionState::kProposed) return;
  Transaction& transaction = transactions_.at(txn.sequence);
  transaction.is_proposed = false;
  transaction.renewed = now;
}

void TransactionTable::Close(const TxnId& txn) {
  if (txn.term == term_) Erase(txn.sequence);
}

TransactionState TransactionTable::StateOf(const TxnId& txn) const {
  if (txn.term != term_ || txn.sequence == 0 || txn.sequence >= next_sequence_) {
    return TransactionState::kNotOurs;
  }
  const auto found = transactions_.find(txn.sequence);
  if (found == transactions_.end()) return TransactionState::kClosed;
  return found->second.is_proposed ? TransactionState::kProposed : TransactionState::kOpen;
}

}  // namespace dfs::leader
