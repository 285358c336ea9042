// Who waits for which entry: (term, log index) -> caller.
//
// A proposal is known to have happened once an entry of its term is applied at its index, and known not to have
// happened once one of another term is. Pure bookkeeping: the caller runs what is returned, outside of its
// lock. Not thread-safe.
#ifndef DFS_SERVER_REPLICATED_LOG_PROPOSAL_TRACKER_H_
#define DFS_SERVER_REPLICATED_LOG_PROPOSAL_TRACKER_H_

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/wire_ids.h"

namespace dfs::replicated_log {

class ProposalTracker {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<rpc::CommandResult>)>;
  struct Answer {
    Callback done;
    absl::StatusOr<rpc::CommandResult> result;
    void Run() { done(std::move(result)); }
  };

  // `waits_for_held`: answered only once min(2, members) members hold the entry (rule R6).
  void Add(LogIndex index, Term term, bool waits_for_held, Callback done);
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

  // The entry at `index` was applied; entries up to `held` are held by enough members.
  [[nodiscard]] std::vector<Answer> Applied(LogIndex index, Term term, rpc::CommandResult result,
                                            LogIndex held);
  [[nodiscard]] std::vector<Answer> Held(LogIndex held);
  // This node no longer leads: the fate of what waits may stay unknown. They wait until `deadline` still,
  // because the next leader mostly decides soon.
  void LoseLeadership(MonotonicTime deadline);
  [[nodiscard]] std::vector<Answer> GiveUp(MonotonicTime now);
  // Everything that waits: outcome unknown.
  [[nodiscard]] std::vector<Answer> GiveUpAll();
  // The same for what waits at or below `index`: a snapshot took the place of these entries.
  [[nodiscard]] std::vector<Answer> GiveUpTo(LogIndex index);

 private:
  struct Waiting {
    Term term;
    bool waits_for_held = true;
    Callback done;
    std::optional<rpc::CommandResult> result;  // applied, waits to be held
    MonotonicTime deadline = absl::InfiniteFuture();
  };
  // An index may wait twice: proposed in two terms of this node.
  std::multimap<LogIndex, Waiting> waiting_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_PROPOSAL_TRACKER_H_
