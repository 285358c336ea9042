#include "tests/model/rules.h"

#include <array>

namespace dfs::model {
namespace {

constexpr auto kRows = std::to_array<MutantRow>({
    {Mutant::kNoTermCheckAtApply, "no-term-check-at-apply",
     "a CommitPut counts though its transaction is of an older term (R13)", "terms"},
    {Mutant::kStoredResultNotLookedUp, "stored-result-not-looked-up",
     "apply does not look for a stored result first (R13, R15)", "retry"},
    {Mutant::kSettleNotStored, "settle-not-stored", "Settle answers and stores nothing (R15)", "settle"},
    {Mutant::kTooFewAcknowledgements, "one-acknowledgement-too-few",
     "one acknowledgement less than W is enough (R13)", "terms"},
    {Mutant::kAcknowledgementsNotCurrent, "acknowledgements-not-current",
     "the storage ids of acknowledgements are not compared with the node table (R13)", "wipe"},
    {Mutant::kRebeginBesidePending, "rebegin-beside-pending",
     "REBEGIN is answered while a proposal of the request is pending (R13)", "terms"},
    {Mutant::kRebeginOfNewerTerm, "rebegin-of-newer-term",
     "a leader that was replaced answers REBEGIN for a transaction of a newer term (R13)", "terms"},
    {Mutant::kRebeginLeavesOpen, "rebegin-leaves-open",
     "a transaction that was answered REBEGIN stays open (R13)", "wipe"},
    {Mutant::kFailureAfterLostAnswer, "failure-after-lost-answer",
     "a coordinator without an answer to CommitPut says that nothing happened (R15)", "terms"},
    {Mutant::kFailureWithoutSettle, "failure-without-settle",
     "the client reports a failure after an unknown outcome (R15)", "settle"},
    {Mutant::kRelinkOfNothing, "relink-of-nothing",
     "a node acknowledges the relink of an object that is gone (R14)", "relink"},
    {Mutant::kLateAcknowledgementCounts, "late-acknowledgement-counts",
     "a put's late acknowledgement counts after its order has ended (R19)", "late"},
    {Mutant::kOrderNumberIgnored, "order-number-ignored",
     "a copy's acknowledgement counts for an order that has ended (R19)", "copies"},
    {Mutant::kOrderEndsAtAcknowledgement, "order-ends-at-acknowledgement",
     "an order ends when it is acknowledged, before its change is applied (R19)", "copies"},
    {Mutant::kReplicaChangeOfOldTerm, "replica-change-of-old-term",
     "a change of replicas is taken into the log of a later term than its order's (R19)", "copies"},
    {Mutant::kReplicaChangeNotCurrent, "replica-change-not-current",
     "the storage id of a copy's acknowledgement is not compared with the node table (R19)", "copies-wipe"},
    {Mutant::kVerdictBesideOpenOrder, "verdict-beside-open-order",
     "EXCESS is answered while an order for the chunk and node is open (R19)", "late-and-repair"},
    {Mutant::kStateReadBeforeOrders, "state-read-before-orders",
     "the leader reads the state machine first and its transactions and orders after it (R18)", "relink"},
    {Mutant::kNonceIgnored, "nonce-ignored", "an answer counts whatever happened since the question (R19)",
     "copies"},
    {Mutant::kCopyKeepsQuestion, "copy-keeps-question", "making or vouching for a copy leaves the question open (R19)",
     "copies"},
    {Mutant::kRelinkWithoutCount, "relink-without-count", "the unlink of a chunk takes the object from those relinked to it (R14)",
     "relink"},
    {Mutant::kNoSecondQuestion, "no-second-question", "a node unlinks from its trash without asking again (R19)",
     "copies"},
    {Mutant::kExcessOfPoorSet, "excess-of-poor-set", "EXCESS is answered though the set is not fully ok (R18)",
     "copies"},
    {Mutant::kDeadWhileOpen, "dead-while-open", "DEAD is answered for a transaction that is open (R18)", "relink"},
    {Mutant::kExpiryClosesProposed, "expiry-closes-proposed",
     "a transaction is closed while its proposal is pending (R18)", "relink"},
    {Mutant::kVerdictWithoutReadIndex, "verdict-without-read-index",
     "a leader that was replaced answers new questions (R18)", "copies"},
    {Mutant::kVerdictBeforeFirstEntry, "verdict-before-first-entry",
     "a new leader answers before its own first entry is applied (R18)", "relink"},
    {Mutant::kPurgeWithoutIndex, "purge-without-index",
     "Purge takes a version that was trashed anew since it was looked at (R17)", "trash"},
    {Mutant::kUndeleteAfterPurge, "undelete-after-purge", "Undelete succeeds after Purge (R17)", "trash"},
    {Mutant::kOnlyDeletedIsReported, "only-deleted-is-reported",
     "a node reports only purged chunks that it has deleted itself (R17)", "trash"},
    {Mutant::kNothingExpires, "nothing-expires", "transactions are never closed for want of renewal (R11)", "relink"},
    {Mutant::kOrdersNeverEnd, "orders-never-end", "an order without progress stays open (R19)", "copies"},
    {Mutant::kRepairNeedsASource, "repair-needs-a-source",
     "repair does not ask a node whether it has the chunk unless another could give it", "copies"},
    {Mutant::kRetiredCopiesCount, "retired-copies-count",
     "the copies of nodes that were replaced make a set full, as long as they have not been swept (R18)", "copies-wipe"},
});

}  // namespace

std::span<const MutantRow> AllMutants() { return kRows; }

}  // namespace dfs::model
