#include "server/leader/garbage_verdict.h"

#include "common/mutant.h"

namespace dfs::leader {
namespace {

// No version names the chunk now. Can one still come to name it?
Verdict OfUnnamed(const VerdictFacts& facts) {
  // Rule R13: a CommitPut of an older term can no longer count, and those that did are applied.
  if (facts.txn.term < facts.own_term) return Verdict::kDead;
  // A younger term than ours: another leads by now.
  if (facts.txn.term > facts.own_term) return Verdict::kPending;
  if (DFS_MUTANT(818, "DEAD while the transaction may still commit (rule R18)")) return Verdict::kDead;
  // Closed after its last proposal was applied, and never proposed again.
  return facts.transaction == TransactionState::kClosed ? Verdict::kDead : Verdict::kPending;
}

}  // namespace

Verdict DecideVerdict(const VerdictFacts& facts) {
  if (facts.is_named && facts.is_in_set) return Verdict::kLive;
  // Rule R19: the copy may count again at any moment.
  const bool ignores_order = DFS_MUTANT(819, "a verdict beside an open order (rule R19)");
  if (facts.has_open_order && !ignores_order) return Verdict::kPending;
  // Entries of earlier terms may be unapplied: nothing can be said to be absent.
  if (!facts.is_first_entry_applied) return Verdict::kPending;
  if (facts.has_purge_row) return Verdict::kDead;
  if (!facts.is_named) return OfUnnamed(facts);
  // The set lacks a copy: this one may be adopted by repair.
  return facts.is_set_fully_ok ? Verdict::kExcess : Verdict::kPending;
}

}  // namespace dfs::leader
