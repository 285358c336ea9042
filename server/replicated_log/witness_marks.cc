#include "server/replicated_log/witness_marks.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"

namespace dfs::replicated_log {

bool IsBelow(const LogPosition& own, const WitnessMark& mark) {
  if (DFS_MUTANT(403, "a rolled-back disk goes on (rule R3)")) return false;
  if (own.term < mark.term) return true;
  return std::tie(own.last_term, own.last_index) < std::tie(mark.entry_term, mark.entry_index);
}

std::string ToString(const LogPosition& position) {
  return absl::StrCat("term ", position.term.value(), ", entry ", position.last_term.value(), "/",
                      position.last_index.value());
}

std::string ToString(const WitnessMark& mark) {
  return absl::StrCat("term ", mark.term.value(), ", entry ", mark.entry_term.value(), "/",
                      mark.entry_index.value());
}

void WitnessMarks::RecordTerm(NodeId node, Term term) {
  WitnessMark& mark = marks_[node];
  mark.term = std::max(mark.term, term);
}

void WitnessMarks::RecordEntry(NodeId node, Term entry_term, LogIndex entry_index) {
  WitnessMark& mark = marks_[node];
  if (std::tie(entry_term, entry_index) <= std::tie(mark.entry_term, mark.entry_index)) return;
  mark.entry_term = entry_term;
  mark.entry_index = entry_index;
}

WitnessMark WitnessMarks::Of(NodeId node) const {
  const auto found = marks_.find(node);
  return found == marks_.end() ? WitnessMark() : found->second;
}

}  // namespace dfs::replicated_log
