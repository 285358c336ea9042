#include "server/leader/term_state.h"

#include "absl/strings/str_cat.h"
#include "proto/error_detail.h"

namespace dfs::leader {

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
