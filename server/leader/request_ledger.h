// Which changes of clients have a proposal in the log's hands, by request id (rule R13).
//
// REBEGIN may be answered to a CommitPut only if no proposal under its (session, sequence) is pending with this
// leader. So the changes of one request are decided one after another: the next one waits here until the one
// before has its outcome, and is then looked at anew.
//
// Pure: no lock, no I/O. Not thread-safe. It keeps tasks, and never runs one.
#ifndef DFS_SERVER_LEADER_REQUEST_LEDGER_H_
#define DFS_SERVER_LEADER_REQUEST_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace dfs::leader {

class RequestLedger {
 public:
  using Key = std::pair<std::string, std::uint64_t>;  // session bytes, sequence
  using Task = absl::AnyInvocable<void()>;
  // Bounds what waits behind others in the whole ledger.
  static constexpr std::size_t kWaitingMax = 10'000;

  [[nodiscard]] bool IsPending(const Key& key) const { return entries_.contains(key); }
  // One more proposal under `key` is about to be made.
  void Begin(const Key& key) { ++entries_[key].pending; }
  // Keeps `retry` until nothing is pending under `key`. False, and `retry` is not kept, if kWaitingMax is reached.
  // Only while IsPending(key).
  [[nodiscard]] bool Wait(const Key& key, Task retry) {
    if (waiting_ >= kWaitingMax) return false;
    ++waiting_;
    entries_[key].waiting.push_back(std::move(retry));
    return true;
  }
  // One proposal has its outcome. Returns the tasks to run now, outside any lock; those that find the request pending
  // again wait again, in their order.
  [[nodiscard]] std::deque<Task> End(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end() || --found->second.pending > 0) return {};
    std::deque<Task> ready = std::move(found->second.waiting);
    waiting_ -= ready.size();
    entries_.erase(found);
    return ready;
  }
  // Everything that waits, in any order; nothing is pending afterwards.
  [[nodiscard]] std::deque<Task> Clear() {
    std::deque<Task> all;
    for (auto& [key, entry] : entries_) {
      for (auto& task : entry.waiting) all.push_back(std::move(task));
    }
    entries_.clear();
    waiting_ = 0;
    return all;
  }

 private:
  struct Entry {
    std::size_t pending = 0;
    std::deque<Task> waiting;
  };
  std::map<Key, Entry> entries_;
  std::size_t waiting_ = 0;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_REQUEST_LEDGER_H_
