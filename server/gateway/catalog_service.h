// dfs.internal.v1.Catalog on the peer port: what storage-only nodes ask.
#ifndef DFS_SERVER_GATEWAY_CATALOG_SERVICE_H_
#define DFS_SERVER_GATEWAY_CATALOG_SERVICE_H_

#include <optional>

#include "common/admission.h"
#include "common/progress_guard.h"
#include "dfs/internal/v1/catalog.pb.h"
#include "proto/raw_method.h"
#include "server/gateway/file_operations.h"
#include "server/leader/replica_catalog.h"

namespace dfs::gateway {

// On a node without metadata of files every call is UNIMPLEMENTED: the asker goes on to another.
class CatalogService final : public RawService {
 public:
  static constexpr int kCallsMax = 64;

  // `operations` outlives the service.
  explicit CatalogService(FileOperations* operations);

 private:
  [[nodiscard]] std::optional<grpc::Status> Refuse(const Admission::Ticket& ticket) const;
  grpc::Status Directory(grpc::ServerContext* context, const rpc::DirectoryRequest* request,
                         grpc::ServerWriter<rpc::DirectoryPage>* writer);
  grpc::Status AreNamed(grpc::ServerContext* context, const rpc::AreNamedRequest* request,
                        rpc::AreNamedResponse* response);
  grpc::Status ListGood(grpc::ServerContext* context, const rpc::ListGoodRequest* request,
                        rpc::ListGoodResponse* response);
  grpc::Status ListLetGo(grpc::ServerContext* context, const rpc::ListLetGoRequest* request,
                         grpc::ServerWriter<rpc::ListLetGoPage>* writer);
  grpc::Status ListHere(grpc::ServerContext* context, const api::ListHereRequest* request,
                        grpc::ServerWriter<api::ListHereResponse>* writer);

  FileOperations* const operations_;
  const coordinator::Parts& parts_;
  leader::LocalReplicaCatalog catalog_;
  ProgressGuard guard_;
  Admission admission_{kCallsMax};
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_CATALOG_SERVICE_H_
