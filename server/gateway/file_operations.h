// What clients do with files, whatever door they come through.
#ifndef DFS_SERVER_GATEWAY_FILE_OPERATIONS_H_
#define DFS_SERVER_GATEWAY_FILE_OPERATIONS_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/peer_channels.h"
#include "common/progress_guard.h"
#include "dfs/v1/files.pb.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/parked_puts.h"
#include "server/gateway/file_put.h"
#include "server/gateway/file_reads.h"
#include "server/gateway/gossip_files.h"
#include "server/gateway/read_relay.h"

namespace grpc {
class ServerContext;
}

namespace dfs::gateway {

// Every call blocks, and says within kQuorumTimeout of the coordinator if there is no quorum. Errors are those of
// proto/dfs/v1/files.proto, with a detail that says whether anything happened. The bytes of a put come as the door has them.
//
// Buckets of mode gossip are answered by GossipFiles: no leader, no quorum.
//
// Thread-safe.
class FileOperations {
 public:
  // All outlive it. `gossip` null: there are no gossip buckets here. `park_limits`: of puts that may be gone on with.
  FileOperations(const coordinator::Parts& parts, PeerChannels* channels, gossip_store::GossipHost* gossip = nullptr,
                 const coordinator::ParkLimits& park_limits = {});

  // Not begun. This and `phases` (may be null) outlive it.
  [[nodiscard]] FilePut NewPut(PhaseTimer* phases) { return {parts_, &gossip_files_, gossip_, &parked_, phases}; }
  [[nodiscard]] coordinator::ParkedPuts* parked_puts() { return &parked_; }

  // Reads (rule R10): this node's state as of a read index or, if that lags, the leader's answer; on a node without metadata of
  // files what one answers that has it, whatever the consistency. `context` is the
  // client's call, with which a call to the leader ends; null if the client has not come by gRPC. An error after the
  // sink has taken a message is the end of an answer that is not complete. `phases` may be null; of an answer that another node
  // gives, what comes before its first message is kResolve.
  absl::Status Get(const grpc::ServerContext* context, const api::GetRequest& request,
                   const GetSink& sink, PhaseTimer* phases);
  absl::Status Stat(const grpc::ServerContext* context, const api::StatRequest& request,
                    api::StatResponse* response);
  absl::Status Locate(const grpc::ServerContext* context, const api::LocateRequest& request,
                      api::LocateResponse* response);
  absl::Status List(const grpc::ServerContext* context, const api::ListRequest& request,
                    const ListSink& sink);

  using HereSink = std::function<bool(const api::ListHereResponse&)>;
  // What the node holds, in pages; the sink says whether there is somebody to read on. kNotFound: no such node.
  absl::Status ListHere(const grpc::ServerContext* context, const api::ListHereRequest& request, const HereSink& sink);

  // Changes: one entry of the log each.
  absl::StatusOr<api::RemoveResponse> Remove(const api::RemoveRequest& request);
  absl::StatusOr<api::MoveResponse> Move(const api::MoveRequest& request);
  absl::StatusOr<api::UndeleteResponse> Undelete(const api::UndeleteRequest& request);
  absl::StatusOr<api::ClearResponse> Clear(const api::ClearRequest& request);
  // Rule R15: the fate of a change whose end is not known.
  absl::StatusOr<api::SettleResponse> Settle(const api::SettleRequest& request);

  [[nodiscard]] const coordinator::Parts& parts() const { return parts_; }
  // What the peer port's service answers from, too; lives as long as this.
  [[nodiscard]] FileReads* reads() { return &reads_; }
  [[nodiscard]] gossip_store::GossipHost* gossip() { return gossip_; }
  [[nodiscard]] GossipFiles* gossip_files() { return &gossip_files_; }

 private:
  using There = std::function<std::optional<absl::Status>(NodeId node, absl::Duration patience)>;
  // Answers `here`, or, if this node's state lags, `there` at the leader; if that cannot be asked, `here` after all.
  // `has_answer`: whether something was passed on to the client.
  absl::Status Read(const std::function<absl::Status(absl::Duration lag_max)>& here, const There& there,
                    const bool& has_answer);
  // `there` at the nodes that have metadata of files, until one of them answers, within kQuorumTimeout.
  absl::Status ReadFromHolders(const There& there, const bool& has_answer);
  std::optional<absl::Status> GetChecked(NodeId node, const api::GetRequest& request,
                                         const GetSink& sink, absl::Duration patience);
  absl::Status ListHereByOwnState(NodeId node, const HereSink& sink);
  [[nodiscard]] std::optional<gossip_store::Record> FindGossip(const TxnId& txn);
  absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command);

  const coordinator::Parts& parts_;
  PeerChannels* const channels_;
  ProgressGuard guard_;  // of calls to other nodes
  gossip_store::GossipHost* const gossip_;
  GossipFiles gossip_files_;
  FileReads reads_;
  ReadRelay relay_;
  coordinator::ParkedPuts parked_;
  ThreadExecutor parked_executor_;  // last: it uses them
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_FILE_OPERATIONS_H_
