// Which callers wait for which entry of the log.
#ifndef DFS_SERVER_REPLICATED_LOG_PROPOSAL_TRACKER_H_
#define DFS_SERVER_REPLICATED_LOG_PROPOSAL_TRACKER_H_

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/wire_ids.h"

namespace dfs::replicated_log {

// A caller waits for (term, index). It is answered when that entry is applied here and, unless the proposal says
// otherwise, held by enough members (rule R6). Another entry at its index means that it never happened.
//
// Pure bookkeeping: no lock, no clock; callbacks are handed back, never called here.
class ProposalTracker {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<rpc::CommandResult>)>;
  struct Answer {
    Callback done;
    absl::StatusOr<rpc::CommandResult> result;
  };

  void Add(LogIndex index, Term term, bool waits_for_holders, Callback done);
  // The entry at `index` was applied, with this result. In order of index.
  void RecordApplied(LogIndex index, Term term, const rpc::CommandResult& result);
  // Those whose entry is applied and, if they wait for that, at or below `held`.
  std::vector<Answer> TakeAnswered(LogIndex held);
  // Leadership is lost: what becomes of the rest is not known here.
  std::vector<Answer> TakeAll(const absl::Status& reason);
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    Term term;
    bool waits_for_holders = true;
    Callback done;
    std::optional<absl::StatusOr<rpc::CommandResult>> result;
  };
  std::map<LogIndex, Waiting> waiting_;
  LogIndex applied_;  // entries up to here have their result
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_PROPOSAL_TRACKER_H_
