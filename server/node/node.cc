#include "server/node/node.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/disk_full.h"
#include "common/executor.h"
#include "common/peer_channels.h"
#include "common/peer_registry.h"
#include "common/posix_disk.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "membership/grpc_membership_transport.h"
#include "membership/membership_host.h"
#include "server/chunk/grpc_chunk_peers.h"
#include "server/chunk/local_chunk_store.h"
#include "server/chunk/scrubber.h"
#include "server/chunk/set_aside_chunks.h"
#include "server/coordinator/get_operation.h"
#include "server/leader/chunk_collector.h"
#include "server/leader/grpc_leader_client.h"
#include "server/leader/leader_host.h"
#include "server/node/disk_probe.h"
#include "server/node/disk_space.h"
#include "server/node/doors.h"
#include "server/node/file_source.h"
#include "server/node/gossip_buckets.h"
#include "server/node/greeting.h"
#include "server/node/open_log.h"
#include "server/node/own_health.h"
#include "server/node/own_identity.h"
#include "server/node/part_options.h"
#include "server/node/peer_finder.h"
#include "server/node/recovery.h"
#include "server/node/registration.h"
#include "server/node/service_notice.h"
#include "server/node/set_aside.h"
#include "server/node/test_clock.h"
#include "server/node/test_message_loss.h"
#include "server/node/version.h"
#include "server/node/waiter.h"
#include "server/replicated_log/grpc_raft_transport.h"
#include "server/replicated_log/raft_host.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::node {
namespace {

constexpr absl::Duration kUpkeepEvery = absl::Milliseconds(500);
constexpr int kRegisterTries = 50;
constexpr absl::Duration kRegisterEvery = absl::Milliseconds(10);  // after a start
constexpr absl::Duration kHealthEvery = absl::Milliseconds(50);
constexpr absl::Duration kBootstrapAsks = absl::Seconds(3);  // how long --join addresses are asked before forming
constexpr absl::Duration kStopGrace = absl::Seconds(3);
constexpr std::size_t kWriterThreadsMax = 96;

}  // namespace

class Node::Impl final : public chunk::Confirmer {
 public:
  Impl(Config config, Interrupted interrupted)
      : config_(std::move(config)), interrupted_(std::move(interrupted)), clock_(config_.test_clock_offset) {}
  ~Impl() override { Stop(); }

  absl::Status Start() {
    DFS_ASSIGN_OR_RETURN(log_store_, OpenLog(config_.data_dir, {OthersToJoin(config_), dialer_}, interrupted_));
    if (config_.recover_as_voter) {
      DFS_RETURN_IF_ERROR(RecoverAsVoter(*log_store_, OthersToJoin(config_), AnswersTcp));
    }
    DFS_RETURN_IF_ERROR(EnsureMembership());
    DFS_RETURN_IF_ERROR(LearnConfiguration());
    const auto& identity = log_store_->identity();
    self_ = identity.node_id;
    LOG(INFO) << "node " << self_ << " of cluster " << *identity.cluster_id << ", storage "
              << identity.storage_uuid << ", boot epoch " << identity.boot_epoch;
    DFS_RETURN_IF_ERROR(OpenStores());
    DFS_RETURN_IF_ERROR(CheckMayStart(*machine_->View(), self_, config_.role));
    BuildPeers();
    DFS_RETURN_IF_ERROR(OpenGossip());
    DFS_RETURN_IF_ERROR(BuildRaft());
    OnConfiguration(first_configuration_);
    BuildLeader();
    BuildServices();
    DFS_RETURN_IF_ERROR(doors_->Listen(config_));
    raft_transport_->SetHeld(true);
    raft_->StartHeld();
    DFS_RETURN_IF_ERROR(gossip_->Start());
    leader_host_->Start();
    collector_->Start();
    upkeep_ = std::make_unique<ThreadExecutor>("upkeep");
    scrubber_->Start();
    Upkeep();
    upkeep_->Post([this] { WatchHealth(); });
    StartFinder();
    return absl::OkStatus();
  }

  void Stop();
  [[nodiscard]] bool has_failed() const { return has_failed_.load(); }
  [[nodiscard]] bool begins_anew() const { return begins_anew_.load(); }
  [[nodiscard]] bool was_full() const { return was_full_.load(); }
  [[nodiscard]] std::vector<std::string> KnownAddresses() const {
    std::vector<std::string> addresses = OthersToJoin(config_);
    for (const auto& [node, member] : raft_->Status().configuration.members) {
      if (node != self_) addresses.push_back(member.peer_address);
    }
    return addresses;
  }

  rpc::ConfirmResponse::Verdict Confirm(LogIndex read_index, const rpc::ConfirmItem& item) override {
    return coordinator::ConfirmHere(parts_, read_index, item);
  }

 private:
  absl::Status EnsureMembership();
  absl::Status Join(absl::Duration timeout);
  absl::Status LearnConfiguration();
  absl::Status OpenStores();
  void BuildPeers();
  absl::Status OpenGossip();
  absl::Status BuildRaft();
  void BuildLeader();
  void BuildServices();
  void TakePart();
  void RegisterStart(int tries);
  // Rule R4: acknowledgements of chunks count only for a start that the node table knows.
  bool CheckRegistered() {
    return registration_->Check(RowOf(log_store_->identity(), self_, config_), *machine_->View());
  }
  void BeginAnew(const std::string& why);
  void BuildFinder();
  void StartFinder();
  // Finder's thread.
  void OnMembers(const consensus::Configuration& configuration,
                 const std::map<NodeId, std::string>& elsewhere);
  // For members that ask what this node knows of them; any thread.
  void Greet(const rpc::PeerHello& asker, rpc::GreetResponse* response);
  void OnConfiguration(const consensus::Configuration& configuration);
  // Whom a node without metadata of files asks.
  [[nodiscard]] std::vector<NodeId> Holders() const {
    const auto status = raft_->Status();
    const auto& configuration = status.configuration.members.empty() ? first_configuration_ : status.configuration;
    return FileHolders(configuration, self_, status.leader, [this](NodeId node) { return membership_->IsUsable(node); });
  }
  void OnLiveness(NodeId node, membership::LivenessState to);
  void OnFatal(const absl::Status& status);
  void Upkeep();
  void WatchHealth();
  membership::NodeHealth OwnHealth() ABSL_LOCKS_EXCLUDED(health_mutex_);

  [[nodiscard]] rpc::Ack OwnAck() const { return AckOf(log_store_->identity()); }

  const Config config_;
  const Interrupted interrupted_;
  const TestClock clock_;
  const Dialer dialer_{config_.tls ? Dialer(*config_.tls, TlsDoor::kPeers) : Dialer()};
  NodeId self_;
  consensus::Configuration first_configuration_;  // as Join told it
  const RunId run_id_{SystemRandom64()};
  std::atomic<bool> has_failed_{false};
  std::atomic<bool> was_full_{false};
  std::atomic<bool> is_taking_part_{false};  // rule R3
  std::atomic<bool> begins_anew_{false};
  std::vector<membership::MemberAddress> ring_members_;  // finder's thread
  bool is_stopped_ = false;

  // Bottom-up; destroyed in the opposite order.
  std::unique_ptr<replicated_log::LogStore> log_store_;
  std::unique_ptr<metadata::MetadataMachine> machine_;
  std::unique_ptr<FileSource> files_;
  std::unique_ptr<chunk::ChunkStore> store_;
  std::unique_ptr<chunk::SetAsideChunks> set_aside_;  // of earlier identities of this machine
  std::unique_ptr<DiskProbe> disk_probe_;
  std::unique_ptr<PeerRegistry> registry_;
  PeerChannels channels_{dialer_};
  TestMessageLoss loss_{config_.test_drop_percent};
  std::unique_ptr<replicated_log::GrpcRaftTransport> raft_transport_;
  std::unique_ptr<membership::GrpcMembershipTransport> ring_transport_;
  std::unique_ptr<chunk::GrpcChunkPeers> chunk_peers_;
  std::unique_ptr<membership::MembershipHost> membership_;
  std::unique_ptr<PeerFinder> finder_;
  std::unique_ptr<leader::LeaderHost> leader_host_;
  std::unique_ptr<replicated_log::RaftHost> raft_;
  std::unique_ptr<leader::GrpcLeaderClient> leader_client_;
  std::unique_ptr<leader::ChunkCollector> collector_;
  std::unique_ptr<GossipBuckets> gossip_;
  std::unique_ptr<chunk::Scrubber> scrubber_;

  std::unique_ptr<coordinator::SmallWriteBatcher> small_writes_;
  std::unique_ptr<Registration> registration_;
  std::unique_ptr<ThreadPool> writers_;
  coordinator::Parts parts_;

  std::unique_ptr<Doors> doors_;

  Mutex health_mutex_;
  membership::NodeHealth health_ ABSL_GUARDED_BY(health_mutex_);
  std::unique_ptr<ThreadExecutor> upkeep_;
};

absl::Status Node::Impl::EnsureMembership() {
  if (log_store_->identity().cluster_id) return absl::OkStatus();
  // Rule R4: where data was set aside, a cluster is known to exist.
  const bool may_form = config_.bootstrap && !HasSetAside(PosixDisk(), config_.data_dir);
  if (config_.join.empty() && !may_form) return BelongsToNoCluster(config_.data_dir);
  if (!config_.join.empty()) {
    const absl::Status joined = Join(may_form ? kBootstrapAsks : absl::InfiniteDuration());
    if (joined.ok() || joined.code() != absl::StatusCode::kUnavailable || !may_form) {
      return joined;
    }
    LOG(INFO) << "no --join address answered: forming a new cluster";
  }
  self_ = NodeId(1);
  return FormCluster(*log_store_, RowOf(log_store_->identity(), self_, config_));
}

absl::Status Node::Impl::Join(absl::Duration timeout) {
  DFS_ASSIGN_OR_RETURN(const rpc::JoinResponse joined,
                       JoinThrough({config_.join, dialer_}, JoinRequestOf(log_store_->identity(), config_),
                                   timeout, interrupted_));
  DFS_ASSIGN_OR_RETURN(first_configuration_, replicated_log::DecodeConfiguration(joined.configuration()));
  const NodeId node(joined.node_id());
  const auto self = first_configuration_.members.find(node);
  const bool gets_no_commands = self != first_configuration_.members.end() && self->second.gets_no_commands;
  return log_store_->SetMembership(UuidFromWire<ClusterId>(joined.cluster_id()), node, gets_no_commands);
}

// A node whose log is still empty knows nobody: rule R2 has it listen only to those it can dial itself.
absl::Status Node::Impl::LearnConfiguration() {
  DFS_ASSIGN_OR_RETURN(const consensus::InitialState stored, log_store_->Load());
  if (HasConfiguration(stored) || !first_configuration_.members.empty()) return absl::OkStatus();
  if (config_.join.empty()) return StoppedBeforeTheLog(config_.data_dir);
  return Join(absl::InfiniteDuration());
}

absl::Status Node::Impl::OpenStores() {
  const bool has_files = !log_store_->identity().gets_no_commands;
  machine_ = std::make_unique<metadata::MetadataMachine>(
      log_store_->state(), has_files ? metadata::Keeps::kEverything : metadata::Keeps::kDirectory);
  files_ = std::make_unique<FileSource>(FileSource::Parts{
      machine_.get(), &clock_, &channels_, [this] { return Holders(); },
      [this](metadata::DirectoryRows rows, auto done) { raft_->AdoptDirectory(std::move(rows), done); }});
  DFS_ASSIGN_OR_RETURN(store_, chunk::LocalChunkStore::Open({.data_dir = config_.data_dir}));
  set_aside_ = chunk::SetAsideChunks::Open(SetAsideFolders(PosixDisk(), config_.data_dir));
  DFS_ASSIGN_OR_RETURN(disk_probe_, DiskProbe::Start(&PosixDisk(), config_.data_dir + "/probe", &clock_));
  return absl::OkStatus();
}

void Node::Impl::BuildPeers() {
  registry_ = std::make_unique<PeerRegistry>(HelloOf(log_store_->identity(), run_id_, config_));
  raft_transport_ = std::make_unique<replicated_log::GrpcRaftTransport>(self_, registry_.get(), dialer_);
  ring_transport_ = std::make_unique<membership::GrpcMembershipTransport>(
      membership::GrpcMembershipTransport::Parts{registry_.get(), dialer_});
  chunk_peers_ = std::make_unique<chunk::GrpcChunkPeers>(&channels_);

  membership::MembershipHost::Parts ring;
  ring.options.self = self_;
  ring.options.boot_epoch = log_store_->identity().boot_epoch;
  ring.options.random_seed = SystemRandom64();
  ring.transport = loss_.Through(ring_transport_.get());
  ring.clock = &clock_;
  ring.on_change = [this](NodeId node, membership::LivenessState from, membership::LivenessState to, std::uint64_t incarnation) {
    LOG(INFO) << "node " << node << " went from state " << static_cast<int>(from) << " to "
              << static_cast<int>(to) << ", incarnation " << incarnation;
    OnLiveness(node, to);
  };
  ring.own_health = [this] { return OwnHealth(); };
  membership_ = std::make_unique<membership::MembershipHost>(std::move(ring));
  BuildFinder();
}

absl::Status Node::Impl::OpenGossip() {
  GossipBuckets::Parts parts{.self = self_, .boot_epoch = log_store_->identity().boot_epoch, .clock = &clock_,
                             .registry = registry_.get(), .channels = &channels_, .machine = machine_.get(),
                             .catalog = files_->catalog(), .membership = membership_.get(), .store = store_.get(), .peers = chunk_peers_.get(),
                             .loss = &loss_, .on_fatal = [this](const absl::Status& status) { OnFatal(status); }};
  DFS_ASSIGN_OR_RETURN(gossip_, GossipBuckets::Open(config_, std::move(parts)));
  return absl::OkStatus();
}

absl::Status Node::Impl::BuildRaft() {
  leader::LeaderHost::Parts leader;
  leader.self = self_;
  leader.clock = &clock_;
  leader.machine = machine_.get();
  leader.peers = chunk_peers_.get();
  leader.membership = membership_.get();
  leader.options = LeaderOptionsOf(config_);
  leader_host_ = std::make_unique<leader::LeaderHost>(std::move(leader));

  replicated_log::RaftHost::Parts raft;
  raft.options.self = self_;
  raft.options.random_seed = SystemRandom64();
  raft.log_store = log_store_.get();
  raft.machine = machine_.get();
  raft.transport = loss_.Through(raft_transport_.get());
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
  collector.catalog = files_->catalog();
  collector.leader = leader_client_.get();
  collector.own_ack = [this] { return OwnAck(); };
  collector.options = CollectorOptionsOf(config_);
  collector_ = std::make_unique<leader::ChunkCollector>(std::move(collector));

  chunk::Scrubber::Parts scrubber;
  scrubber.store = store_.get();
  scrubber.clock = &clock_;
  scrubber.wanted = gossip_.get();
  scrubber.report = gossip_->ReportOf(leader_client_.get(), [this] { return OwnAck(); });
  scrubber.options = ScrubOptionsOf(config_);
  scrubber_ = std::make_unique<chunk::Scrubber>(std::move(scrubber));
}

void Node::Impl::BuildServices() {
  small_writes_ =
      std::make_unique<coordinator::SmallWriteBatcher>(store_.get(), [this] { return OwnAck(); });
  writers_ = std::make_unique<ThreadPool>("writer", kWriterThreadsMax);
  registration_ = std::make_unique<Registration>(
      Registration::Parts{raft_.get(), leader_client_.get(), writers_.get(),
                          [this] { return Others{KnownAddresses(), dialer_}; }});
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
    return waiter.Wait(timeout);
  };
  parts_.is_usable = [this](NodeId node) { return membership_->IsUsable(node); };
  parts_.is_slow = [this](NodeId node) { return membership_->HasSlowDisk(node); };
  parts_.leader_id = [this] { return raft_->Status().leader; };
  files_->AddTo(&parts_);

  raft_transport_->SetGreeter([this](const rpc::PeerHello& asker, rpc::GreetResponse* response) {
    Greet(asker, response);
  });
  Doors::Parts doors;
  doors.raft_transport = raft_transport_.get();
  doors.ring_transport = ring_transport_.get();
  doors.leader_host = leader_host_.get();
  doors.replica.store = store_.get();
  doors.replica.peers = chunk_peers_.get();
  doors.replica.confirmer = this;
  doors.replica.scrubber = scrubber_.get();
  doors.replica.collect = [this](const auto& request) { return collector_->Answer(request); };
  doors.replica.set_aside = set_aside_.get();
  doors.replica.own_ack = [this] { return OwnAck(); };
  doors.coordinator = &parts_;
  doors.channels = &channels_;
  doors.gossip = gossip_->host();
  doors.gossip_transport = gossip_->transport();
  doors.http_form_bytes_max = config_.http_upload_limit;
  doors.park_limits.window = config_.resume_window;
  gateway::ClusterParts& cluster = doors.cluster;
  cluster.self = self_;
  cluster.machine = machine_.get();
  cluster.raft = raft_.get();
  cluster.membership = membership_.get();
  cluster.store = store_.get();
  cluster.scrubber = scrubber_.get();
  cluster.collect = doors.replica.collect;
  cluster.peers = chunk_peers_.get();
  cluster.leader = leader_client_.get();
  cluster.clock = &clock_;
  cluster.server_version = kVersion;
  cluster.gossip = [this] { return gossip_->GetStatus(); };
  cluster.certificate_not_after_s = CertificateEndOf(config_);
  cluster.test_faults = [this] {
    std::vector<std::string> faults = {clock_.Describe(), loss_.Describe()};
    std::erase(faults, "");
    return absl::StrJoin(faults, " and ");
  };
  doors_ = std::make_unique<Doors>(std::move(doors));
}

void Node::Impl::OnConfiguration(const consensus::Configuration& configuration) {
  if (configuration.members.empty()) return;
  raft_transport_->SetMembers(configuration);
  finder_->Reconfigure(configuration);
}

void Node::Impl::OnMembers(const consensus::Configuration& configuration,
                           const std::map<NodeId, std::string>& elsewhere) {
  std::vector<membership::MemberAddress> members;
  for (const auto& [node, info] : configuration.members) {
    const auto found = elsewhere.find(node);
    const std::string& address = found == elsewhere.end() ? info.peer_address : found->second;
    members.push_back({node, info.storage_uuid, address});
    // Its own address, too: a leader asks itself for copies as it asks the others.
    channels_.SetAddress(node, node == self_ ? config_.peer_listen : address);
  }
  for (const auto& [node, address] : elsewhere) {
    if (!configuration.IsMember(node)) channels_.SetAddress(node, address);
    LOG(INFO) << "node " << node << " is at " << address;
  }
  raft_transport_->SetAddresses(elsewhere);
  ring_members_ = std::move(members);
  if (is_taking_part_) membership_->SetMembers(ring_members_);
}

void Node::Impl::BuildFinder() {
  PeerFinder::Parts finder;
  finder.options.self = self_;
  finder.options.own_address = config_.peer_listen;
  finder.clock = &clock_;
  finder.registry = registry_.get();
  finder.dialer = dialer_;
  finder.position = [this] { return raft_->Status().durable; };
  finder.on_released = [this] { TakePart(); };
  finder.on_rolled_back = [this](const std::string& why) { BeginAnew(why); };
  finder.on_members = [this](const consensus::Configuration& configuration,
                             const std::map<NodeId, std::string>& elsewhere) {
    OnMembers(configuration, elsewhere);
  };
  finder_ = std::make_unique<PeerFinder>(std::move(finder));
}

// Finder's thread, as OnMembers.
void Node::Impl::TakePart() {
  LOG(INFO) << "this node takes part";
  is_taking_part_ = true;
  raft_transport_->SetHeld(false);
  membership_->Start();
  membership_->SetMembers(ring_members_);
  raft_->Release();
  files_->Start();
  NotifyService("READY=1\nSTATUS=takes part");
  upkeep_->Post([this] { RegisterStart(kRegisterTries); });
}

// Until then nothing that this node stores counts for a put: not left to the next round of upkeep, while it may be soon.
void Node::Impl::RegisterStart(int tries) {
  if (CheckRegistered() || tries <= 1) return;
  upkeep_->PostAt(clock_.Now() + kRegisterEvery, [this, tries] { RegisterStart(tries - 1); });
}

// Rule R3: as if the disk had been wiped.
void Node::Impl::BeginAnew(const std::string& why) {
  LOG(ERROR) << "THIS DATA DIRECTORY IS A COPY OR AN OLD STATE and is set aside: " << why
             << ". The node joins again under a new id";
  const absl::Status ordered =
      OrderSetAside(PosixDisk(), config_.data_dir,
                    absl::StrCat(absl::ToUnixMicros(clock_.WallNow())), why);
  begins_anew_ = ordered.ok();
  raft_->Abandon(ordered.ok() ? absl::FailedPreconditionError(why) : ordered);
}

void Node::Impl::StartFinder() {
  raft_transport_->SetHelloRefusedReceiver([this](NodeId by) { finder_->RefusedBy(by); });
  const auto status = raft_->Status();
  const auto& configuration = status.configuration.members.empty() ? first_configuration_ : status.configuration;
  finder_->Start(status.durable, configuration, {config_.join.begin(), config_.join.end()});
}

void Node::Impl::Greet(const rpc::PeerHello& asker, rpc::GreetResponse* response) {
  FillGreeting(*raft_, asker, response);
  finder_->AskedBy(asker);
}

// Rule R5: the ring's word that the leader is dead lets this node ask for votes early.
void Node::Impl::OnLiveness(NodeId node, membership::LivenessState to) {
  if (to != membership::LivenessState::kDead) return;
  if (raft_->Status().leader == node) raft_->SuspectLeader(node);
}

void Node::Impl::OnFatal(const absl::Status& status) {
  LOG(ERROR) << "this node must stop: " << status;
  was_full_ = IsDiskFull(status) || !HasSpaceToRun(PosixDisk(), config_.data_dir);
  has_failed_ = true;
  if (NoteIfDamage(config_.data_dir, status)) begins_anew_ = true;
  kill(getpid(), SIGTERM);
}

membership::NodeHealth Node::Impl::OwnHealth() {
  MutexLock lock(&health_mutex_);
  membership::NodeHealth health = health_;
  if (disk_probe_ != nullptr) health.disk_probe_age = disk_probe_->Age();
  return health;
}

void Node::Impl::Upkeep() {
  upkeep_->Post([this] {
    const auto view = machine_->View();
    auto health = HealthOf(*store_, *scrubber_, *collector_, view->applied_index(), config_);
    gossip_->AddTo(&health);
    {
      MutexLock lock(&health_mutex_);
      health_ = health;
    }
    LearnEpochs(*view, self_, registry_.get());
    if (const absl::Status retired = CheckNotRetired(*machine_->View(), self_); !retired.ok()) {
      LOG(WARNING) << "this node stops: " << retired.message();
      kill(getpid(), SIGTERM);
      return;
    }
    // Was full, and has space again: only a new start makes the store take chunks.
    if (const auto failure = store_->Health(); IsDiskFull(failure) && HasSpaceToRun(PosixDisk(), config_.data_dir)) {
      return OnFatal(failure);
    }
    if (is_taking_part_) CheckRegistered();
    if (store_->WantsReopening()) {
      LOG(ERROR) << "THE CHUNK INDEX IS DAMAGED; this node starts again: " << store_->Health();
      begins_anew_ = true;  // a new boot epoch ends this one's acknowledgements (rule R4)
      return static_cast<void>(kill(getpid(), SIGTERM));
    }
    if (raft_->Status().leader.is_none()) finder_->LeaderMissing();
    upkeep_->PostAt(clock_.Now() + kUpkeepEvery, [this] { Upkeep(); });
  });
}

// What load balancers are told.
void Node::Impl::WatchHealth() {
  const auto status = raft_->Status();
  doors_->SetServing(status.leader == self_ ? status.can_serve : !status.leader.is_none());
  upkeep_->PostAt(clock_.Now() + kHealthEvery, [this] { WatchHealth(); });
}

void Node::Impl::Stop() {
  if (std::exchange(is_stopped_, true)) return;
  if (raft_ != nullptr && raft_->Status().role == consensus::Role::kLeader && !has_failed_) {
    auto done = std::make_shared<Event>();
    raft_->TransferLeadership([done](const absl::Status&) { done->Set(); });
    done->WaitFor(absl::Seconds(1));
  }
  if (doors_ != nullptr) doors_->StopClients(kStopGrace);
  if (upkeep_ != nullptr) upkeep_->Stop();
  if (collector_ != nullptr) collector_->Stop();
  if (scrubber_ != nullptr) scrubber_->Stop();
  if (gossip_ != nullptr) gossip_->Stop();
  if (membership_ != nullptr) membership_->Stop();
  if (leader_host_ != nullptr) leader_host_->Stop();
  if (raft_transport_ != nullptr) raft_transport_->SetGreeter(nullptr);
  if (finder_ != nullptr) finder_->Stop();
  if (files_ != nullptr) files_->Stop();  // the finder may have started it until now
  if (raft_ != nullptr) raft_->Stop();
  if (leader_client_ != nullptr) leader_client_->Stop();
  if (raft_transport_ != nullptr) raft_transport_->Stop();
  if (ring_transport_ != nullptr) ring_transport_->Stop();
  if (doors_ != nullptr) doors_->StopNodes();
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
bool Node::was_full() const { return impl_->was_full(); }
bool Node::begins_anew() const { return impl_->begins_anew(); }
std::vector<std::string> Node::KnownAddresses() const { return impl_->KnownAddresses(); }

}  // namespace dfs::node
