// Those who wait until an index is applied, or until their time is over. Pure; not thread-safe.
#ifndef DFS_SERVER_REPLICATED_LOG_APPLIED_WAITERS_H_
#define DFS_SERVER_REPLICATED_LOG_APPLIED_WAITERS_H_

#include <map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids.h"

namespace dfs::replicated_log {

class AppliedWaiters {
 public:
  using Callback = absl::AnyInvocable<void(absl::Status)>;

  void Add(LogIndex index, MonotonicTime deadline, Callback done) {
    waiting_.emplace(index, std::pair{deadline, std::move(done)});
  }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] std::vector<Callback> TakeReached(LogIndex applied) {
    std::vector<Callback> out;
    const auto end = waiting_.upper_bound(applied);
    for (auto at = waiting_.begin(); at != end; ++at) out.push_back(std::move(at->second.second));
    waiting_.erase(waiting_.begin(), end);
    return out;
  }
  [[nodiscard]] std::vector<Callback> TakeLate(MonotonicTime now) {
    std::vector<Callback> out;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if (at->second.first > now) {
        ++at;
        continue;
      }
      out.push_back(std::move(at->second.second));
      at = waiting_.erase(at);
    }
    return out;
  }

 private:
  std::multimap<LogIndex, std::pair<MonotonicTime, Callback>> waiting_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_APPLIED_WAITERS_H_
