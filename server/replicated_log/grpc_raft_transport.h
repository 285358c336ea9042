// Raft messages over gRPC: one bidirectional stream from each member to each other.
//
// Requests travel on the stream that their sender opened to the receiver's own address; replies come back on the
// stream that brought the request (rule R2: so a vote and an append acknowledgement come only from the
// process that answers at the member's address). Both ends say Hello first; PeerRegistry checks it. A request is passed on only
// if its sender's run is also the one that answered when this node dialled the sender's address.
#ifndef DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_TRANSPORT_H_
#define DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include "common/clock.h"
#include "common/executor.h"
#include "common/peer_registry.h"
#include "common/sync.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/raft_transport.h"

namespace dfs::replicated_log {

// Messages that wait to be written to one stream. What does not fit is dropped: Raft sends again.
struct OutgoingQueue {
  static constexpr std::size_t kMessagesMax = 1'024;
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;
  static constexpr std::size_t kEnvelopeBytesMax = std::size_t{2} << 20;

  std::deque<rpc::RaftMessage> messages;
  std::size_t bytes = 0;

  // False: dropped.
  bool Push(rpc::RaftMessage message);
  // Moves as many as fit into one envelope.
  void Fill(rpc::RaftEnvelope* envelope);
  void Clear();
};

class GrpcRaftTransport final : public RaftTransport {
 public:
  // `registry` outlives the transport.
  GrpcRaftTransport(NodeId self, PeerRegistry* registry);
  ~GrpcRaftTransport() override;  // Stop()

  void SetReceiver(Receiver receiver, Refused refused) override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetMembers(const consensus::Configuration& configuration) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(std::vector<consensus::Message> messages) override ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all streams and waits for them. No message is delivered afterwards.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // A peer opened a stream (called by RaftService). The reactor deletes itself.
  grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope>* Accept();

 private:
  class Outbound;
  class Inbound;
  struct Peer {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<rpc::Raft::Stub> stub;
    std::shared_ptr<Outbound> outbound;  // null: none open
    bool is_connected = false;           // Hello was answered
    bool is_dial_planned = false;
    int failures = 0;                    // in a row
  };

  void Dial(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_);
  void PlanDialLocked(NodeId node, Peer& peer, absl::Duration wait)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // From the streams.
  void OnConnected(NodeId node, const Outbound* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOutboundEnded(NodeId node, const Outbound* stream, const grpc::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnInboundHello(NodeId node, Inbound* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnInboundEnded(NodeId node, Inbound* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // `is_reply`: which kind may come on this stream.
  void Deliver(NodeId from, RunId run, bool is_reply, rpc::RaftEnvelope* envelope)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const NodeId self_;
  PeerRegistry* const registry_;
  ThreadExecutor dialler_;

  Mutex mutex_;
  CondVar ended_;
  Receiver receiver_ ABSL_GUARDED_BY(mutex_);
  Refused refused_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, Inbound*> inbound_ ABSL_GUARDED_BY(mutex_);  // the newest of each node
  std::size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;             // alive, of both kinds
  std::vector<Inbound*> all_inbound_ ABSL_GUARDED_BY(mutex_);
  std::map<const Outbound*, std::shared_ptr<Outbound>> all_outbound_ ABSL_GUARDED_BY(mutex_);
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_TRANSPORT_H_
