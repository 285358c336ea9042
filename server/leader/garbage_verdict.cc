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
  // Closed after its last proposal was applied, and never proposed again.
  if (DFS_MUTANT(330, "DEAD for an open transaction (rule R18)")) return Verdict::kDead;
  return facts.transaction == TransactionState::kClosed ? Verdict::kDead : Verdict::kPending;
}

}  // namespace

Verdict DecideVerdict(const VerdictFacts& facts) {
  if (facts.is_named && facts.is_in_set) return Verdict::kLive;
  // Rule R19: the copy may count again at any moment.
  const bool ignores_order = DFS_MUTANT(331, "a verdict beside an open order (rule R19)");
  if (facts.has_open_order && !ignores_order) return Verdict::kPending;
  // Entries of earlier terms may be unapplied: nothing can be said to be absent.
  const bool ignores_start = DFS_MUTANT(332, "a verdict before the own first entry (rule R18)");
  if (!facts.is_first_entry_applied && !ignores_start) return Verdict::kPending;
  if (facts.has_purge_row) return Verdict::kDead;
  if (!facts.is_named) return OfUnnamed(facts);
  const bool goes_by_row =
      facts.is_released &&
      DFS_MUTANT(1002, "a copy that was let go is EXCESS whatever its set lacks (rule R18)");
  if (goes_by_row) return Verdict::kExcess;
  // The set lacks a copy: this one may be adopted by repair.
  if (DFS_MUTANT(333, "EXCESS though the set lacks a copy (rule R18)")) return Verdict::kExcess;
  return facts.is_set_fully_ok ? Verdict::kExcess : Verdict::kPending;
}

Ground GroundOf(const VerdictFacts& facts) {
  if (facts.has_purge_row) return Ground::kPurged;
  if (facts.is_named) return facts.is_released ? Ground::kReleased : Ground::kNotInSet;
  return facts.txn.term < facts.own_term ? Ground::kOlderTerm : Ground::kClosed;
}

}  // namespace dfs::leader
