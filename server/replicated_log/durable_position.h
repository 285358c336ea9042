// How far a node's log reaches on its disk. Pure.
#ifndef DFS_SERVER_REPLICATED_LOG_DURABLE_POSITION_H_
#define DFS_SERVER_REPLICATED_LOG_DURABLE_POSITION_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"

namespace dfs::replicated_log {

struct DurablePosition {
  Term hard_state_term;
  Term last_term;  // of the last entry
  LogIndex last_index;
  bool operator==(const DurablePosition&) const = default;
  [[nodiscard]] std::pair<Term, LogIndex> end() const { return {last_term, last_index}; }
  // Later entries of a log that is truncated and grows again are of later terms, so (term, index) of the end
  // never falls but by a snapshot.
  [[nodiscard]] bool Reaches(const DurablePosition& mark) const {
    return hard_state_term >= mark.hard_state_term && end() >= mark.end();
  }
};

inline std::string ToString(const DurablePosition& position) {
  return absl::StrCat("entry ", position.last_index.value(), " of term ",
                      position.last_term.value(), " with hard state of term ",
                      position.hard_state_term.value());
}

// As the durable-through mark keeps it (common/rocksdb_durable_mark.h).
inline std::array<std::uint64_t, 3> ToWords(const DurablePosition& position) {
  return {position.hard_state_term.value(), position.last_term.value(),
          position.last_index.value()};
}
inline DurablePosition PositionFromWords(const std::array<std::uint64_t, 3>& words) {
  return {Term(words[0]), Term(words[1]), LogIndex(words[2])};
}

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_DURABLE_POSITION_H_
