#include "tests/simulation/system/sim_node.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "server/coordinator/put_operation.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::simulation {
namespace {

constexpr absl::Duration kUpkeepEvery = absl::Milliseconds(500);
constexpr absl::Duration kJoinPause = absl::Milliseconds(200);
constexpr std::size_t kWriterThreadsMax = 16;
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr absl::Duration kInventoryTimeout = absl::Minutes(10);
constexpr char kPrefix[] = "machine:";

}  // namespace

std::string AddressOf(int machine) { return absl::StrCat(kPrefix, machine); }
int MachineAt(const std::string& address) {
  return address.rfind(kPrefix, 0) == 0 ? std::atoi(address.c_str() + sizeof(kPrefix) - 1) : 0;
}

SimNode::SimNode(Parts parts)
    : parts_(std::move(parts)), clock_(SystemClock()), run_id_(SystemRandom64()) {}
// Never: a node that crashed is left as it is.
SimNode::~SimNode() { LOG(FATAL) << "a node of the simulation has no orderly end"; }

rpc::NodeRow SimNode::OwnRow() const {
  rpc::NodeRow row;
  row.set_node_id(self_.value());
  *row.mutable_storage_uuid() = ToWire(parts_.disk->identity.storage_uuid);
  row.set_name(absl::StrCat("n", parts_.machine));
  row.set_client_address(AddressOf(parts_.machine));
  row.set_peer_address(AddressOf(parts_.machine));
  row.set_boot_epoch(boot_epoch().value());
  return row;
}

rpc::Ack SimNode::OwnAck() const {
  rpc::Ack ack;
  ack.set_node_id(self_.value());
  *ack.mutable_storage_uuid() = ToWire(parts_.disk->identity.storage_uuid);
  ack.set_boot_epoch(boot_epoch().value());
  return ack;
}

int SimNode::MachineOf(NodeId node) const {
  const auto found = machines_.find(node);
  return found == machines_.end() ? 0 : found->second;
}

// ---- start ----

absl::Status SimNode::Start(const std::function<void()>& on_listening) {
  log_store_ = std::make_unique<SimLogStore>(parts_.disk);
  DFS_RETURN_IF_ERROR(EnsureMembership());
  self_ = parts_.disk->identity.node_id;
  DFS_RETURN_IF_ERROR(Build());
  BuildStartCheck();
  DFS_RETURN_IF_ERROR(FindPeers());
  BuildLeader();
  BuildCoordinator();
  on_listening();
  raft_->StartHeld();
  leader_host_->Start();
  collector_->Start();
  upkeep_ = std::make_unique<ThreadExecutor>("upkeep");
  scrubber_->Start();
  Upkeep();
  StartCheck();
  return absl::OkStatus();
}

// As server/node/node.cc, rule R3.
void SimNode::BuildStartCheck() {
  SimStartCheck::Parts check;
  check.self = {self_, boot_epoch(), RunId(run_id_), AddressOf(parts_.machine)};
  check.dialer = this;
  check.clock = &clock_;
  check.position = [this] { return raft_->Status().durable; };
  check.on_released = [this] { TakePart(); };
  check.on_rolled_back = [this](const std::string& why) {
    parts_.on_disk_refused(why);
    raft_->Abandon(absl::FailedPreconditionError(why));
  };
  check.on_newer_members = [this](const std::map<NodeId, consensus::MemberInfo>& members) {
    for (const auto& [node, info] : members) {
      machines_.emplace(node, MachineAt(info.peer_address));
      raft_transport_->AddKnown(node);
    }
  };
  start_check_ = std::make_unique<SimStartCheck>(std::move(check));
}

void SimNode::StartCheck() {
  const auto status = raft_->Status();
  std::set<std::string> join;
  for (const int machine : parts_.join) join.insert(AddressOf(machine));
  start_check_->Start(
      status.durable,
      status.configuration.members.empty() ? first_configuration_ : status.configuration,
      std::move(join));
}

void SimNode::TakePart() {
  is_taking_part_ = true;
  membership_->Start();
  membership_->SetMembers(ring_members_);
  raft_->Release();
}

absl::StatusOr<replicated_log::Greeting> SimNode::Greet(const Asker& asker) {
  if (raft_ == nullptr || start_check_ == nullptr) return absl::UnavailableError("not up yet");
  const auto status = raft_->Status();
  const auto row = machine_->View()->FindNode(asker.node);
  if (row && row->state() == rpc::RETIRED) return absl::FailedPreconditionError("it has left");
  replicated_log::Greeting greeting;
  greeting.node = self_;
  greeting.storage_uuid = parts_.disk->identity.storage_uuid;
  greeting.refuses_epoch = raft_transport_->Refuses(asker.node, asker.epoch, asker.run) ||
                           (row && asker.epoch.value() < row->boot_epoch());
  greeting.reason = greeting.refuses_epoch ? "a later or another start of it is known here" : "";
  greeting.mark = raft_->MarkOf(asker.node);
  greeting.configuration = status.configuration;
  greeting.last_term = status.last_log_term;
  greeting.last_index = status.last_log_index;
  start_check_->AskedBy(asker);
  return greeting;
}

absl::Status SimNode::EnsureMembership() {
  if (parts_.disk->identity.cluster_id) return absl::OkStatus();
  if (!parts_.is_bootstrap) return Join();
  self_ = NodeId(1);
  return FormCluster();
}

// As server/node/join.cc.
absl::Status SimNode::FormCluster() {
  const ClusterId cluster{SystemRandom64(), SystemRandom64()};
  const rpc::NodeRow row = OwnRow();
  consensus::Configuration configuration;
  configuration.members[self_] = {parts_.disk->identity.storage_uuid, row.peer_address(), true};
  configuration.voters.insert(self_);
  rpc::Command command;
  command.set_time_us(static_cast<std::uint64_t>(absl::ToUnixMicros(clock_.WallNow())));
  *command.mutable_form_cluster()->mutable_cluster_id() = ToWire(cluster);
  *command.mutable_form_cluster()->mutable_node() = row;
  consensus::Entry entry;
  entry.term = Term(1);
  entry.index = LogIndex(1);
  entry.configuration = std::make_shared<const consensus::Configuration>(std::move(configuration));
  entry.command = std::make_shared<const std::string>(command.SerializeAsString());
  DFS_RETURN_IF_ERROR(log_store_->Append(consensus::HardState{Term(1), NodeId()}, {entry}));
  return log_store_->SetMembership(cluster, self_, false);
}

absl::Status SimNode::Join() {
  const rpc::NodeRow row = OwnRow();
  rpc::JoinRequest request;
  *request.mutable_storage_uuid() = row.storage_uuid();
  request.set_name(row.name());
  request.set_client_address(row.client_address());
  request.set_peer_address(row.peer_address());
  request.set_boot_epoch(row.boot_epoch());
  request.set_claimed_node_id(parts_.disk->identity.node_id.value());
  if (const auto cluster = parts_.disk->identity.cluster_id) {
    *request.mutable_claimed_cluster_id() = ToWire(*cluster);
  }
  while (true) {
    for (const int member : parts_.join) {
      Event done;
      absl::StatusOr<rpc::JoinResponse> joined = absl::UnknownError("");
      parts_.wire->Call<rpc::JoinResponse>(
          parts_.machine, member, NodeId(), absl::Seconds(2),
          [request](SimNode& node, leader::Answer<rpc::JoinResponse> answer) {
            if (node.leader_host() == nullptr) {
              answer(absl::UnavailableError("not up yet"));
            } else {
              node.leader_host()->Join(request, absl::Seconds(2), std::move(answer));
            }
          },
          [&](absl::StatusOr<rpc::JoinResponse> response) {
            joined = std::move(response);
            done.Set();
          });
      done.Wait();
      if (joined.ok()) {
        DFS_ASSIGN_OR_RETURN(first_configuration_,
                             replicated_log::DecodeConfiguration(joined->configuration()));
        return log_store_->SetMembership(UuidFromWire<ClusterId>(joined->cluster_id()),
                                         NodeId(joined->node_id()), false);
      }
      if (absl::IsFailedPrecondition(joined.status()) ||
          absl::IsInvalidArgument(joined.status())) {
        return joined.status();
      }
    }
    parts_.scheduler->SleepFor(absl::ToInt64Nanoseconds(kJoinPause));
  }
}

absl::Status SimNode::FindPeers() {
  DFS_ASSIGN_OR_RETURN(const consensus::InitialState stored, log_store_->Load());
  const bool has_configuration =
      !stored.base_configuration.members.empty() ||
      std::any_of(stored.entries.begin(), stored.entries.end(),
                  [](const consensus::Entry& entry) { return entry.configuration != nullptr; });
  if (has_configuration) return absl::OkStatus();
  if (first_configuration_.members.empty()) DFS_RETURN_IF_ERROR(Join());
  OnConfiguration(first_configuration_);
  return absl::OkStatus();
}

absl::Status SimNode::Build() {
  machine_ = std::make_unique<metadata::MetadataMachine>(log_store_->state());
  files_ = MakeDiskOf(parts_.disk);
  chunk::LocalChunkStore::Options store;
  store.data_dir = absl::StrCat("/m", parts_.machine);
  store.disk = files_.get();
  DFS_ASSIGN_OR_RETURN(store_, chunk::LocalChunkStore::Open(store));

  raft_transport_ = std::make_unique<SimRaftTransport>(self_, boot_epoch(), RunId(run_id_), this);
  ring_transport_ = std::make_unique<SimRingTransport>(self_, this);
  chunk_peers_ =
      std::make_unique<SimChunkPeers>(this, [this](Moment moment) { OnMomentHere(moment); });

  membership::MembershipHost::Parts ring;
  ring.options.self = self_;
  ring.options.boot_epoch = boot_epoch();
  ring.options.random_seed = SystemRandom64();
  ring.transport = ring_transport_.get();
  ring.clock = &clock_;
  // Rule R5.
  ring.on_change = [this](NodeId node, membership::LivenessState, membership::LivenessState to,
                          std::uint64_t) {
    if (to == membership::LivenessState::kDead && raft_->Status().leader == node) {
      raft_->SuspectLeader(node);
    }
  };
  ring.own_health = [this] { return health_; };
  membership_ = std::make_unique<membership::MembershipHost>(std::move(ring));

  leader::LeaderOptions options;
  options.trash_time = parts_.times.trash_time;
  options.purge_quiet = parts_.times.purge_quiet;
  options.out_after = parts_.times.out_after;
  options.rebalance_every = parts_.times.rebalance_every;
  options.rebalance_slack_bytes = parts_.times.rebalance_slack_bytes;
  leader::LeaderWorld world;
  world.self = self_;
  world.clock = &clock_;
  world.view = [this] { return machine_->View(); };
  world.liveness = [this] { return Liveness(); };
  world.copy = [this](NodeId node, const rpc::CopyChunkRequest& request, absl::Duration timeout) {
    return chunk_peers_->Copy(node, request, timeout);
  };
  world.inventory = [this](NodeId node) -> absl::StatusOr<std::vector<ChunkId>> {
    std::vector<ChunkId> chunks;
    DFS_RETURN_IF_ERROR(chunk_peers_->List(
        node,
        [&chunks](const rpc::SmallChunk& chunk) {
          chunks.push_back(FromWire(chunk.chunk()));
          return true;
        },
        kInventoryTimeout));
    return chunks;
  };
  // The host begins to propose when Raft tells it that it leads: the port is there by then.
  class LatePort final : public leader::ConsensusPort {
   public:
    explicit LatePort(SimNode* node) : node_(node) {}
    [[nodiscard]] replicated_log::RaftStatus Status() const override {
      return node_->raft_->Status();
    }
    void Propose(rpc::Command command, Term only_in_term, ResultCallback done) override {
      if (command.has_commit_put()) node_->OnMomentHere(Moment::kProposing);
      if (node_->parts_.on_proposal) node_->parts_.on_proposal(command);
      node_->raft_->Propose(std::move(command), only_in_term, std::move(done));
    }
    void ProposeMembers(MembersChange change, rpc::Command command, ResultCallback done) override {
      node_->raft_->ProposeMembers(std::move(change), std::move(command), std::move(done));
    }
    void ProposeVoters(std::set<NodeId> voters,
                       absl::AnyInvocable<void(absl::Status)> done) override {
      node_->raft_->ProposeVoters(std::move(voters), std::move(done));
    }
    void TransferLeadership(absl::AnyInvocable<void(absl::Status)> done) override {
      node_->raft_->TransferLeadership(std::move(done));
    }
    void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) override {
      node_->raft_->ReadIndex(std::move(done));
    }
    void WaitApplied(LogIndex index, absl::Duration timeout,
                     absl::AnyInvocable<void(absl::Status)> done) override {
      node_->raft_->WaitApplied(index, timeout, std::move(done));
    }

   private:
    SimNode* const node_;
  };
  world.consensus = new LatePort(this);  // as long as the node: for ever
  leader_host_ = std::make_unique<leader::LeaderHost>(std::move(world), options);

  replicated_log::RaftHost::Parts raft;
  raft.options.self = self_;
  raft.options.random_seed = SystemRandom64();
  raft.log_store = log_store_.get();
  raft.machine = machine_.get();
  raft.transport = raft_transport_.get();
  raft.clock = &clock_;
  raft.listener = leader_host_.get();
  raft.on_configuration = [this](const consensus::Configuration& c) { OnConfiguration(c); };
  raft.on_fatal = parts_.on_fatal;
  DFS_ASSIGN_OR_RETURN(raft_, replicated_log::RaftHost::Create(std::move(raft)));
  return absl::OkStatus();
}

void SimNode::BuildLeader() {
  consensus_ = std::make_unique<leader::RaftConsensusPort>(raft_.get());
  client_executor_ = std::make_unique<ThreadExecutor>("leader-client", clock_);
  leader::LeaderRoute::Parts route;
  route.self = self_;
  route.clock = &clock_;
  route.consensus = consensus_.get();
  route.local = leader_host_.get();
  const auto peers = [this](NodeId node) -> leader::LeaderOperations* {
    auto& peer = leader_peers_[node];
    if (peer == nullptr) peer = std::make_unique<SimLeaderPeer>(node, this);
    return peer.get();
  };
  route.peers = peers;
  route.view = [this] { return machine_->View(); };
  route.liveness = [this] { return Liveness(); };
  leader_client_ = std::make_unique<leader::RoutedLeaderClient>(std::move(route), run_id_,
                                                                client_executor_.get());
  leader_host_->SetPeers(peers);
  leader_client_->Start();

  catalog_ = std::make_unique<leader::LocalReplicaCatalog>(machine_.get());
  leader::ChunkCollector::Parts collector;
  collector.self = self_;
  collector.clock = &clock_;
  collector.store = store_.get();
  collector.catalog = catalog_.get();
  collector.leader = leader_client_.get();
  collector.own_ack = [this] { return OwnAck(); };
  collector.options.question_age = parts_.times.question_age;
  collector.options.trash_time = parts_.times.trash_time;
  collector.options.interval = parts_.times.collect_every;
  collector_ = std::make_unique<leader::ChunkCollector>(std::move(collector));

  wanted_ = std::make_unique<leader::WantedReplicas>(self_, catalog_.get());
  chunk::Scrubber::Parts scrubber;
  scrubber.store = store_.get();
  scrubber.clock = &clock_;
  scrubber.wanted = wanted_.get();
  scrubber.report = [this](const chunk::BadChunk& bad) {
    rpc::ReplicaChange change;
    *change.mutable_chunk() = ToWire(bad.info.id);
    *change.mutable_hash() = ToWire(bad.info.hash);
    *change.mutable_ack() = OwnAck();
    change.set_state(bad.is_missing ? api::MISSING : api::CORRUPT);
    leader_client_->ReportReplica(std::move(change));
  };
  scrubber.options.period = parts_.times.scrub_period;
  scrubber_ = std::make_unique<chunk::Scrubber>(std::move(scrubber));
}

void SimNode::BuildCoordinator() {
  small_writes_ = std::make_unique<coordinator::SmallWriteBatcher>(store_.get(),
                                                                   [this] { return OwnAck(); });
  writers_ = std::make_unique<ThreadPool>("writer", kWriterThreadsMax);
  coordinator_.self = self_;
  coordinator_.store = store_.get();
  coordinator_.peers = chunk_peers_.get();
  watched_leader_client_ = std::make_unique<WatchedLeaderClient>(
      leader_client_.get(), [this](Moment moment) { OnMomentHere(moment); });
  coordinator_.leader = watched_leader_client_.get();
  coordinator_.chunk_bytes = parts_.times.chunk_bytes;
  coordinator_.machine = machine_.get();
  coordinator_.clock = &clock_;
  coordinator_.pool = writers_.get();
  coordinator_.small_writes = small_writes_.get();
  coordinator_.own_ack = [this] { return OwnAck(); };
  coordinator_.wait_applied = [this](LogIndex index, absl::Duration timeout) {
    auto done = std::make_shared<Event>();
    auto result = std::make_shared<absl::Status>();
    raft_->WaitApplied(index, timeout, [done, result](absl::Status status) {
      *result = std::move(status);
      done->Set();
    });
    done->Wait();
    return *result;
  };
  coordinator_.is_usable = [this](NodeId node) { return membership_->IsUsable(node); };
  coordinator_.leader_id = [this] { return raft_->Status().leader; };
}

std::vector<leader::NodeLiveness> SimNode::Liveness() const {
  std::vector<leader::NodeLiveness> nodes;
  bool has_self = false;
  for (const auto& member : membership_->Members()) {
    has_self = has_self || member.node == self_;
    leader::NodeLiveness& node = nodes.emplace_back();
    node.node = member.node;
    node.is_usable = membership_->IsUsable(member.node);
    node.free_bytes = member.health.free_bytes;
    node.total_bytes = member.health.total_bytes;
    if (member.state == membership::LivenessState::kDead) node.dead_since = member.changed;
  }
  if (!has_self) nodes.push_back({self_, true});
  return nodes;
}

void SimNode::OnConfiguration(const consensus::Configuration& configuration) {
  if (configuration.members.empty()) return;
  std::vector<membership::MemberAddress> members;
  for (const auto& [node, info] : configuration.members) {
    members.push_back({node, info.storage_uuid, info.peer_address});
    machines_[node] = MachineAt(info.peer_address);
  }
  raft_transport_->SetMembers(configuration);
  start_check_->Reconfigure(configuration);
  ring_members_ = std::move(members);
  if (is_taking_part_) membership_->SetMembers(ring_members_);
}

void SimNode::Upkeep() {
  upkeep_->Post([this] {
    const auto view = machine_->View();
    const chunk::Space space = store_->GetSpace();
    health_.free_bytes = space.free_bytes;
    health_.total_bytes = space.total_bytes;
    health_.fsync_p99 = store_->SyncP99();
    health_.applied_index = view->applied_index().value();
    const auto own = view->FindNode(self_);
    if (own && own->state() == rpc::RETIRED) {
      parts_.on_disk_refused("this node has left its cluster");
      parts_.on_fatal(absl::FailedPreconditionError("this node has left its cluster"));
      return;
    }
    if (is_taking_part_) MaybeRegister(*view);
    if (raft_->Status().leader.is_none()) start_check_->LeaderMissing();
    upkeep_->PostAt(clock_.Now() + kUpkeepEvery, [this] { Upkeep(); });
  });
}

void SimNode::MaybeRegister(const metadata::MetadataView& view) {
  const auto known = view.FindNode(self_);
  const rpc::NodeRow own = OwnRow();
  const bool is_known = known && known->boot_epoch() == own.boot_epoch() &&
                        known->peer_address() == own.peer_address();
  if (is_known || is_registering_.exchange(true)) return;
  writers_->Post([this, own] {
    rpc::NodeStarted started;
    started.set_node_id(own.node_id());
    *started.mutable_storage_uuid() = own.storage_uuid();
    started.set_boot_epoch(own.boot_epoch());
    started.set_client_address(own.client_address());
    started.set_peer_address(own.peer_address());
    started.set_name(own.name());
    (void)leader_client_->Register(started, absl::Seconds(5));
    is_registering_ = false;
  });
}

// ---- services ----

absl::StatusOr<api::PutResponse> SimNode::Put(const api::PutHeader& header,
                                              const std::string& content) {
  coordinator::PutOperation put(coordinator_);
  DFS_RETURN_IF_ERROR(put.Begin(header));
  // Some clients send slowly.
  Random& random = parts_.scheduler->random();
  const std::int64_t pause_max_ns = random.OneIn(1, 3) ? random.Between(1, 800'000'000) : 0;
  for (std::size_t at = 0; at < content.size(); at += kPieceBytes) {
    const std::string piece = content.substr(at, kPieceBytes);
    if (pause_max_ns > 0) parts_.scheduler->SleepFor(random.Between(0, pause_max_ns));
    DFS_RETURN_IF_ERROR(
        put.Append(Slices::CopyOf(piece), ExtendCrc32c(0, piece.data(), piece.size())));
  }
  api::PutFinish finish;
  finish.set_size(content.size());
  finish.set_crc32c(ExtendCrc32c(0, content.data(), content.size()));
  return put.Finish(finish);
}

absl::StatusOr<SimNode::Gotten> SimNode::Get(const api::GetRequest& request) {
  coordinator::GetOperation get(coordinator_);
  Gotten out;
  DFS_ASSIGN_OR_RETURN(out.info, get.Begin(request));
  DFS_RETURN_IF_ERROR(get.Stream([&](const Slices& data, std::uint64_t, std::uint32_t) {
    out.content += data.ToString();
    return true;
  }));
  if (out.content.size() != out.info.size()) return absl::InternalError("a get of another length");
  return out;
}

// As server/gateway/file_reads.cc.
absl::StatusOr<SimNode::Listing> SimNode::List(const std::string& bucket, const std::string& prefix,
                                               api::Consistency consistency) {
  DFS_ASSIGN_OR_RETURN(const auto view, coordinator::ReadView(coordinator_, consistency));
  Listing out;
  out.applied_index = view->applied_index();
  const auto row = coordinator::FindBucket(*view, bucket);
  out.has_bucket = row.ok();
  if (!row.ok()) return out;
  view->List(BucketId(row->id()), prefix, "", [&](const rpc::VersionRow& version) {
    out.files.push_back(coordinator::InfoOf(version, *row));
    return true;
  });
  return out;
}

// As server/gateway/file_operations.cc and bucket_calls.cc.
absl::StatusOr<rpc::CommandResult> SimNode::Change(const std::string& bucket,
                                                   rpc::Command command) {
  std::uint64_t id = 0;
  if (command.has_remove_bucket()) {
    DFS_ASSIGN_OR_RETURN(const auto view, coordinator::ReadView(coordinator_, api::STRONG));
    const api::RequestId& request = command.remove_bucket().request_id();
    const auto stored = view->FindResult(*SessionFromWire(request.session()), request.sequence());
    if (stored && stored->code() == rpc::CommandResult::DONE &&
        stored->settled_kind() == rpc::Command::kRemoveBucket) {
      return *stored;
    }
    DFS_ASSIGN_OR_RETURN(const rpc::BucketRow row, coordinator::FindBucket(*view, bucket));
    id = row.id();
  } else if (!command.has_make_bucket()) {
    DFS_ASSIGN_OR_RETURN(const rpc::BucketRow row,
                         coordinator::FindBucketOfChange(coordinator_, bucket));
    id = row.id();
  }
  switch (command.kind_case()) {
    case rpc::Command::kRemoveFile:
      command.mutable_remove_file()->set_bucket_id(id);
      break;
    case rpc::Command::kMoveFile:
      command.mutable_move_file()->set_bucket_id(id);
      break;
    case rpc::Command::kUndeleteFile:
      command.mutable_undelete_file()->set_bucket_id(id);
      break;
    case rpc::Command::kClearPrefix:
      command.mutable_clear_prefix()->set_bucket_id(id);
      break;
    case rpc::Command::kRemoveBucket:
      command.mutable_remove_bucket()->set_bucket_id(id);
      break;
    default:
      break;
  }
  DFS_ASSIGN_OR_RETURN(rpc::CommandResult result, Submit(command));
  switch (result.code()) {
    case rpc::CommandResult::DONE:
    case rpc::CommandResult::NOT_FOUND:
    case rpc::CommandResult::PRECONDITION_FAILED:
    case rpc::CommandResult::EXISTS:
    case rpc::CommandResult::OVER_QUOTA:
    case rpc::CommandResult::NOT_EMPTY:
      return result;
    default:
      return coordinator::StatusOf(result);
  }
}

absl::StatusOr<rpc::CommandResult> SimNode::Submit(const rpc::Command& command) {
  return leader_client_->Submit(command, coordinator::kQuorumTimeout);
}

absl::StatusOr<rpc::ManageResponse> SimNode::Manage(const rpc::ManageRequest& request) {
  return leader_client_->Manage(request, coordinator::kQuorumTimeout);
}

absl::StatusOr<std::shared_ptr<metadata::MetadataView>> SimNode::ReadState() {
  DFS_ASSIGN_OR_RETURN(auto view, coordinator::ReadView(coordinator_, api::STRONG));
  return std::shared_ptr<metadata::MetadataView>(std::move(view));
}

}  // namespace dfs::simulation
