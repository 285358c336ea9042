// What members have shown to hold durably, as another member remembers it (rule R3). Pure.
#ifndef DFS_SERVER_REPLICATED_LOG_WITNESS_MARKS_H_
#define DFS_SERVER_REPLICATED_LOG_WITNESS_MARKS_H_

#include <map>
#include <string>

#include "common/ids.h"

namespace dfs::replicated_log {

// How far the stores of a member reach.
struct LogPosition {
  Term term;       // of the hard state
  Term last_term;  // of the last entry; of the base if there is none
  LogIndex last_index;
  bool operator==(const LogPosition&) const = default;
};

// The highest that one member has shown. Term and entry are apart: a tail that was truncated,
// uncommitted, under a newer term is no rollback, and a term may be known of a member whose entries
// are not.
struct WitnessMark {
  Term term;
  Term entry_term;  // with `entry_index` one position: compared by term, then index
  LogIndex entry_index;
  bool operator==(const WitnessMark&) const = default;
};

// Whether a member whose stores reach so far has lost something that it once showed.
[[nodiscard]] bool IsBelow(const LogPosition& own, const WitnessMark& mark);
[[nodiscard]] std::string ToString(const LogPosition& position);
[[nodiscard]] std::string ToString(const WitnessMark& mark);

// Not thread-safe. Marks only rise.
class WitnessMarks {
 public:
  void RecordTerm(NodeId node, Term term);
  void RecordEntry(NodeId node, Term entry_term, LogIndex entry_index);
  [[nodiscard]] WitnessMark Of(NodeId node) const;  // zeros if nothing is known
  [[nodiscard]] const std::map<NodeId, WitnessMark>& all() const { return marks_; }
  bool operator==(const WitnessMarks&) const = default;

 private:
  std::map<NodeId, WitnessMark> marks_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_WITNESS_MARKS_H_
