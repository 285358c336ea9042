// May a node delete its copy of a chunk? Rules R18 and R19 as one function of what the leader knows. Pure.
#ifndef DFS_SERVER_LEADER_GARBAGE_VERDICT_H_
#define DFS_SERVER_LEADER_GARBAGE_VERDICT_H_

#include "common/ids.h"
#include "server/leader/transaction_table.h"

namespace dfs::leader {

enum class Verdict {
  kLive,     // the node is in the chunk's set
  kPending,  // not decided: ask again later
  kDead,     // no version names the chunk, and none ever will
  kExcess,   // a version names it, other nodes hold it in full
};

// What is known about one question (chunk, node), after a read-index round. The order of reading matters: transaction
// state and orders first, the state machine's view after them, because both end with an entry that is applied.
struct VerdictFacts {
  Term own_term;
  bool is_first_entry_applied = false;  // of own_term
  TxnId txn;                            // of the chunk
  TransactionState transaction = TransactionState::kNotOurs;
  bool has_open_order = false;  // for this chunk and node
  // From the view:
  bool is_named = false;        // by a version, kept or trashed
  bool has_purge_row = false;   // (chunk, node)
  bool is_released = false;     // the log has put another in this copy's place: of the ground only
  bool is_in_set = false;       // the node, in the chunk's replica set, in whatever state; only if named
  bool is_set_fully_ok = false;  // every member of the set holds it, and the set is as large as it can be
};

[[nodiscard]] Verdict DecideVerdict(const VerdictFacts& facts);

// Why a chunk about which kDead or kExcess is decided may go. The kinds differ in what a mistake would cost (rule R20).
enum class Ground {
  kClosed,     // its transaction, of the own term, has ended without a version
  kOlderTerm,  // no version names it, and its transaction is of an older term
  kPurged,     // the log has a purge row for it
  kReleased,   // others hold it in full: the log has put another copy in the place of this one
  kNotInSet,   // others hold it in full, and why this one is here is not known
};
[[nodiscard]] Ground GroundOf(const VerdictFacts& facts);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_GARBAGE_VERDICT_H_
