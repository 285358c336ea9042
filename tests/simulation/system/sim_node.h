// One process of the cluster: the real parts of a node, wired as server/node does, over simulated machines.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_NODE_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_NODE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/v1/files.pb.h"
#include "membership/membership_host.h"
#include "server/chunk/confirmer.h"
#include "server/chunk/local_chunk_store.h"
#include "server/chunk/scrubber.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/get_operation.h"
#include "server/leader/chunk_collector.h"
#include "server/leader/leader_host.h"
#include "server/leader/raft_consensus_port.h"
#include "server/leader/routed_leader_client.h"
#include "server/leader/wanted_replicas.h"
#include "server/replicated_log/raft_host.h"
#include "tests/simulation/system/sim_disk.h"
#include "tests/simulation/system/sim_start_check.h"
#include "tests/simulation/system/sim_transports.h"
#include "tests/simulation/system/sim_wire.h"
#include "tests/simulation/system/watched_leader_client.h"

namespace dfs::simulation {

// "machine:3" <-> 3; 0 if it is no address.
std::string AddressOf(int machine);
int MachineAt(const std::string& address);

// What is the same for all nodes of a run: the waits that are minutes in production.
struct NodeTimes {
  absl::Duration trash_time = absl::Seconds(8);
  absl::Duration purge_quiet = absl::Seconds(8);
  absl::Duration question_age = absl::Seconds(12);
  absl::Duration collect_every = absl::Seconds(3);
  absl::Duration scrub_period = absl::Hours(24 * 7);
  absl::Duration out_after = absl::Seconds(120);
  absl::Duration rebalance_every = absl::Minutes(10);
  std::uint64_t rebalance_slack_bytes = std::uint64_t{16} << 20;
  std::uint64_t chunk_bytes = std::uint64_t{128} << 10;  // files have many chunks in production only if they are huge
};

class SimNode final : public Dialer {
 public:
  struct Parts {
    int machine = 0;
    FiberScheduler* scheduler = nullptr;
    SimWire* wire = nullptr;
    SimDisk* disk = nullptr;
    bool is_bootstrap = false;   // forms the cluster if the disk is empty
    std::vector<int> join;       // asked in turn otherwise
    NodeTimes times;
    OnMoment on_moment;          // null: nobody watches
    // What the node hands to Raft as the leader. Does not block; null: nobody watches.
    std::function<void(const rpc::Command& command)> on_proposal;
    // The node must stop: called once, on a fiber of the node.
    std::function<void(absl::Status)> on_fatal;
    // The disk must not be used any more: it is older than what the node has shown, or the node has left its cluster.
    std::function<void(std::string why)> on_disk_refused;
  };
  explicit SimNode(Parts parts);
  ~SimNode() override;

  // On a fiber of the node's process; blocks, while it joins perhaps for ever. The node answers from `on_listening` on.
  absl::Status Start(const std::function<void()>& on_listening);

  [[nodiscard]] NodeId self() const { return self_; }
  [[nodiscard]] int machine() const { return parts_.machine; }
  [[nodiscard]] BootEpoch boot_epoch() const { return parts_.disk->identity.boot_epoch; }

  // ---- what its services do; on fibers of the node, blocking ----
  absl::StatusOr<api::PutResponse> Put(const api::PutHeader& header, const std::string& content);
  struct Gotten {
    api::FileInfo info;
    std::string content;
  };
  absl::StatusOr<Gotten> Get(const api::GetRequest& request);
  struct Listing {
    LogIndex applied_index;  // of the state that is listed
    bool has_bucket = false;
    std::vector<api::FileInfo> files;
  };
  absl::StatusOr<Listing> List(const std::string& bucket, const std::string& prefix,
                               api::Consistency consistency);
  // A change of a file or bucket, which is found by its name as server/gateway does. OK: the entry
  // of the log decided, and what it said is kept.
  absl::StatusOr<rpc::CommandResult> Change(const std::string& bucket, rpc::Command command);
  absl::StatusOr<rpc::CommandResult> Submit(const rpc::Command& command);

  absl::StatusOr<rpc::ManageResponse> Manage(const rpc::ManageRequest& request);
  // The state with all that was answered before the call.
  absl::StatusOr<std::shared_ptr<metadata::MetadataView>> ReadState();
  // What the node knows of one that starts. Does not block.
  absl::StatusOr<replicated_log::Greeting> Greet(const Asker& asker);

  // ---- Dialer ----
  int MachineOf(NodeId node) const override;
  int OwnMachine() const override { return parts_.machine; }
  SimWire* wire() const override { return parts_.wire; }

  // ---- for what arrives; null before they are there ----
  SimRaftTransport* raft_transport() { return raft_transport_.get(); }
  SimRingTransport* ring_transport() { return ring_transport_.get(); }
  leader::LeaderHost* leader_host() { return leader_host_.get(); }
  chunk::ChunkStore* store() { return store_.get(); }
  chunk::ChunkPeers* chunk_peers() { return chunk_peers_.get(); }
  replicated_log::RaftHost* raft() { return raft_.get(); }
  metadata::MetadataMachine* machine_state() { return machine_.get(); }
  membership::MembershipHost* membership() { return membership_.get(); }
  const coordinator::Parts& coordinator_parts() const { return coordinator_; }
  void OnMomentHere(Moment moment) const {
    if (parts_.on_moment) parts_.on_moment(moment);
  }
  [[nodiscard]] rpc::Ack OwnAck() const;

 private:
  absl::Status EnsureMembership();
  absl::Status FormCluster();
  absl::Status Join();
  absl::Status FindPeers();
  absl::Status Build();
  void BuildLeader();
  void BuildCoordinator();
  void OnConfiguration(const consensus::Configuration& configuration);
  void BuildStartCheck();
  void StartCheck();
  void TakePart();
  void MaybeRegister(const metadata::MetadataView& view);
  void Upkeep();
  [[nodiscard]] rpc::NodeRow OwnRow() const;
  [[nodiscard]] std::vector<leader::NodeLiveness> Liveness() const;

  const Parts parts_;
  const Clock& clock_;
  const RunId run_id_;
  NodeId self_;
  consensus::Configuration first_configuration_;
  std::map<NodeId, int> machines_;
  std::atomic<bool> is_registering_{false};
  bool is_taking_part_ = false;  // rule R3
  std::vector<membership::MemberAddress> ring_members_;

  std::unique_ptr<Disk> files_;
  std::unique_ptr<SimLogStore> log_store_;
  std::unique_ptr<metadata::MetadataMachine> machine_;
  std::unique_ptr<chunk::LocalChunkStore> store_;
  std::unique_ptr<SimRaftTransport> raft_transport_;
  std::unique_ptr<SimRingTransport> ring_transport_;
  std::unique_ptr<SimChunkPeers> chunk_peers_;
  std::unique_ptr<membership::MembershipHost> membership_;
  std::unique_ptr<SimStartCheck> start_check_;
  std::unique_ptr<leader::LeaderHost> leader_host_;
  std::unique_ptr<replicated_log::RaftHost> raft_;
  std::unique_ptr<leader::RaftConsensusPort> consensus_;
  std::map<NodeId, std::unique_ptr<SimLeaderPeer>> leader_peers_;
  std::unique_ptr<ThreadExecutor> client_executor_;
  std::unique_ptr<leader::RoutedLeaderClient> leader_client_;
  std::unique_ptr<WatchedLeaderClient> watched_leader_client_;  // the coordinator's
  std::unique_ptr<leader::LocalReplicaCatalog> catalog_;
  std::unique_ptr<leader::ChunkCollector> collector_;
  std::unique_ptr<leader::WantedReplicas> wanted_;
  std::unique_ptr<chunk::Scrubber> scrubber_;
  std::unique_ptr<coordinator::SmallWriteBatcher> small_writes_;
  std::unique_ptr<ThreadPool> writers_;
  coordinator::Parts coordinator_;
  membership::NodeHealth health_;
  std::unique_ptr<ThreadExecutor> upkeep_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_NODE_H_
