// Changes of files for clients that have no request ids of their own.
#ifndef DFS_SERVER_HTTP_CHANGES_H_
#define DFS_SERVER_HTTP_CHANGES_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/request_ids.h"
#include "common/sync.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "server/gateway/file_operations.h"

namespace dfs::http {

// Gives each change a request id of a session of this node. An end that is not known is settled (rule R15): it either
// happened, and its answer is given, or never will; only if that cannot be found out either is the outcome left
// unknown (the error's detail says so).
//
// Every call blocks. Thread-safe.
class Changes {
 public:
  // The next bytes of a file, 2 MiB at most; empty: its end. An error ends the put; nothing of it is ever visible.
  using NextPiece = std::function<absl::StatusOr<Slices>()>;

  // `files` outlive it.
  explicit Changes(gateway::FileOperations* files) : files_(files) {}

  // `header` without request id; `phases` may be null. Errors of coordinator::PutOperation, or what `next` has failed with.
  absl::StatusOr<v1::PutResponse> Put(v1::PutHeader header, const NextPiece& next,
                                       PhaseTimer* phases = nullptr);
  // `request` without request id.
  absl::StatusOr<v1::RemoveResponse> Remove(v1::RemoveRequest request);

 private:
  // A session is left so long after it was made: the cluster forgets those that are not used.
  static constexpr absl::Duration kSessionAgeMax = absl::Minutes(5);

  absl::StatusOr<RequestIds::Open> NextId() ABSL_LOCKS_EXCLUDED(mutex_);
  // What the change came to; `failure` again, definite or unknown, if it did not happen.
  absl::StatusOr<v1::SettleResponse> Settle(const RequestIds::Open& id,
                                            const absl::Status& failure);

  gateway::FileOperations* const files_;
  RequestIds ids_;
  Mutex mutex_;
  MonotonicTime session_began_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_CHANGES_H_
