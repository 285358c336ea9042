// What an error says besides its code: the reason, and whether anything happened. Travels as a payload
// of absl::Status; needs no gRPC.
#ifndef DFS_PROTO_ERROR_DETAIL_H_
#define DFS_PROTO_ERROR_DETAIL_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "dfs/v1/types.pb.h"

namespace dfs {

// Where the detail is attached to a status.
inline constexpr char kErrorDetailUrl[] = "dfs.v1.ErrorDetail";

// An error with its detail attached as a payload; survives ToGrpc and FromGrpc.
absl::Status ErrorWithDetail(absl::StatusCode code, std::string_view message,
                             const dfs::v1::ErrorDetail& detail);
// The common case: reason and outcome only.
absl::Status ErrorWithReason(absl::StatusCode code, std::string_view message,
                             dfs::v1::ErrorDetail::Reason reason,
                             dfs::v1::ErrorDetail::Outcome outcome =
                                 dfs::v1::ErrorDetail::NOTHING_CHANGED);
// nullopt if the error carries none.
std::optional<dfs::v1::ErrorDetail> DetailOf(const absl::Status& status);
// Of an error without detail: kDeadlineExceeded, kCancelled, kUnknown and kInternal are UNKNOWN,
// all others NOTHING_CHANGED.
dfs::v1::ErrorDetail::Outcome OutcomeOf(const absl::Status& status);

}  // namespace dfs

#endif  // DFS_PROTO_ERROR_DETAIL_H_
