#include "server/node/node.h"

#include <glog/logging.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/executor.h"
#include "common/peer_channels.h"
#include "common/peer_registry.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "membership/grpc_membership_transport.h"
#include "membership/membership_host.h"
#include "membership/membership_service.h"
#include "server/chunk/grpc_chunk_peers.h"
#include "server/chunk/local_chunk_store.h"
#include "server/chunk/replica_service.h"
#include "server/coordinator/get_operation.h"
#include "server/gateway/cluster_service.h"
#include "server/gateway/file_service.h"
#include "server/leader/chunk_collector.h"
#include "server/leader/grpc_leader_client.h"
#include "server/leader/leader_host.h"
#include "server/leader/leader_service.h"
#include "server/node/version.h"
#include "server/replicated_log/grpc_raft_transport.h"
#include "server/replicated_log/raft_host.h"
#include "server/replicated_log/raft_message_codec.h"
#include "server/replicated_log/raft_service.h"
#include "server/replicated_log/rocksdb_log_store.h"

namespace dfs::node {
namespace {

constexpr absl::Duration kUpkeepEvery = absl::Milliseconds(500);
constexpr absl::Duration kBootstrapAsks = absl::Seconds(3);  // how long --join addresses are asked before forming
constexpr absl::Duration kStopGrace = absl::Seconds(3);
constexpr int kServerThreadsMax = 600;                       // per port; RESOURCE_EXHAUSTED beyond
constexpr std::size_t kServerBytesMax = std::size_t{256} << 20;
constexpr std::size_t kWriterThreadsMax = 96;

// Blocks the caller on a call that answers through a callback.
class Waiter {
 public:
  std::function<void(absl::Status)> Callback() {
    return [state = state_](absl::Status status) {
      state->status = std::move(status);
      state->event.Set();
    };
  }
  absl::Status Wait() {
    state_->event.Wait();
    return state_->status;
  }

 private:
  struct State {
    Event event;
    absl::Status status;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace

class Node::Impl final : public chunk::Confirmer {
 public:
  Impl(Config config, Interrupted interrupted)
      : config_(std::move(config)), interrupted_(std::move(interrupted)), clock_(SystemClock()) {}
  ~Impl() override { Stop(); }

  absl::Status Start() {
    replicated_log::RocksdbLogStore::Options log_options;
    log_options.data_dir = config_.data_dir;
    DFS_ASSIGN_OR_RETURN(log_store_, replicated_log::RocksdbLogStore::Open(log_options));
    DFS_RETURN_IF_ERROR(EnsureMembership());
    const auto& identity = log_store_->identity();
    self_ = identity.node_id;
    LOG(INFO) << "node " << self_ << " of cluster " << *identity.cluster_id << ", storage "
              << identity.storage_uuid << ", boot epoch " << identity.boot_epoch;
    DFS_RETURN_IF_ERROR(OpenStores());
    DFS_RETURN_IF_ERROR(CheckNotRetired());
    BuildPeers();
    DFS_RETURN_IF_ERROR(BuildRaft());
    DFS_RETURN_IF_ERROR(FindPeers());
    BuildLeader();
    BuildServices();
    DFS_RETURN_IF_ERROR(Listen());
    raft_->Start();
    membership_->Start();
    leader_host_->Start();
    collector_->Start();
    Upkeep();
    return absl::OkStatus();
  }

  void Stop();
  [[nodiscard]] bool has_failed() const { return has_failed_.load(); }

  rpc::ConfirmResponse::Verdict Confirm(LogIndex read_index,
                                        const rpc::ConfirmItem& item) override {
    return coordinator::ConfirmHere(parts_, read_index, item);
  }

 private:
  absl::Status EnsureMembership();
  absl::Status Join(absl::Duration timeout);
  absl::Status FindPeers();
  absl::Status OpenStores();
  absl::Status CheckNotRetired() const;
  void BuildPeers();
  absl::Status BuildRaft();
  void BuildLeader();
  void BuildServices();
  absl::Status Listen();
  void OnConfiguration(const consensus::Configuration& configuration);
  void OnLiveness(NodeId node, membership::LivenessState to);
  void OnFatal(const absl::Status& status);
  void Upkeep();
  void Register(const metadata::MetadataView& view);
  membership::NodeHealth OwnHealth() ABSL_LOCKS_EXCLUDED(health_mutex_);

  rpc::PeerHello OwnHello() const;
  rpc::Ack OwnAck() const;
  rpc::NodeRow OwnRow() const;

  const Config config_;
  const Interrupted interrupted_;
  const Clock& clock_;
  NodeId self_;
  consensus::Configuration first_configuration_;  // as Join told it
  const RunId run_id_{SystemRandom64()};
  std::atomic<bool> has_failed_{false};
  std::atomic<bool> is_registering_{false};
  bool is_stopped_ = false;

  // Bottom-up; destroyed in the opposite order.
  std::unique_ptr<replicated_log::LogStore> log_store_;
  std::unique_ptr<metadata::MetadataMachine> machine_;
  std::unique_ptr<chunk::ChunkStore> store_;
  std::unique_ptr<PeerRegistry> registry_;
  PeerChannels channels_;
  std::unique_ptr<replicated_log::GrpcRaftTransport> raft_transport_;
  std::unique_ptr<membership::GrpcMembershipTransport> ring_transport_;
  std::unique_ptr<chunk::GrpcChunkPeers> chunk_peers_;
  std::unique_ptr<membership::MembershipHost> membership_;
  std::unique_ptr<leader::LeaderHost> leader_host_;
  std::unique_ptr<replicated_log::RaftHost> raft_;
  std::unique_ptr<leader::GrpcLeaderClient> leader_client_;
  std::unique_ptr<leader::ChunkCollector> collector_;

  std::unique_ptr<coordinator::SmallWriteBatcher> small_writes_;
  std::unique_ptr<ThreadPool> writers_;
  coordinator::Parts parts_;

  std::unique_ptr<replicated_log::RaftService> raft_service_;
  std::unique_ptr<membership::MembershipService> ring_service_;
  std::unique_ptr<leader::LeaderService> leader_service_;
  std::unique_ptr<chunk::ReplicaService> replica_service_;
  std::unique_ptr<gateway::FileService> file_service_;
  std::unique_ptr<gateway::ClusterService> cluster_service_;
  std::unique_ptr<grpc::Server> peer_server_;
  std::unique_ptr<grpc::Server> client_server_;

  Mutex health_mutex_;
  membership::NodeHealth health_ ABSL_GUARDED_BY(health_mutex_);
  std::unique_ptr<ThreadExecutor> upkeep_;
};

rpc::NodeRow Node::Impl::OwnRow() const {
  rpc::NodeRow row;
  row.set_node_id(self_.value());
  *row.mutable_storage_uuid() = ToWire(log_store_->identity().storage_uuid);
  row.set_name(config_.name);
  row.set_zone(config_.zone);
  row.set_client_address(config_.listen);
  row.set_peer_address(config_.peer_listen);
  row.set_boot_epoch(log_store_->identity().boot_epoch.value());
  return row;
}

rpc::PeerHello Node::Impl::OwnHello() const {
  const auto& identity = log_store_->identity();
  rpc::PeerHello hello;
  *hello.mutable_cluster_id() = ToWire(*identity.cluster_id);
  hello.set_node_id(self_.value());
  *hello.mutable_storage_uuid() = ToWire(identity.storage_uuid);
  hello.set_boot_epoch(identity.boot_epoch.value());
  hello.set_run_id(run_id_.value());
  hello.set_peer_address(config_.peer_listen);
  hello.set_client_address(config_.listen);
  return hello;
}

rpc::Ack Node::Impl::OwnAck() const {
  rpc::Ack ack;
  ack.set_node_id(self_.value());
  *ack.mutable_storage_uuid() = ToWire(log_store_->identity().storage_uuid);
  ack.set_boot_epoch(log_store_->identity().boot_epoch.value());
  return ack;
}

absl::Status Node::Impl::EnsureMembership() {
  if (log_store_->identity().cluster_id) return absl::OkStatus();
  if (config_.join.empty() && !config_.bootstrap) {
    return absl::InvalidArgumentError(absl::StrCat(
        config_.data_dir, " belongs to no cluster: pass --join=<peer address of a member>, or "
        "--bootstrap to form a new cluster"));
  }
  if (!config_.join.empty()) {
    const absl::Status joined =
        Join(config_.bootstrap ? kBootstrapAsks : absl::InfiniteDuration());
    if (joined.ok() || joined.code() != absl::StatusCode::kUnavailable || !config_.bootstrap) {
      return joined;
    }
    LOG(INFO) << "no --join address answered: forming a new cluster";
  }
  self_ = NodeId(1);
  return FormCluster(*log_store_, OwnRow());
}

absl::Status Node::Impl::Join(absl::Duration timeout) {
  rpc::JoinRequest request;
  const rpc::NodeRow row = OwnRow();
  *request.mutable_storage_uuid() = row.storage_uuid();
  request.set_name(row.name());
  request.set_zone(row.zone());
  request.set_client_address(row.client_address());
  request.set_peer_address(row.peer_address());
  request.set_boot_epoch(row.boot_epoch());
  request.set_claimed_node_id(log_store_->identity().node_id.value());
  if (const auto cluster = log_store_->identity().cluster_id) {
    *request.mutable_claimed_cluster_id() = ToWire(*cluster);
  }
  DFS_ASSIGN_OR_RETURN(const rpc::JoinResponse joined,
                       JoinThrough(config_.join, request, timeout, interrupted_));
  DFS_ASSIGN_OR_RETURN(first_configuration_,
                       replicated_log::DecodeConfiguration(joined.configuration()));
  return log_store_->SetMembership(UuidFromWire<ClusterId>(joined.cluster_id()),
                                   NodeId(joined.node_id()));
}

// A node whose log is still empty knows nobody: rule R2 has it listen only to those it can dial itself.
absl::Status Node::Impl::FindPeers() {
  DFS_ASSIGN_OR_RETURN(const consensus::InitialState stored, log_store_->Load());
  const bool has_configuration =
      !stored.base_configuration.members.empty() ||
      std::any_of(stored.entries.begin(), stored.entries.end(),
                  [](const consensus::Entry& entry) { return entry.configuration != nullptr; });
  if (has_configuration) return absl::OkStatus();
  if (first_configuration_.members.empty()) {
    if (config_.join.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          config_.data_dir, " was stopped before it got the log: pass --join=<peer address of a "
          "member> once more"));
    }
    DFS_RETURN_IF_ERROR(Join(absl::InfiniteDuration()));
  }
  OnConfiguration(first_configuration_);
  return absl::OkStatus();
}

absl::Status Node::Impl::OpenStores() {
  machine_ = std::make_unique<metadata::MetadataMachine>(log_store_->state());
  chunk::LocalChunkStore::Options options;
  options.data_dir = config_.data_dir;
  DFS_ASSIGN_OR_RETURN(store_, chunk::LocalChunkStore::Open(options));
  return absl::OkStatus();
}

// As far as its own copy of the log goes.
absl::Status Node::Impl::CheckNotRetired() const {
  const auto own = machine_->View()->FindNode(self_);
  if (!own || own->state() != rpc::RETIRED) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "node ", self_.value(), " has left its cluster, and its id is never used again: use an empty "
      "--data-dir, and it joins under a new one"));
}

void Node::Impl::BuildPeers() {
  registry_ = std::make_unique<PeerRegistry>(OwnHello());
  raft_transport_ = std::make_unique<replicated_log::GrpcRaftTransport>(self_, registry_.get());
  ring_transport_ = std::make_unique<membership::GrpcMembershipTransport>(
      membership::GrpcMembershipTransport::Parts{registry_.get(),
                                                 grpc::InsecureChannelCredentials()});
  chunk_peers_ = std::make_unique<chunk::GrpcChunkPeers>(&channels_);

  membership::MembershipHost::Parts ring;
  ring.options.self = self_;
  ring.options.boot_epoch = log_store_->identity().boot_epoch;
  ring.options.random_seed = SystemRandom64();
  ring.transport = ring_transport_.get();
  ring.clock = &clock_;
  ring.on_change = [this](NodeId node, membership::LivenessState from,
                          membership::LivenessState to, std::uint64_t incarnation) {
    LOG(INFO) << "node " << node << " went from state " << static_cast<int>(from) << " to "
              << static_cast<int>(to) << ", incarnation " << incarnation;
    OnLiveness(node, to);
  };
  ring.own_health = [this] { return OwnHealth(); };
  membership_ = std::make_unique<membership::MembershipHost>(std::move(ring));
}

absl::Status Node::Impl::BuildRaft() {
  leader::LeaderHost::Parts leader;
  leader.self = self_;
  leader.clock = &clock_;
  leader.machine = machine_.get();
  leader.peers = chunk_peers_.get();
  leader.membership = membership_.get();
  leader.options.trash_time = config_.trash_time;
  leader.options.purge_quiet = config_.purge_quiet;
  leader.options.out_after = config_.out_after;
  leader_host_ = std::make_unique<leader::LeaderHost>(std::move(leader));

  replicated_log::RaftHost::Parts raft;
  raft.options.self = self_;
  raft.options.random_seed = SystemRandom64();
  raft.log_store = log_store_.get();
  raft.machine = machine_.get();
  raft.transport = raft_transport_.get();
  raft.clock = &clock_;
  raft.listener = leader_host_.get();
  raft.on_configuration = [this](const consensus::Configuration& c) { OnConfiguration(c); };
  raft.on_fatal = [this](absl::Status status) { OnFatal(status); };
  DFS_ASSIGN_OR_RETURN(raft_, replicated_log::RaftHost::Create(std::move(raft)));
  leader_host_->SetRaft(raft_.get());
  return absl::OkStatus();
}

void Node::Impl::BuildLeader() {
  leader::GrpcLeaderClient::Parts client;
  client.self = self_;
  client.run_id = run_id_;
  client.clock = &clock_;
  client.raft = raft_.get();
  client.local = leader_host_.get();
  client.channels = &channels_;
  client.machine = machine_.get();
  client.membership = membership_.get();
  leader_client_ = std::make_unique<leader::GrpcLeaderClient>(std::move(client));

  leader::ChunkCollector::Parts collector;
  collector.self = self_;
  collector.clock = &clock_;
  collector.store = store_.get();
  collector.machine = machine_.get();
  collector.leader = leader_client_.get();
  collector.own_ack = [this] { return OwnAck(); };
  collector.options.question_age = config_.question_age;
  collector.options.trash_time = config_.trash_time;
  collector.options.interval = config_.collect_every;
  collector_ = std::make_unique<leader::ChunkCollector>(std::move(collector));
}

void Node::Impl::BuildServices() {
  small_writes_ =
      std::make_unique<coordinator::SmallWriteBatcher>(store_.get(), [this] { return OwnAck(); });
  writers_ = std::make_unique<ThreadPool>("writer", kWriterThreadsMax);
  parts_.self = self_;
  parts_.store = store_.get();
  parts_.peers = chunk_peers_.get();
  parts_.leader = leader_client_.get();
  parts_.machine = machine_.get();
  parts_.clock = &clock_;
  parts_.pool = writers_.get();
  parts_.small_writes = small_writes_.get();
  parts_.own_ack = [this] { return OwnAck(); };
  parts_.wait_applied = [this](LogIndex index, absl::Duration timeout) {
    Waiter waiter;
    raft_->WaitApplied(index, timeout, waiter.Callback());
    return waiter.Wait();
  };
  parts_.is_usable = [this](NodeId node) { return membership_->IsUsable(node); };
  parts_.leader_id = [this] { return raft_->Status().leader; };

  raft_service_ = std::make_unique<replicated_log::RaftService>(raft_transport_.get());
  ring_service_ = std::make_unique<membership::MembershipService>(ring_transport_.get());
  leader_service_ = std::make_unique<leader::LeaderService>(leader_host_.get());
  chunk::ReplicaService::Parts replica;
  replica.store = store_.get();
  replica.peers = chunk_peers_.get();
  replica.confirmer = this;
  replica.own_ack = [this] { return OwnAck(); };
  replica_service_ = std::make_unique<chunk::ReplicaService>(std::move(replica));
  file_service_ = std::make_unique<gateway::FileService>(parts_);
  gateway::ClusterParts cluster;
  cluster.self = self_;
  cluster.machine = machine_.get();
  cluster.raft = raft_.get();
  cluster.membership = membership_.get();
  cluster.store = store_.get();
  cluster.leader = leader_client_.get();
  cluster.clock = &clock_;
  cluster.server_version = kVersion;
  cluster_service_ = std::make_unique<gateway::ClusterService>(std::move(cluster));
}

absl::Status Node::Impl::Listen() {
  const auto listen = [](const std::string& address, const std::vector<grpc::Service*>& services)
      -> std::unique_ptr<grpc::Server> {
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    grpc::ResourceQuota quota;
    quota.Resize(kServerBytesMax);
    quota.SetMaxThreads(kServerThreadsMax);
    builder.SetResourceQuota(quota);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 16);
    int port = 0;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    for (auto* service : services) builder.RegisterService(service);
    auto server = builder.BuildAndStart();
    return port == 0 ? nullptr : std::move(server);
  };
  peer_server_ = listen(config_.peer_listen, {raft_service_.get(), ring_service_.get(),
                                              leader_service_.get(), replica_service_.get()});
  if (peer_server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on --peer-listen=", config_.peer_listen,
                     ": the address is in use or not this machine's"));
  }
  client_server_ = listen(config_.listen, {file_service_.get(), cluster_service_.get()});
  if (client_server_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on --listen=", config_.listen,
                                               ": the address is in use or not this machine's"));
  }
  LOG(INFO) << "serving clients on " << config_.listen << " and nodes on " << config_.peer_listen;
  return absl::OkStatus();
}

void Node::Impl::OnConfiguration(const consensus::Configuration& configuration) {
  if (configuration.members.empty()) return;
  std::vector<membership::MemberAddress> members;
  for (const auto& [node, info] : configuration.members) {
    members.push_back({node, info.storage_uuid, info.peer_address});
    // Its own address, too: a leader asks itself for copies as it asks the others.
    channels_.SetAddress(node, node == self_ ? config_.peer_listen : info.peer_address);
    if (node == self_) continue;
    registry_->SetKnown(node, info.storage_uuid, BootEpoch());
  }
  raft_transport_->SetMembers(configuration);
  membership_->SetMembers(std::move(members));
}

// Rule R5: the ring's word that the leader is dead lets this node ask for votes early.
void Node::Impl::OnLiveness(NodeId node, membership::LivenessState to) {
  if (to != membership::LivenessState::kDead) return;
  if (raft_->Status().leader == node) raft_->SuspectLeader(node);
}

void Node::Impl::OnFatal(const absl::Status& status) {
  LOG(ERROR) << "this node must stop: " << status;
  has_failed_ = true;
  kill(getpid(), SIGTERM);
}

membership::NodeHealth Node::Impl::OwnHealth() {
  MutexLock lock(&health_mutex_);
  return health_;
}

void Node::Impl::Upkeep() {
  if (upkeep_ == nullptr) upkeep_ = std::make_unique<ThreadExecutor>("upkeep");
  upkeep_->Post([this] {
    const auto view = machine_->View();
    const chunk::Space space = store_->GetSpace();
    {
      MutexLock lock(&health_mutex_);
      health_.free_bytes = space.free_bytes;
      health_.total_bytes = space.total_bytes;
      health_.fsync_p99 = store_->SyncP99();
      health_.applied_index = view->applied_index().value();
    }
    for (const auto& row : view->Nodes()) {
      const NodeId node(row.node_id());
      if (node == self_) continue;
      if (row.state() == rpc::RETIRED) {
        registry_->Forget(node);
      } else {
        registry_->SetKnown(node, UuidFromWire<StorageUuid>(row.storage_uuid()),
                            BootEpoch(row.boot_epoch()));
      }
    }
    if (const absl::Status retired = CheckNotRetired(); !retired.ok()) {
      LOG(WARNING) << "this node stops: " << retired.message();
      kill(getpid(), SIGTERM);
      return;
    }
    Register(*view);
    upkeep_->PostAt(clock_.Now() + kUpkeepEvery, [this] { Upkeep(); });
  });
}

// The node table must know this start (rule R4: chunk acknowledgements count only then).
void Node::Impl::Register(const metadata::MetadataView& view) {
  const rpc::NodeRow own = OwnRow();
  const auto known = view.FindNode(self_);
  const bool is_known = known && known->boot_epoch() == own.boot_epoch() &&
                        known->client_address() == own.client_address() &&
                        known->peer_address() == own.peer_address();
  if (is_known || is_registering_.exchange(true)) return;
  writers_->Post([this, own] {
    rpc::NodeStarted started;
    started.set_node_id(own.node_id());
    *started.mutable_storage_uuid() = own.storage_uuid();
    started.set_boot_epoch(own.boot_epoch());
    started.set_client_address(own.client_address());
    started.set_peer_address(own.peer_address());
    started.set_zone(own.zone());
    started.set_name(own.name());
    const absl::Status status = leader_client_->Register(started, absl::Seconds(5));
    if (!status.ok()) LOG(INFO) << "not registered with the leader yet: " << status;
    is_registering_ = false;
  });
}

void Node::Impl::Stop() {
  if (std::exchange(is_stopped_, true)) return;
  if (raft_ != nullptr && raft_->Status().role == consensus::Role::kLeader && !has_failed_) {
    auto done = std::make_shared<Event>();
    raft_->TransferLeadership([done](const absl::Status&) { done->Set(); });
    done->WaitFor(absl::Seconds(1));
  }
  const auto deadline =
      std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kStopGrace);
  if (client_server_ != nullptr) client_server_->Shutdown(deadline);
  if (upkeep_ != nullptr) upkeep_->Stop();
  if (collector_ != nullptr) collector_->Stop();
  if (membership_ != nullptr) membership_->Stop();
  if (leader_host_ != nullptr) leader_host_->Stop();
  if (raft_ != nullptr) raft_->Stop();
  if (leader_client_ != nullptr) leader_client_->Stop();
  if (raft_transport_ != nullptr) raft_transport_->Stop();
  if (ring_transport_ != nullptr) ring_transport_->Stop();
  if (peer_server_ != nullptr) peer_server_->Shutdown(std::chrono::system_clock::now());
  if (writers_ != nullptr) writers_->Stop();
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

absl::StatusOr<std::unique_ptr<Node>> Node::Start(const Config& config,
                                                  const Interrupted& interrupted) {
  auto impl = std::make_unique<Impl>(config, interrupted);
  DFS_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

void Node::Stop() { impl_->Stop(); }
bool Node::has_failed() const { return impl_->has_failed(); }

}  // namespace dfs::node
