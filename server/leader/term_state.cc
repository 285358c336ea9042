#include "server/leader/term_state.h"

#include "absl/strings/str_cat.h"
#include "proto/error_detail.h"

namespace dfs::leader {
namespace {

// A majority that is there answers far sooner.
constexpr absl::Duration kOutcomeTimeout = absl::Seconds(10);

}  // namespace

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
