// Read indexes for many threads with few questions to the leader (rule R10).
#ifndef DFS_SERVER_LEADER_READ_INDEX_ROUNDS_H_
#define DFS_SERVER_LEADER_READ_INDEX_ROUNDS_H_

#include <memory>
#include <optional>
#include <utility>

#include "server/leader/leader_route.h"

namespace dfs::leader {

// A caller joins only a round that has not been sent yet: the answer of one sent before the call began may miss
// changes that were answered in between. At most one round is on its way; the next one gathers meanwhile.
//
// Thread-safe. Held by shared_ptr: callbacks keep it.
class ReadIndexRounds : public std::enable_shared_from_this<ReadIndexRounds> {
 public:
  explicit ReadIndexRounds(std::shared_ptr<LeaderRoute> route) : route_(std::move(route)) {}

  // Blocks. kUnavailable NO_QUORUM: no answer in time (a read that was not answered changed nothing).
  [[nodiscard]] absl::StatusOr<LogIndex> Ask(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Round {
    PendingAnswer<rpc::ReadIndexResponse> answer;
    std::optional<LeaderRoute::Target> target;  // set before it is sent, constant from then on
  };
  using Shared = std::shared_ptr<Round>;

  [[nodiscard]] Shared Join() ABSL_LOCKS_EXCLUDED(mutex_);
  void SendNext() ABSL_LOCKS_EXCLUDED(mutex_);
  // The round is over: the next one may go.
  void Leave(const Shared& round) ABSL_LOCKS_EXCLUDED(mutex_);
  void AbandonIfStale() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<LeaderRoute> route_;
  Mutex mutex_;
  Shared in_flight_ ABSL_GUARDED_BY(mutex_);
  Shared next_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_READ_INDEX_ROUNDS_H_
