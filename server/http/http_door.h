// The HTTP door of a node: what each path and method does.
#ifndef DFS_SERVER_HTTP_HTTP_DOOR_H_
#define DFS_SERVER_HTTP_HTTP_DOOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/admission.h"
#include "common/ids.h"
#include "common/operation_metrics.h"
#include "dfs/v1/cluster.pb.h"
#include "server/gateway/file_operations.h"
#include "server/http/changes.h"
#include "server/http/exchange.h"
#include "server/http/file_routes.h"
#include "server/http/request_target.h"
#include "server/http/upload_form.h"

namespace dfs::http {

// Thread-safe.
class HttpDoor {
 public:
  // A form of so many bytes or more is refused, if nothing else is configured.
  static constexpr std::uint64_t kFormBytesMax = std::uint64_t{1} << 30;
  // All of it outlives the door.
  struct Parts {
    gateway::FileOperations* files = nullptr;
    // What this node knows; never waits for a quorum.
    std::function<v1::StatusResponse()> status;
    // Whether this node may be stopped; the leader's answer.
    std::function<absl::StatusOr<v1::OkToStopResponse>()> ok_to_stop;
    std::uint64_t form_bytes_max = kFormBytesMax;
    OperationMetrics* metrics = nullptr;
  };
  // Operations on files under way at once: some threads stay free for those who ask how the node is.
  static constexpr int kTransfersMax = 224;

  explicit HttpDoor(Parts parts);

  // Answers one request.
  void Serve(Exchange& exchange);
  // What /readyz tells.
  void SetServing(bool is_serving) { is_serving_ = is_serving; }

 private:
  void Route(Exchange& exchange, const RequestTarget& target);
  void RouteFiles(Exchange& exchange, const RequestTarget& target);
  void RouteUpload(Exchange& exchange, const RequestTarget& target);
  void RouteNode(Exchange& exchange, const RequestTarget& target);
  void AnswerMetrics(Exchange& exchange);
  void AnswerHealth(Exchange& exchange);
  void AnswerReady(Exchange& exchange, const RequestTarget& target);

  const Parts parts_;
  Changes changes_;
  FileRoutes routes_;
  UploadForm form_;
  Admission transfers_{kTransfersMax};
  std::atomic<bool> is_serving_{false};
  std::atomic<std::uint32_t> running_{0};
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_HTTP_DOOR_H_
