// The stream that this node keeps open to one other member, for its requests.
#ifndef DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_LINK_H_
#define DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_LINK_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "common/ids.h"
#include "common/sync.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/grpc_raft_outbox.h"
#include "server/replicated_log/grpc_raft_transport.h"

namespace dfs::replicated_log {

// Connects by itself, at once after a stream broke and then every 100 ms. Thread-safe.
class GrpcRaftLink : public std::enable_shared_from_this<GrpcRaftLink> {
 public:
  GrpcRaftLink(std::shared_ptr<GrpcRaftHub> hub, NodeId peer, std::string address);

  [[nodiscard]] const std::string& address() const { return address_; }
  void Connect() ABSL_LOCKS_EXCLUDED(mutex_);
  // The peer is there, by its own word: pauses between attempts, gRPC's too, are cut short.
  void ConnectNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Dropped unless the stream is up: what waits for a peer that is away is old when it is back.
  void Send(consensus::Message message) ABSL_LOCKS_EXCLUDED(mutex_);
  // For good.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Stream;
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStreamReady(Stream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStreamDone(Stream* stream, bool was_ready, const grpc::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<GrpcRaftHub> hub_;
  const NodeId peer_;
  const std::string address_;
  Mutex mutex_;
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  bool is_ready_ ABSL_GUARDED_BY(mutex_) = false;
  GrpcRaftOutbox outbox_ ABSL_GUARDED_BY(mutex_);
  absl::Duration retry_ ABSL_GUARDED_BY(mutex_) = absl::Milliseconds(50);
  std::string last_refusal_ ABSL_GUARDED_BY(mutex_);  // logged once
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_LINK_H_
