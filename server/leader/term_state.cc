#include "server/leader/term_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/error_detail.h"

namespace dfs::leader {
namespace {

// A majority that is there answers far sooner.
constexpr absl::Duration kOutcomeTimeout = absl::Seconds(10);
constexpr absl::Duration kApplyTimeout = absl::Seconds(5);

}  // namespace

bool TermState::IsUsable(NodeId node) const {
  const auto live = world.liveness();
  return std::any_of(live.begin(), live.end(),
                     [&](const NodeLiveness& other) { return other.node == node && other.is_usable; });
}

absl::StatusOr<rpc::CommandResult> ProposeAndWait(TermState& state, rpc::Command command) {
  struct Outcome {
    Event event;
    absl::StatusOr<rpc::CommandResult> result = absl::UnknownError("");
  };
  auto outcome = std::make_shared<Outcome>();
  state.world.consensus->Propose(std::move(command), state.term,
                                 [outcome](absl::StatusOr<rpc::CommandResult> result) {
                                   outcome->result = std::move(result);
                                   outcome->event.Set();
                                 });
  if (!outcome->event.WaitFor(kOutcomeTimeout)) {
    return ErrorWithReason(absl::StatusCode::kDeadlineExceeded, "no quorum answers",
                           api::ErrorDetail::NO_QUORUM, api::ErrorDetail::UNKNOWN);
  }
  return outcome->result;
}

void WhenCurrent(const std::shared_ptr<TermState>& state,
                 absl::AnyInvocable<void(absl::Status)> done) {
  auto shared = std::make_shared<absl::AnyInvocable<void(absl::Status)>>(std::move(done));
  state->world.consensus->ReadIndex([state, shared](const absl::StatusOr<LogIndex>& index) {
    if (!index.ok()) {
      (*shared)(NotLeaderError());
      return;
    }
    state->world.consensus->WaitApplied(
        *index, kApplyTimeout, [state, shared](const absl::Status& applied) {
          // Not here: this may be the thread that applies entries.
          state->world.executor->Post([shared, is_applied = applied.ok()] {
            (*shared)(is_applied ? absl::OkStatus()
                                 : absl::UnavailableError("the state machine lags"));
          });
        });
  });
}

absl::Status NotLeaderError() {
  return ErrorWithReason(absl::StatusCode::kUnavailable, "this node does not lead",
                         api::ErrorDetail::NOT_LEADER);
}

bool IsNothingChanged(const absl::Status& status) {
  return OutcomeOf(status) == api::ErrorDetail::NOTHING_CHANGED;
}

std::string NameOf(const rpc::NodeRow& row) {
  return row.name().empty() ? absl::StrCat("node ", row.node_id()) : row.name();
}

}  // namespace dfs::leader
