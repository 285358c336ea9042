// Raft messages over gRPC: one stream Raft.Exchange to each other member, kept open by the sender of requests.
//
// Requests leave on this node's own stream, replies go back on the stream that the request came on
// (rule R2). A stream begins with a Hello in each direction, which PeerRegistry checks; requests are
// passed on only while the sender's run is the one that answers at the member's own address.
#ifndef DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_TRANSPORT_H_
#define DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_TRANSPORT_H_

#include <grpcpp/support/server_callback.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/executor.h"
#include "common/grpc_credentials.h"
#include "common/ids.h"
#include "common/peer_registry.h"
#include "common/sync.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "server/replicated_log/raft_transport.h"

namespace dfs::replicated_log {

class GrpcRaftLink;
class GrpcRaftInbound;
class GrpcSnapshotInbound;
class GrpcSnapshotSender;

// What streams and links share with the transport. Thread-safe; callbacks do nothing once it is closed.
class GrpcRaftHub {
 public:
  GrpcRaftHub(NodeId self, PeerRegistry* registry, Dialer dialer);

  [[nodiscard]] NodeId self() const { return self_; }
  [[nodiscard]] const Dialer& dialer() const { return dialer_; }
  [[nodiscard]] PeerRegistry& registry() { return *registry_; }
  [[nodiscard]] Executor& timers() { return timers_; }

  void SetReceiver(RaftTransport::Receiver receiver, RaftTransport::Refused refused)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SetCheckpointReceiver(RaftTransport::CheckpointReceiver receiver)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SetRestartedReceiver(RaftTransport::Restarted receiver) ABSL_LOCKS_EXCLUDED(mutex_);
  // A peer's Hello was accepted; tells if its epoch is a new one.
  void RecordEpoch(NodeId node, BootEpoch epoch) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetCheckpoint(const metadata::StateHash& checkpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] metadata::StateHash checkpoint() const ABSL_LOCKS_EXCLUDED(mutex_);
  void SetSnapshotReceiver(std::shared_ptr<SnapshotReceiver> receiver) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::shared_ptr<SnapshotReceiver> snapshot_receiver() const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Decodes and hands on what a peer said. kInvalidArgument: it is malformed, or not the peer's to say; the
  // stream should end.
  [[nodiscard]] absl::Status Deliver(NodeId from, bool are_replies, rpc::RaftEnvelope* envelope)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A Hello was refused: logged once for each node and reason. A member that this node has not heard of yet (it joins, or
  // this node lags) goes on trying, several times a second.
  void ReportRefusal(NodeId node, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // A peer refused this node's Hello.
  void SetHelloRefusedReceiver(std::function<void(NodeId)> receiver) ABSL_LOCKS_EXCLUDED(mutex_);
  void ReportHelloRefused(NodeId by) ABSL_LOCKS_EXCLUDED(mutex_);
  void ReportRefused(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_);

  // Streams that are alive; Stop waits until none is.
  void StreamBegins() ABSL_LOCKS_EXCLUDED(mutex_);
  void StreamEnds() ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);
  void WaitForStreams() ABSL_LOCKS_EXCLUDED(mutex_);
  void StopTimers() { timers_.Stop(); }

 private:
  const NodeId self_;
  PeerRegistry* const registry_;
  const Dialer dialer_;
  mutable Mutex mutex_;
  CondVar no_streams_;
  std::shared_ptr<RaftTransport::Receiver> receiver_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RaftTransport::Refused> refused_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RaftTransport::CheckpointReceiver> checkpoint_receiver_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RaftTransport::Restarted> restarted_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<std::function<void(NodeId)>> hello_refused_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, std::string> refusals_ ABSL_GUARDED_BY(mutex_);  // last one logged; at most kRefusalsMax
  std::map<NodeId, BootEpoch> epochs_ ABSL_GUARDED_BY(mutex_);  // as last seen, by each of the members
  std::shared_ptr<SnapshotReceiver> snapshot_receiver_ ABSL_GUARDED_BY(mutex_);
  metadata::StateHash checkpoint_ ABSL_GUARDED_BY(mutex_);
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  ThreadExecutor timers_;
};

class GrpcRaftTransport final : public RaftTransport {
 public:
  // `registry` outlives the transport.
  GrpcRaftTransport(NodeId self, PeerRegistry* registry, Dialer dialer = Dialer());
  ~GrpcRaftTransport() override;  // Stop()

  void SetReceiver(Receiver receiver, Refused refused) override;
  void SetCheckpointReceiver(CheckpointReceiver receiver) override;
  void SetRestartedReceiver(Restarted receiver) override;
  void SetSnapshotReceiver(std::shared_ptr<SnapshotReceiver> receiver) override;
  // Also makes the members known to the registry.
  void SetMembers(const consensus::Configuration& configuration) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  // While held nothing is dialled: a Hello is not shown to anybody before it is known that this data directory may be used
  // (rule R3). Those who dial in are answered.
  void SetHeld(bool is_held) ABSL_LOCKS_EXCLUDED(mutex_);
  // A peer refused this node's Hello. Before the first message; called on transport threads: return at once.
  void SetHelloRefusedReceiver(std::function<void(NodeId)> receiver);
  // Where these are reached, whatever the configuration says; links are kept to them too if it does not hold them (they
  // may lead by now, and this node has been away). Replaces what was given before.
  void SetAddresses(std::map<NodeId, std::string> addresses) ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(std::vector<consensus::Message> messages) override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetCheckpoint(const metadata::StateHash& checkpoint) override;
  void SendSnapshot(NodeId to, OutgoingSnapshot snapshot, SnapshotReceiver::Done done) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Says what this node knows beyond Hellos, to `asker`: fills mark, configuration and where the log ends. Called on
  // gRPC's threads: return at once. Null (the default, and to be set before it goes): nothing is answered.
  using Greeter = std::function<void(const rpc::PeerHello& asker, rpc::GreetResponse* response)>;
  void SetGreeter(Greeter greeter) ABSL_LOCKS_EXCLUDED(mutex_);
  // For the service. Changes nothing here.
  [[nodiscard]] grpc::Status Greet(const rpc::PeerHello& asker, rpc::GreetResponse* response)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // For the service: take over a call that another node opened.
  grpc::ServerBidiReactor<rpc::RaftEnvelope, rpc::RaftEnvelope>* Accept(
      grpc::CallbackServerContext* context);
  grpc::ServerReadReactor<rpc::SnapshotPiece>* AcceptSnapshot(grpc::CallbackServerContext* context,
                                                              rpc::SnapshotReply* reply);

  // Ends all streams and transfers and waits for them; nothing is received or sent afterwards. Idempotent. Before the
  // server that serves RaftService is shut down.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class GrpcRaftInbound;
  void AddInbound(NodeId node, const std::string& address, std::shared_ptr<GrpcRaftInbound> stream)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveInbound(NodeId node, const GrpcRaftInbound* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void Relink() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::string AddressLocked(NodeId node) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<GrpcRaftHub> hub_;
  std::unique_ptr<GrpcSnapshotSender> snapshot_sender_;
  ThreadPool disk_pool_;  // writes pieces of snapshots that arrive
  mutable Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_held_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Greeter> greeter_ ABSL_GUARDED_BY(mutex_);
  consensus::Configuration configuration_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, std::string> overrides_ ABSL_GUARDED_BY(mutex_);
  // What peers said of themselves while no configuration is known here (a node that just joined).
  std::map<NodeId, std::string> heard_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, std::shared_ptr<GrpcRaftLink>> links_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, std::shared_ptr<GrpcRaftInbound>> inbound_ ABSL_GUARDED_BY(mutex_);
  // Accepted and not yet known to be whose.
  std::vector<std::weak_ptr<GrpcRaftInbound>> strangers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<GrpcSnapshotInbound>> arriving_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_TRANSPORT_H_
