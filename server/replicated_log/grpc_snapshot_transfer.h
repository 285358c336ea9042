// Snapshots over gRPC (rule R9): pieces of 1 MiB on a channel of their own, so that messages never wait behind
// them.
#ifndef DFS_SERVER_REPLICATED_LOG_GRPC_SNAPSHOT_TRANSFER_H_
#define DFS_SERVER_REPLICATED_LOG_GRPC_SNAPSHOT_TRANSFER_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <set>
#include <string>

#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/grpc_raft_transport.h"
#include "server/replicated_log/raft_transport.h"

namespace dfs::replicated_log {

// Thread-safe.
class GrpcSnapshotSender {
 public:
  explicit GrpcSnapshotSender(GrpcRaftHub* hub);
  ~GrpcSnapshotSender();  // Stop()
  // Never blocks. `done` on a thread of the sender; also if it stops.
  void Send(const std::string& address, OutgoingSnapshot snapshot, SnapshotReceiver::Done done);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<LogIndex> Transfer(const std::string& address, OutgoingSnapshot& snapshot)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<LogIndex> Stream(grpc::ClientContext& context, const std::string& address,
                                  OutgoingSnapshot& snapshot);

  GrpcRaftHub* const hub_;
  Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> running_ ABSL_GUARDED_BY(mutex_);
  ThreadPool pool_;
};

// One snapshot that arrives. Disk work runs on `pool`. Keeps itself alive until the call is over.
class GrpcSnapshotInbound final : public grpc::ServerReadReactor<rpc::SnapshotPiece> {
 public:
  GrpcSnapshotInbound(std::shared_ptr<GrpcRaftHub> hub, ThreadPool* pool,
                      grpc::CallbackServerContext* context, rpc::SnapshotReply* reply)
      : hub_(std::move(hub)), pool_(pool), reply_(reply), context_(context) {}
  // The hub has been told already that a stream begins.
  void Start(std::shared_ptr<GrpcSnapshotInbound> self);
  // Ends the call soon. Thread-safe.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnReadDone(bool is_ok) override;
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // On the pool.
  void TakePiece();
  absl::Status Begin();
  void Complete();
  void End(const absl::StatusOr<LogIndex>& result);

  const std::shared_ptr<GrpcRaftHub> hub_;
  ThreadPool* const pool_;
  rpc::SnapshotReply* const reply_;
  std::shared_ptr<GrpcSnapshotInbound> self_;
  rpc::SnapshotPiece piece_;
  SnapshotDescription description_;
  std::unique_ptr<SnapshotSink> sink_;
  Mutex mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);  // null once the call is over
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_GRPC_SNAPSHOT_TRANSFER_H_
