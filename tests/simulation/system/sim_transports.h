// The doors between nodes, over the simulated wire in place of gRPC.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_TRANSPORTS_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_TRANSPORTS_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "membership/membership_transport.h"
#include "server/chunk/chunk_peers.h"
#include "server/leader/leader_operations.h"
#include "server/replicated_log/raft_transport.h"
#include "tests/simulation/system/sim_wire.h"
#include "tests/simulation/system/watched_leader_client.h"

namespace dfs::simulation {

// Where nodes are, as this node knows it.
class Dialer {
 public:
  virtual ~Dialer() = default;
  // 0: not known.
  [[nodiscard]] virtual int MachineOf(NodeId node) const = 0;
  [[nodiscard]] virtual int OwnMachine() const = 0;
  [[nodiscard]] virtual SimWire* wire() const = 0;
};

class SimRaftTransport final : public replicated_log::RaftTransport {
 public:
  SimRaftTransport(NodeId self, BootEpoch epoch, RunId run, const Dialer* dialer)
      : self_(self), start_{epoch, run}, dialer_(dialer) {}

  void SetReceiver(Receiver receiver, Refused refused) override;
  void SetMembers(const consensus::Configuration& configuration) override;
  // Members that this node's log does not name yet are heard, too: one of them may lead.
  void AddKnown(NodeId node) { known_.insert(node); }
  void Send(std::vector<consensus::Message> messages) override;
  void SetCheckpoint(const metadata::StateHash& checkpoint) override { checkpoint_ = checkpoint; }
  void SetCheckpointReceiver(CheckpointReceiver receiver) override {
    checkpoint_receiver_ = std::move(receiver);
  }
  void SetRestartedReceiver(Restarted receiver) override { restarted_ = std::move(receiver); }
  void SetSnapshotReceiver(std::shared_ptr<replicated_log::SnapshotReceiver> receiver) override {
    snapshot_receiver_ = std::move(receiver);
  }
  void SendSnapshot(NodeId to, replicated_log::OutgoingSnapshot snapshot,
                    replicated_log::SnapshotReceiver::Done done) override;
  // Whether what is known of the node speaks against that start of it: a later one, or another run of the same epoch
  // (rule R1).
  [[nodiscard]] bool Refuses(NodeId node, BootEpoch epoch, RunId run) const;

 private:
  struct Start {
    BootEpoch epoch;
    RunId run;
  };
  void Receive(const consensus::Message& message, const Start& start,
               const metadata::StateHash& checkpoint);
  void ReceiveSnapshot(NodeId from, const std::shared_ptr<replicated_log::OutgoingSnapshot>& snapshot,
                       replicated_log::SnapshotReceiver::Done done);

  const NodeId self_;
  const Start start_;
  const Dialer* const dialer_;
  Receiver receiver_;
  Refused refused_;
  Restarted restarted_;
  CheckpointReceiver checkpoint_receiver_;
  std::shared_ptr<replicated_log::SnapshotReceiver> snapshot_receiver_;
  metadata::StateHash checkpoint_;
  std::map<NodeId, StorageUuid> members_;
  std::set<NodeId> known_;  // besides them
  std::map<NodeId, Start> starts_;  // the latest that was heard of each
};

class SimRingTransport final : public membership::MembershipTransport {
 public:
  SimRingTransport(NodeId self, const Dialer* dialer) : self_(self), dialer_(dialer) {}

  void SetReceiver(Receiver receiver, Refused refused) override {
    receiver_ = std::move(receiver);
    refused_ = std::move(refused);
  }
  void SetMembers(const std::vector<membership::MemberAddress>& /*members*/) override {}
  void Send(membership::Message message, bool is_fresh) override;

 private:
  const NodeId self_;
  const Dialer* const dialer_;
  Receiver receiver_;
  Refused refused_;
};

class SimLeaderPeer final : public leader::LeaderOperations {
 public:
  SimLeaderPeer(NodeId node, const Dialer* dialer) : node_(node), dialer_(dialer) {}

  void OpenTransactions(const rpc::OpenTransactionsRequest& request, absl::Duration timeout,
                        leader::Answer<rpc::OpenTransactionsResponse> done) override;
  void RenewTransactions(const rpc::RenewTransactionsRequest& request, absl::Duration timeout,
                         leader::Answer<rpc::RenewTransactionsResponse> done) override;
  void Submit(const rpc::SubmitRequest& request, absl::Duration timeout,
              leader::Answer<rpc::SubmitResponse> done) override;
  void ReadIndex(absl::Duration timeout, leader::Answer<rpc::ReadIndexResponse> done) override;
  void ReportReplicas(const rpc::ReportReplicasRequest& request, absl::Duration timeout,
                      leader::Answer<rpc::ReportReplicasResponse> done) override;
  void Verdicts(const rpc::VerdictsRequest& request, absl::Duration timeout,
                leader::Answer<rpc::VerdictsResponse> done) override;
  void ReportUnlinked(const rpc::ReportUnlinkedRequest& request, absl::Duration timeout,
                      leader::Answer<rpc::ReportUnlinkedResponse> done) override;
  void Join(const rpc::JoinRequest& request, absl::Duration timeout,
            leader::Answer<rpc::JoinResponse> done) override;
  void Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                leader::Answer<rpc::RegisterResponse> done) override;
  void Manage(const rpc::ManageRequest& request, absl::Duration timeout,
              leader::Answer<rpc::ManageResponse> done) override;

 private:
  template <class Request, class Response>
  void Start(void (leader::LeaderOperations::*method)(const Request&, absl::Duration,
                                                      leader::Answer<Response>),
             const Request& request, absl::Duration timeout, leader::Answer<Response> done);

  const NodeId node_;
  const Dialer* const dialer_;
};

// A chunk travels whole, in one call; the other side stores it piece by piece.
class SimChunkPeers final : public chunk::ChunkPeers {
 public:
  SimChunkPeers(const Dialer* dialer, OnMoment on_moment)
      : dialer_(dialer), on_moment_(std::move(on_moment)) {}

  std::unique_ptr<chunk::RemoteChunkWriter> Write(NodeId node, const ChunkId& chunk,
                                                  absl::Duration progress_timeout) override;
  void WriteSmall(NodeId node, const chunk::ChunkInfo& info, Slices data, absl::Duration timeout,
                  AckCallback done) override;
  void RelinkAll(NodeId node, std::vector<chunk::Relink> items, absl::Duration timeout,
                 AckCallback done) override;
  absl::StatusOr<std::unique_ptr<chunk::RemoteChunkReader>> Read(
      NodeId node, const ChunkId& chunk, std::uint64_t offset, std::uint64_t length,
      absl::Duration progress_timeout, std::uint64_t bytes_per_s_max) override;
  void Confirm(NodeId node, LogIndex read_index, rpc::ConfirmItem item, absl::Duration timeout,
               VerdictCallback done) override;
  absl::StatusOr<rpc::ChunkAck> Copy(NodeId node, const rpc::CopyChunkRequest& request,
                                     absl::Duration progress_timeout) override;
  absl::Status List(NodeId node, const std::function<bool(const rpc::SmallChunk&)>& visit,
                    absl::Duration timeout) override;

 private:
  const Dialer* const dialer_;
  const OnMoment on_moment_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_TRANSPORTS_H_
