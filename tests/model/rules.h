// The rules that can be switched off, one at a time: a mistake on purpose, by name.
#ifndef DFS_TESTS_MODEL_RULES_H_
#define DFS_TESTS_MODEL_RULES_H_

#include <span>
#include <string_view>

namespace dfs::model {

enum class Mutant {
  kNone,
  kNoTermCheckAtApply,
  kStoredResultNotLookedUp,
  kSettleNotStored,
  kTooFewAcknowledgements,
  kAcknowledgementsNotCurrent,
  kRebeginBesidePending,
  kRebeginOfNewerTerm,
  kRebeginLeavesOpen,
  kFailureAfterLostAnswer,
  kFailureWithoutSettle,
  kRelinkOfNothing,
  kLateAcknowledgementCounts,
  kOrderNumberIgnored,
  kOrderEndsAtAcknowledgement,
  kReplicaChangeOfOldTerm,
  kReplicaChangeNotCurrent,
  kVerdictBesideOpenOrder,
  kStateReadBeforeOrders,
  kNonceIgnored,
  kCopyKeepsQuestion,
  kRelinkWithoutCount,
  kNoSecondQuestion,
  kExcessOfPoorSet,
  kDeadWhileOpen,
  kExpiryClosesProposed,
  kVerdictWithoutReadIndex,
  kVerdictBeforeFirstEntry,
  kPurgeWithoutIndex,
  kUndeleteAfterPurge,
  kOnlyDeletedIsReported,
  kNothingExpires,
  kOrdersNeverEnd,
  kRepairNeedsASource,
  kRetiredCopiesCount,
};

struct MutantRow {
  Mutant mutant;
  std::string_view name;
  std::string_view what;           // the mistake, as a sentence
  std::string_view configuration;  // in which it is to be found
};

// All of them, kNone not included.
[[nodiscard]] std::span<const MutantRow> AllMutants();

}  // namespace dfs::model

#endif  // DFS_TESTS_MODEL_RULES_H_
