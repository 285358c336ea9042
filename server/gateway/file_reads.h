// Reads of files: get, stat, locate and list, answered by this node.
#ifndef DFS_SERVER_GATEWAY_FILE_READS_H_
#define DFS_SERVER_GATEWAY_FILE_READS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/operation_metrics.h"
#include "dfs/v1/files.pb.h"
#include "proto/data_message.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/handover_desk.h"
#include "server/gateway/name_listing.h"

namespace dfs::gateway {

// Takes the messages of an answer, in order; false: the client is gone, stop (kCancelled). It may block,
// and sees to it that a client that takes nothing does not block it for ever.
using GetSink = std::function<bool(const WithData<api::GetResponse>&)>;
// Decode, one operation, encode. All calls block. An error for which coordinator::IsLagging holds:
// this node's state was not at the read index within `lag_max`; nothing was written to the client,
// so that another node may answer.
//
// Thread-safe.
class FileReads {
 public:
  // `parts` outlive it.
  explicit FileReads(const coordinator::Parts& parts) : parts_(parts) {}
  // From here on gets that take files are answered with tickets of `desk`, to be shown at the Unix socket `socket`. Before the
  // first call; `desk` outlives this.
  void HandOverAt(HandoverDesk* desk, std::string socket) {
    desk_ = desk;
    socket_ = std::move(socket);
  }

  // How long what was removed is kept, for those who list the trash. Before the first call.
  void ShowTrashTime(absl::Duration trash_time) { trash_time_ = trash_time; }

  // `phases`, if there is one, is told when the version is known.
  absl::Status Get(const api::GetRequest& request, absl::Duration lag_max, const GetSink& sink,
                   PhaseTimer* phases = nullptr);
  absl::Status Stat(const api::StatRequest& request, absl::Duration lag_max,
                    api::StatResponse* response);
  absl::Status Locate(const api::LocateRequest& request, absl::Duration lag_max,
                      api::LocateResponse* response);
  absl::Status List(const api::ListRequest& request, absl::Duration lag_max, const ListSink& sink);

 private:
  struct Found {
    std::unique_ptr<metadata::MetadataView> view;
    rpc::BucketRow bucket;
    rpc::VersionRow version;
  };
  // Of a StatRequest or LocateRequest.
  template <class Request>
  absl::StatusOr<Found> Find(const Request& request, absl::Duration lag_max);

  void ListTrash(const metadata::MetadataView& view, const rpc::BucketRow& bucket, const api::ListRequest& request,
                 NameListing& listing) const;

  const coordinator::Parts& parts_;
  absl::Duration trash_time_ = absl::Hours(24);
  HandoverDesk* desk_ = nullptr;  // null: none
  std::string socket_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_FILE_READS_H_
