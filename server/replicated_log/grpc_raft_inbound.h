// A stream that another member opened to this node: its requests arrive on it, this node's replies leave on it.
#ifndef DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_INBOUND_H_
#define DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_INBOUND_H_

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "common/ids.h"
#include "common/sync.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/grpc_raft_outbox.h"
#include "server/replicated_log/grpc_raft_transport.h"

namespace dfs::replicated_log {

// Thread-safe. Keeps itself alive until the call is over.
class GrpcRaftInbound final
    : public grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope> {
 public:
  GrpcRaftInbound(GrpcRaftTransport* transport, std::shared_ptr<GrpcRaftHub> hub)
      : transport_(transport), hub_(std::move(hub)) {}

  // The hub has been told already that a stream begins.
  void Start(std::shared_ptr<GrpcRaftInbound> self);
  void Send(consensus::Message message) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the call with this status, once what is being written is out.
  void Close(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnReadDone(bool is_ok) override;
  void OnWriteDone(bool is_ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override;
  void OnDone() override;

 private:
  [[nodiscard]] absl::Status TakeHello();
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

  GrpcRaftTransport* const transport_;  // lives until all streams are over
  const std::shared_ptr<GrpcRaftHub> hub_;
  std::shared_ptr<GrpcRaftInbound> self_;
  rpc::RaftEnvelope read_;     // reading only, as the next two
  NodeId peer_;                // none until the Hello was accepted
  RunId run_;
  rpc::RaftEnvelope written_;  // whoever writes
  Mutex mutex_;
  GrpcRaftOutbox outbox_ ABSL_GUARDED_BY(mutex_);
  bool owes_hello_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;  // whoever is last of Close and OnWriteDone finishes
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_INBOUND_H_
