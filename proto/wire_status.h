// The only conversion between absl::Status and grpc::Status, both ways, with the ErrorDetail that
// says whether anything happened. Nobody else builds a grpc::Status except OK.
#ifndef DFS_PROTO_WIRE_STATUS_H_
#define DFS_PROTO_WIRE_STATUS_H_

#include "absl/status/status.h"
#include "proto/error_detail.h"
#include <grpcpp/support/status.h>

namespace dfs {

// The result of an error always carries a detail: the status's own, or one whose outcome is OutcomeOf.
grpc::Status ToGrpc(const absl::Status& status);
// An error that comes without a detail was made by the transport and not by a server of ours: it
// gets a detail whose outcome is UNKNOWN for kUnavailable and kResourceExhausted too, because a
// connection may break after the work was done.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace dfs

#endif  // DFS_PROTO_WIRE_STATUS_H_
