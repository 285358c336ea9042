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

// Of entries in one message that was joined from several.
constexpr std::size_t kJoinedBytesMax = std::size_t{1} << 20;

std::size_t BytesOf(const std::vector<Entry>& entries) {
  std::size_t bytes = 0;
  for (const Entry& entry : entries) bytes += entry.bytes();
  return bytes;
}

// The second goes on where the first ends: the receiver gets the same log by one message, whose
// answer frees what both hold of the sender's window.
bool JoinAppends(AppendRequest& first, AppendRequest& second) {
  if (first.previous_index.value() + first.entries.size() != second.previous_index.value()) {
    return false;
  }
  if (BytesOf(first.entries) + BytesOf(second.entries) > kJoinedBytesMax) return false;
  MoveAppend(first.entries, std::move(second.entries));
  first.commit_index = std::max(first.commit_index, second.commit_index);
  first.read_round = std::max(first.read_round, second.read_round);
  first.sequence = second.sequence;
  return true;
}

bool CoversReply(const AppendReply& first, const AppendReply& second) {
  return first.is_success && second.is_success && second.index >= first.index &&
         second.read_round >= first.read_round && second.sequence >= first.sequence;
}

void JoinMessage(std::vector<Message>& messages, Message later) {
  const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                 [&](const Message& m) { return m.to == later.to; });
  if (last != messages.rend() && last->term == later.term) {
    auto* first_append = std::get_if<AppendRequest>(&last->body);
    auto* later_append = std::get_if<AppendRequest>(&later.body);
    if (first_append && later_append && JoinAppends(*first_append, *later_append)) return;
    auto* first_reply = std::get_if<AppendReply>(&last->body);
    const auto* later_reply = std::get_if<AppendReply>(&later.body);
    if (first_reply && later_reply && CoversReply(*first_reply, *later_reply)) {
      *first_reply = *later_reply;
      return;
    }
  }
  messages.push_back(std::move(later));
}

}  // namespace

void Output::Merge(Output later) {
  for (Message& m : later.messages) JoinMessage(messages, std::move(m));
  if (later.hard_state) hard_state = later.hard_state;
  if (!later.entries.empty()) {
    const LogIndex first = later.entries.front().index;
    const auto keep = std::partition_point(entries.begin(), entries.end(),
                                           [&](const Entry& e) { return e.index < first; });
    entries.erase(keep, entries.end());
    MoveAppend(entries, std::move(later.entries));
  }
  for (Message& m : later.messages_after_persist) {
    JoinMessage(messages_after_persist, std::move(m));
  }
  MoveAppend(proposed, std::move(later.proposed));
  MoveAppend(rejected, std::move(later.rejected));
  MoveAppend(reads, std::move(later.reads));
  MoveAppend(snapshots_wanted, std::move(later.snapshots_wanted));
  next_deadline = later.next_deadline;
}

}  // namespace dfs::consensus
