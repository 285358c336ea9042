// dfs.v1.Files: decode, one operation, encode.
#ifndef DFS_SERVER_GATEWAY_FILE_SERVICE_H_
#define DFS_SERVER_GATEWAY_FILE_SERVICE_H_

#include <optional>

#include "common/admission.h"
#include "common/operation_metrics.h"
#include "common/progress_guard.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "proto/raw_method.h"
#include "server/gateway/bucket_calls.h"
#include "server/gateway/file_operations.h"

namespace dfs::gateway {

class FileService final : public RawService {
 public:
  // Both outlive the service.
  FileService(FileOperations* operations, OperationMetrics* metrics);

 private:
  // Bounds the threads and memory that clients can hold: beyond these RESOURCE_EXHAUSTED.
  static constexpr int kStreamsMax = 256;

  grpc::Status Put(grpc::ServerContext* context,
                   grpc::ServerReader<WithData<api::PutRequest>>* reader,
                   api::PutResponse* response);
  grpc::Status PutProgress(grpc::ServerContext* context, const api::PutProgressRequest* request,
                           api::PutProgressResponse* response);
  grpc::Status Get(grpc::ServerContext* context, const api::GetRequest* request,
                   grpc::ServerWriter<WithData<api::GetResponse>>* writer);
  grpc::Status Remove(grpc::ServerContext* context, const api::RemoveRequest* request,
                      api::RemoveResponse* response);
  grpc::Status Move(grpc::ServerContext* context, const api::MoveRequest* request,
                    api::MoveResponse* response);
  grpc::Status MakeBucket(grpc::ServerContext* context, const api::MakeBucketRequest* request,
                          api::MakeBucketResponse* response);
  grpc::Status RemoveBucket(grpc::ServerContext* context, const api::RemoveBucketRequest* request,
                            api::RemoveBucketResponse* response);
  grpc::Status ListBuckets(grpc::ServerContext* context, const api::ListBucketsRequest* request,
                           api::ListBucketsResponse* response);
  grpc::Status Undelete(grpc::ServerContext* context, const api::UndeleteRequest* request,
                        api::UndeleteResponse* response);
  grpc::Status Stat(grpc::ServerContext* context, const api::StatRequest* request,
                    api::StatResponse* response);
  grpc::Status Locate(grpc::ServerContext* context, const api::LocateRequest* request,
                      api::LocateResponse* response);
  grpc::Status List(grpc::ServerContext* context, const api::ListRequest* request,
                    grpc::ServerWriter<api::ListResponse>* writer);
  grpc::Status ListHere(grpc::ServerContext* context, const api::ListHereRequest* request,
                        grpc::ServerWriter<api::ListHereResponse>* writer);
  grpc::Status Clear(grpc::ServerContext* context, const api::ClearRequest* request,
                     api::ClearResponse* response);
  grpc::Status Settle(grpc::ServerContext* context, const api::SettleRequest* request,
                      api::SettleResponse* response);

  absl::Status PutStream(grpc::ServerContext* context,
                         grpc::ServerReader<WithData<api::PutRequest>>* reader,
                         api::PutResponse* response, OperationTimer* timer);
  [[nodiscard]] OperationTimer Timer(Operation operation) {
    return OperationTimer(metrics_, parts_.clock, Door::kGrpc, operation);
  }
  // Of one that is about one file.
  template <class Request>
  [[nodiscard]] OperationTimer Timer(Operation operation, const Request& request) {
    OperationTimer timer = Timer(operation);
    timer.About(request.bucket(), request.name());
    return timer;
  }

  FileOperations* const operations_;
  OperationMetrics* const metrics_;
  const coordinator::Parts& parts_;
  ProgressGuard guard_;
  Admission streams_{kStreamsMax};
  BucketCalls buckets_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_FILE_SERVICE_H_
