// dfs.internal.v1.Reads on the peer port: reads that a node which lags has handed to this one (rule
// R10).
#ifndef DFS_SERVER_GATEWAY_HANDED_READ_SERVICE_H_
#define DFS_SERVER_GATEWAY_HANDED_READ_SERVICE_H_

#include "common/admission.h"
#include "common/progress_guard.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "proto/raw_method.h"
#include "server/gateway/file_reads.h"

namespace dfs::gateway {

class HandedReadService final : public RawService {
 public:
  static constexpr int kReadsMax = 64;

  // `reads` outlives the service.
  explicit HandedReadService(FileReads* reads);

 private:
  grpc::Status Get(grpc::ServerContext* context, const api::GetRequest* request,
                   grpc::ServerWriter<WithData<api::GetResponse>>* writer);
  grpc::Status Stat(grpc::ServerContext* context, const api::StatRequest* request,
                    api::StatResponse* response);
  grpc::Status Locate(grpc::ServerContext* context, const api::LocateRequest* request,
                      api::LocateResponse* response);
  grpc::Status List(grpc::ServerContext* context, const api::ListRequest* request,
                    grpc::ServerWriter<api::ListResponse>* writer);

  FileReads* const reads_;
  ProgressGuard guard_;
  Admission admission_{kReadsMax};
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_HANDED_READ_SERVICE_H_
