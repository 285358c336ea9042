#include "server/consensus/input_output.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dfs::consensus {
namespace {

template <class T>
void MoveAppend(std::vector<T>& to, std::vector<T>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void Output::Merge(Output later) {
  MoveAppend(messages, std::move(later.messages));
  if (later.hard_state) hard_state = later.hard_state;
  if (!later.entries.empty()) {
    const LogIndex first = later.entries.front().index;
    const auto keep = std::partition_point(entries.begin(), entries.end(),
                                           [&](const Entry& e) { return e.index < first; });
    entries.erase(keep, entries.end());
    MoveAppend(entries, std::move(later.entries));
  }
  MoveAppend(messages_after_persist, std::move(later.messages_after_persist));
  MoveAppend(proposed, std::move(later.proposed));
  MoveAppend(rejected, std::move(later.rejected));
  MoveAppend(reads, std::move(later.reads));
  MoveAppend(snapshots_wanted, std::move(later.snapshots_wanted));
  next_deadline = later.next_deadline;
}

}  // namespace dfs::consensus
