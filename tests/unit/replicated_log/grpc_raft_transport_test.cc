#include "server/replicated_log/grpc_raft_transport.h"

#include <glog/logging.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/channel_arguments.h"
#include "server/replicated_log/raft_message_codec.h"
#include "server/replicated_log/raft_service.h"
#include "server/replicated_log/rocksdb_log_store.h"
#include "tests/support/fault_file_system.h"
#include "tests/unit/replicated_log/log_test_cluster.h"

namespace dfs::replicated_log {
namespace {

constexpr ClusterId kCluster{5, 5};

rpc::PeerHello HelloOf(NodeId node, std::uint64_t run) {
  rpc::PeerHello hello;
  *hello.mutable_cluster_id() = ToWire(kCluster);
  hello.set_node_id(node.value());
  *hello.mutable_storage_uuid() = ToWire(UuidOf(node));
  hello.set_boot_epoch(run);
  hello.set_run_id(run);
  return hello;
}

// One node over real gRPC: a server on a port of its own and a store on a disk in memory.
class GrpcNode {
 public:
  explicit GrpcNode(NodeId node) : id(node) {}
  ~GrpcNode() { Stop(); }

  // Listens; port 0 the first time, the same port again later.
  void Listen() {
    ++run;
    registry = std::make_unique<PeerRegistry>(HelloOf(id, run));
    transport = std::make_unique<GrpcRaftTransport>(id, registry.get());
    service = std::make_unique<RaftService>(transport.get());
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    int bound = 0;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(),
                             &bound);
    builder.RegisterService(service.get());
    server = builder.BuildAndStart();
    ASSERT_NE(server, nullptr);
    ASSERT_NE(bound, 0);
    port = bound;
    auto hello = registry->own();
    hello.set_peer_address(address());
    registry->SetOwn(hello);
  }
  void Start(const consensus::Configuration* founding) {
    auto opened = RocksdbLogStore::Open({"/node", disk.env(), {}});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store = *std::move(opened);
    if (founding != nullptr && store->Load()->entries.empty()) {
      ASSERT_TRUE(
          store->Append(consensus::HardState{Term(1), NodeId()}, {FoundingEntry(*founding)}).ok());
    }
    machine = std::make_unique<metadata::MetadataMachine>(store->state());
    RaftHost::Parts parts;
    parts.options.self = id;
    parts.options.random_seed = id.value() * 100 + run;
    parts.log_store = store.get();
    parts.machine = machine.get();
    parts.transport = transport.get();
    parts.clock = &SystemClock();
    parts.on_fatal = [](const absl::Status& status) { ADD_FAILURE() << status; };
    auto made = RaftHost::Create(std::move(parts));
    ASSERT_TRUE(made.ok()) << made.status();
    host = *std::move(made);
    host->Start();
  }
  void Stop() {
    if (host) host->Stop();
    if (transport) transport->Stop();
    if (server) server->Shutdown(std::chrono::system_clock::now());
    server.reset();
    service.reset();
    host.reset();
    transport.reset();
    machine.reset();
    store.reset();
  }
  [[nodiscard]] std::string address() const { return absl::StrCat("127.0.0.1:", port); }

  const NodeId id;
  testing::FaultFileSystem disk;
  int port = 0;
  std::uint64_t run = 0;
  std::unique_ptr<PeerRegistry> registry;
  std::unique_ptr<GrpcRaftTransport> transport;
  std::unique_ptr<RaftService> service;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<RocksdbLogStore> store;
  std::unique_ptr<metadata::MetadataMachine> machine;
  std::unique_ptr<RaftHost> host;
};

class GrpcRaft : public ::testing::Test {
 protected:
  GrpcRaft() {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      nodes.push_back(std::make_unique<GrpcNode>(NodeId(id)));
      nodes.back()->Listen();
    }
  }
  consensus::Configuration Members(const std::set<NodeId>& voters) {
    auto out = MembersOf(voters);
    for (auto& [node, info] : out.members) info.peer_address = nodes[node.value() - 1]->address();
    return out;
  }
  GrpcNode* WaitForLeader(const GrpcNode* except = nullptr) {
    GrpcNode* found = nullptr;
    (void)WaitUntil([&] {
      for (auto& node : nodes) {
        if (node.get() != except && node->host && node->host->Status().can_serve) {
          found = node.get();
        }
      }
      return found != nullptr;
    });
    return found;
  }
  static absl::StatusOr<rpc::CommandResult> Propose(GrpcNode& node, std::uint64_t epoch) {
    CommandAnswer answer;
    node.host->Propose(NodeStartedCommand(1, epoch), Term(), answer.Callback());
    return answer.Get();
  }

  std::vector<std::unique_ptr<GrpcNode>> nodes;
};

TEST_F(GrpcRaft, ThreeNodesElectReplicateAndReplaceAStoppedLeader) {
  const auto members = Members({NodeId(1), NodeId(2), NodeId(3)});
  for (auto& node : nodes) node->Start(&members);
  GrpcNode* leader = WaitForLeader();
  ASSERT_NE(leader, nullptr);
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Propose(*leader, i).ok());

  leader->Stop();
  const MonotonicTime stopped = SystemClock().Now();
  GrpcNode* next = WaitForLeader(leader);
  ASSERT_NE(next, nullptr);
  ASSERT_TRUE(Propose(*next, 500).ok());
  const absl::Duration taken = SystemClock().Now() - stopped;
  LOG(INFO) << "a stopped leader was replaced after " << taken;
  // Its port refuses: nobody waits for an election timeout (250 ms at least) to pass.
  RecordProperty("replaced_after_ms", static_cast<int>(absl::ToInt64Milliseconds(taken)));

  leader->Listen();
  leader->Start(nullptr);
  EXPECT_TRUE(WaitUntil([&] {
    return leader->machine->View()->FindNode(NodeId(1))->boot_epoch() == 500u;
  })) << "a node that is back on its port must be found again";
}

TEST_F(GrpcRaft, ANodeThatJustJoinedLearnsItsMembersFromTheLeader) {
  const auto members = Members({NodeId(1)});
  nodes[0]->Start(&members);
  nodes[1]->Start(nullptr);
  ASSERT_EQ(WaitForLeader(), nodes[0].get());
  CommandAnswer join;
  const std::string address = nodes[1]->address();
  nodes[0]->host->ProposeMembers(
      [&](consensus::Configuration now) -> absl::StatusOr<consensus::Configuration> {
        now.members[NodeId(2)] = {UuidOf(NodeId(2)), address, true};
        return now;
      },
      NodeStartedCommand(1, 77), join.Callback());
  ASSERT_TRUE(join.Get().ok());
  EXPECT_TRUE(WaitUntil([&] { return nodes[1]->machine->View()->FindNode(NodeId(1)) &&
                                     nodes[1]->machine->View()->FindNode(NodeId(1))->boot_epoch() == 77u; }));
  EXPECT_EQ(nodes[1]->host->Status().configuration.members.size(), 2u);
}

// Feature 31.
TEST_F(GrpcRaft, ASnapshotTravelsAndTheLogGoesOn) {
  const auto members = Members({NodeId(1)});
  nodes[0]->Start(&members);
  ASSERT_EQ(WaitForLeader(), nodes[0].get());
  for (int round = 0; round < 40; ++round) {
    std::vector<CommandAnswer> answers(500);
    std::uint64_t epoch = static_cast<std::uint64_t>(round) * 1'000;
    for (auto& answer : answers) {
      nodes[0]->host->Propose(NodeStartedCommand(1, ++epoch), Term(), answer.Callback());
    }
    for (auto& answer : answers) ASSERT_TRUE(answer.Get().ok());
  }
  nodes[1]->Start(nullptr);
  CommandAnswer join;
  const std::string address = nodes[1]->address();
  nodes[0]->host->ProposeMembers(
      [&](consensus::Configuration now) -> absl::StatusOr<consensus::Configuration> {
        now.members[NodeId(2)] = {UuidOf(NodeId(2)), address, true};
        return now;
      },
      NodeStartedCommand(1, 1'000'000), join.Callback());
  ASSERT_TRUE(join.Get().ok());
  const auto hash = [](GrpcNode& node) { return node.machine->View()->GetStateHash(); };
  EXPECT_TRUE(WaitUntil([&] { return hash(*nodes[1]).index == hash(*nodes[0]).index; }));
  EXPECT_EQ(hash(*nodes[1]).hash, hash(*nodes[0]).hash);
  EXPECT_GT(nodes[1]->store->Load()->base_index, LogIndex(1)) << "it came by the log after all";
  ASSERT_TRUE(Propose(*nodes[0], 2'000'000).ok());  // held by two
  // What was taken over survives a restart.
  nodes[1]->Stop();
  nodes[1]->disk.Crash(testing::FaultFileSystem::Loss::kDrop, 1);
  nodes[1]->Listen();
  nodes[1]->Start(nullptr);
  const auto result = Propose(*nodes[0], 3'000'000);
  ASSERT_TRUE(result.ok()) << result.status();
}

// Rule R2: whoever dials in, but is not what answers at the member's address, says nothing that counts.
TEST_F(GrpcRaft, ACloneThatDialsInIsNotHeard) {
  const auto members = Members({NodeId(1), NodeId(2)});
  Event heard;
  nodes[0]->transport->SetReceiver([&](const consensus::Message&) { heard.Set(); }, [](NodeId) {});
  nodes[0]->transport->SetMembers(members);
  nodes[1]->transport->SetMembers(members);
  // Node 1 has reached node 2 at its address once node 2's own requests come through.
  consensus::Message request;
  request.from = NodeId(2);
  request.to = NodeId(1);
  request.term = Term(9);
  request.body = consensus::VoteRequest{};
  ASSERT_TRUE(WaitUntil([&] {
    nodes[1]->transport->Send({request});
    return heard.IsSet();
  }));

  constexpr Term kCloneTerm(666);
  const auto exchange = [&](const rpc::PeerHello& hello) {
    Event clone_heard;
    // Late requests of the node itself may still arrive.
    nodes[0]->transport->SetReceiver(
        [&](const consensus::Message& message) {
          if (message.term == kCloneTerm) clone_heard.Set();
        },
        [](NodeId) {});
    request.term = kCloneTerm;
    auto stub = rpc::Raft::NewStub(
        grpc::CreateChannel(nodes[0]->address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    auto stream = stub->Exchange(&context);
    rpc::RaftEnvelope envelope;
    *envelope.mutable_hello() = hello;
    EncodeMessage(request, envelope.add_messages());
    stream->Write(envelope);
    rpc::RaftEnvelope answer;
    (void)stream->Read(&answer);
    stream->WritesDone();
    while (stream->Read(&answer)) {
    }
    const auto status = stream->Finish();
    EXPECT_FALSE(clone_heard.IsSet());
    nodes[0]->transport->SetReceiver([](const consensus::Message&) {}, [](NodeId) {});
    return status;
  };
  // Another run under the same epoch: refused (rule R1).
  auto hello = HelloOf(NodeId(2), 1);
  hello.set_run_id(666);
  EXPECT_EQ(exchange(hello).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  // With a higher epoch it may be the node itself, started again; but it does not answer at its address.
  hello.set_boot_epoch(2);
  EXPECT_TRUE(exchange(hello).ok());
  // Another data directory, another cluster, no hello at all.
  hello = HelloOf(NodeId(2), 3);
  *hello.mutable_storage_uuid() = ToWire(UuidOf(NodeId(9)));
  EXPECT_EQ(exchange(hello).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  hello = HelloOf(NodeId(2), 3);
  *hello.mutable_cluster_id() = ToWire(ClusterId{1, 2});
  EXPECT_EQ(exchange(hello).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(exchange(rpc::PeerHello()).ok());
}

TEST_F(GrpcRaft, ACrashedPeerIsReportedAtOnce) {
  const auto members = Members({NodeId(1), NodeId(2)});
  Event heard;
  Event refused;
  nodes[0]->transport->SetReceiver([&](const consensus::Message&) { heard.Set(); },
                                   [&](NodeId node) {
                                     EXPECT_EQ(node, NodeId(2));
                                     refused.Set();
                                   });
  nodes[0]->transport->SetMembers(members);
  nodes[1]->transport->SetMembers(members);
  consensus::Message request;
  request.from = NodeId(2);
  request.to = NodeId(1);
  request.term = Term(9);
  request.body = consensus::VoteRequest{};
  ASSERT_TRUE(WaitUntil([&] {
    nodes[1]->transport->Send({request});
    return heard.IsSet();
  }));
  EXPECT_FALSE(refused.IsSet());
  const MonotonicTime stopped = SystemClock().Now();
  nodes[1]->Stop();
  ASSERT_TRUE(refused.WaitFor(kPatience));
  RecordProperty("noticed_after_ms",
                 static_cast<int>(absl::ToInt64Milliseconds(SystemClock().Now() - stopped)));
}

}  // namespace
}  // namespace dfs::replicated_log
