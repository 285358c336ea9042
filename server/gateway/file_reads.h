// Reads of files: get, stat, locate and list, answered by this node.
#ifndef DFS_SERVER_GATEWAY_FILE_READS_H_
#define DFS_SERVER_GATEWAY_FILE_READS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/progress_guard.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "server/coordinator/coordinator.h"

namespace dfs::gateway {

// Decode, one operation, encode. All calls block. An error for which coordinator::IsLagging holds:
// this node's state was not at the read index within `lag_max`; nothing was written to the client,
// so that another node may answer.
//
// Thread-safe.
class FileReads {
 public:
  // A client that does not read for so long is left: it would hold a thread for ever.
  static constexpr absl::Duration kStallTimeout = absl::Seconds(30);

  // Both outlive it.
  FileReads(const coordinator::Parts& parts, ProgressGuard* guard) : parts_(parts), guard_(guard) {}

  absl::Status Get(grpc::ServerContext* context, const api::GetRequest& request,
                   absl::Duration lag_max, grpc::ServerWriter<WithData<api::GetResponse>>* writer);
  absl::Status Stat(const api::StatRequest& request, absl::Duration lag_max,
                    api::StatResponse* response);
  absl::Status Locate(const api::LocateRequest& request, absl::Duration lag_max,
                      api::LocateResponse* response);
  absl::Status List(const api::ListRequest& request, absl::Duration lag_max,
                    grpc::ServerWriter<api::ListResponse>* writer);

 private:
  static constexpr int kPageSize = 1'000;

  struct Found {
    std::unique_ptr<metadata::MetadataView> view;
    rpc::BucketRow bucket;
    rpc::VersionRow version;
  };
  // Of a StatRequest or LocateRequest.
  template <class Request>
  absl::StatusOr<Found> Find(const Request& request, absl::Duration lag_max);

  const coordinator::Parts& parts_;
  ProgressGuard* const guard_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_FILE_READS_H_
