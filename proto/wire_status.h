// The only conversion between absl::Status and grpc::Status, both ways, with the ErrorDetail that
// says whether anything happened. Nobody else builds a grpc::Status except OK.
#ifndef DFS_PROTO_WIRE_STATUS_H_
#define DFS_PROTO_WIRE_STATUS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "dfs/v1/types.pb.h"
#include <grpcpp/support/status.h>

namespace dfs {

// The result of an error always carries a detail: the status's own, or one whose outcome is OutcomeOf.
grpc::Status ToGrpc(const absl::Status& status);
// An error that comes without a detail was made by the transport and not by a server of ours: it
// gets a detail whose outcome is UNKNOWN for kUnavailable and kResourceExhausted too, because a
// connection may break after the work was done.
absl::Status FromGrpc(const grpc::Status& status);

// An error with its detail attached as a payload; survives ToGrpc and FromGrpc.
absl::Status ErrorWithDetail(absl::StatusCode code, std::string_view message,
                             const dfs::v1::ErrorDetail& detail);
// The common case: reason and outcome only.
absl::Status ErrorWithReason(absl::StatusCode code, std::string_view message,
                             dfs::v1::ErrorDetail::Reason reason,
                             dfs::v1::ErrorDetail::Outcome outcome =
                                 dfs::v1::ErrorDetail::NOTHING_CHANGED);
// nullopt if the error carries none. (What FromGrpc returns carries one.)
std::optional<dfs::v1::ErrorDetail> DetailOf(const absl::Status& status);
// Of an error of ours without detail: kDeadlineExceeded, kCancelled, kUnknown and kInternal are UNKNOWN,
// all others NOTHING_CHANGED.
dfs::v1::ErrorDetail::Outcome OutcomeOf(const absl::Status& status);

}  // namespace dfs

#endif  // DFS_PROTO_WIRE_STATUS_H_
