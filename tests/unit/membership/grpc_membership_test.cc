// Hosts over real gRPC on loopback: wiring, not logic. Times are printed, and asserted only loosely.
#include <gtest/gtest.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/executor.h"
#include "common/random.h"
#include "membership/grpc_membership_transport.h"
#include "membership/membership_host.h"
#include "membership/membership_service.h"
#include "proto/channel_arguments.h"

namespace dfs::membership {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

StorageUuid UuidOf(std::uint32_t id) { return {7, id}; }

// One process's part: registry, server, transport, host.
class Node {
 public:
  Node(std::uint32_t id, std::uint64_t epoch, int port = 0) : id_(id), epoch_(epoch) {
    rpc::PeerHello hello;
    hello.mutable_cluster_id()->set_high(1);
    hello.set_node_id(id);
    *hello.mutable_storage_uuid() = ToWire(UuidOf(id));
    hello.set_boot_epoch(epoch);
    hello.set_run_id(SystemRandom64());
    registry_ = std::make_unique<PeerRegistry>(hello);
    transport_ = std::make_unique<GrpcMembershipTransport>(GrpcMembershipTransport::Parts{.registry = registry_.get()});
    service_ = std::make_unique<MembershipService>(transport_.get());
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port_);
    hello.set_peer_address(address_);
    registry_->SetOwn(hello);
  }
  ~Node() { Stop(); }

  void Start(const std::vector<MemberAddress>& members) {
    std::map<NodeId, StorageUuid> others;
    for (const auto& member : members) {
      if (member.node != NodeId(id_)) others[member.node] = member.storage_uuid;
    }
    registry_->SetKnownAll(others);
    MembershipHost::Parts parts;
    parts.options.self = NodeId(id_);
    parts.options.boot_epoch = BootEpoch(epoch_);
    parts.options.random_seed = id_;
    parts.transport = transport_.get();
    parts.clock = &SystemClock();
    parts.own_health = [this] { return NodeHealth{.free_bytes = 100 + id_}; };
    host_ = std::make_unique<MembershipHost>(std::move(parts));
    host_->Start();
    host_->SetMembers(members);
  }
  void Stop() {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now());
    if (host_) host_->Stop();
    transport_->Stop();
    server_->Wait();
    server_.reset();
  }
  [[nodiscard]] MemberAddress address() const { return {NodeId(id_), UuidOf(id_), address_}; }
  [[nodiscard]] int port() const { return port_; }
  MembershipHost& host() { return *host_; }
  GrpcMembershipTransport& transport() { return *transport_; }

 private:
  const std::uint32_t id_;
  const std::uint64_t epoch_;
  int port_ = 0;
  std::string address_;
  std::unique_ptr<PeerRegistry> registry_;
  std::unique_ptr<GrpcMembershipTransport> transport_;
  std::unique_ptr<MembershipService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<MembershipHost> host_;
};

// Looks every millisecond; returns how long it took, InfiniteDuration if patience ended.
absl::Duration Await(const std::function<bool()>& condition) {
  const MonotonicTime start = SystemClock().Now();
  Event never;
  while (!condition()) {
    if (SystemClock().Now() - start > kPatience) return absl::InfiniteDuration();
    never.WaitFor(absl::Milliseconds(1));
  }
  return SystemClock().Now() - start;
}

std::vector<std::unique_ptr<Node>> StartRing(std::uint32_t size, std::vector<MemberAddress>& members) {
  std::vector<std::unique_ptr<Node>> nodes;
  for (std::uint32_t id = 1; id <= size; ++id) {
    nodes.push_back(std::make_unique<Node>(id, 1));
    members.push_back(nodes.back()->address());
  }
  for (auto& node : nodes) node->Start(members);
  return nodes;
}

bool AllSee(std::vector<std::unique_ptr<Node>>& nodes, NodeId subject, LivenessState state) {
  return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
    return node->address().node == subject || node->host().StateOf(subject) == state;
  });
}

bool AllAlive(std::vector<std::unique_ptr<Node>>& nodes) {
  return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
    return AllSee(nodes, node->address().node, LivenessState::kAlive);
  });
}

TEST(GrpcMembership, StoppedNodeIsDeadAndARestartedOneAlive) {
  for (const std::uint32_t size : {2u, 3u, 5u}) {
    std::vector<MemberAddress> members;
    auto nodes = StartRing(size, members);
    const auto met = Await([&] { return AllAlive(nodes); });
    ASSERT_LT(met, kPatience);
    Await([start = SystemClock().Now()] { return SystemClock().Now() - start > absl::Seconds(1); });
    ASSERT_TRUE(AllAlive(nodes)) << "a false suspicion within the first second";

    const NodeId victim = nodes.back()->address().node;
    const int port = nodes.back()->port();
    nodes.back()->Stop();
    nodes.pop_back();
    const auto lost = Await([&] { return AllSee(nodes, victim, LivenessState::kDead); });
    ASSERT_LT(lost, kPatience);
    EXPECT_FALSE(nodes.front()->host().IsUsable(victim));

    nodes.push_back(std::make_unique<Node>(victim.value(), 2, port));
    nodes.back()->Start(members);
    const auto back = Await([&] { return AllAlive(nodes); });
    ASSERT_LT(back, kPatience);
    EXPECT_TRUE(nodes.front()->host().IsUsable(victim));
    std::cout << size << " nodes: met in " << met << ", stopped node DEAD in " << lost
              << ", restarted node ALIVE in " << back << "\n";
  }
}

TEST(GrpcMembership, HealthTravels) {
  std::vector<MemberAddress> members;
  auto nodes = StartRing(3, members);
  const auto heard = Await([&] {
    const auto views = nodes[0]->host().Members();
    return views.size() == 3 && std::all_of(views.begin(), views.end(), [](const MemberView& view) {
      return view.health.free_bytes == 100 + view.node.value();
    });
  });
  ASSERT_LT(heard, kPatience);
  const auto views = nodes[0]->host().Members();
  ASSERT_EQ(views.size(), 3u);
  for (const MemberView& view : views) {
    EXPECT_EQ(view.successors.size(), 2u);
    EXPECT_EQ(view.predecessors.size(), 2u);
    EXPECT_EQ(view.incarnation >> 32, 1u);
  }
}

// A process with an old boot epoch, or another data directory, is not a member (rule R1).
TEST(GrpcMembership, ImpostorIsNotHeard) {
  std::vector<MemberAddress> members;
  auto nodes = StartRing(3, members);
  ASSERT_LT(Await([&] { return AllAlive(nodes); }), kPatience);
  const int port = nodes.back()->port();
  nodes.back()->Stop();
  nodes.pop_back();
  ASSERT_LT(Await([&] { return AllSee(nodes, NodeId(3), LivenessState::kDead); }), kPatience);
  Node impostor(3, 1, port);  // same epoch, another run
  impostor.Start(members);
  Await([start = SystemClock().Now()] { return SystemClock().Now() - start > absl::Seconds(3); });
  EXPECT_TRUE(AllSee(nodes, NodeId(3), LivenessState::kDead));
}

TEST(GrpcMembership, IdleNodesUseLittleOfAProcessor) {
  constexpr absl::Duration kMeasured = absl::Seconds(1);
  constexpr double kShareMax = 0.25;  // of one processor, all three together: ten times what they use
  std::vector<MemberAddress> members;
  auto nodes = StartRing(3, members);
  ASSERT_LT(Await([&] { return AllAlive(nodes); }), kPatience);
  const auto cpu = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
  };
  // At the latest when what their start has left behind is done.
  double share = 1;
  EXPECT_LT(Await([&] {
              const absl::Duration before = cpu();
              const MonotonicTime begin = SystemClock().Now();
              Await([&] { return SystemClock().Now() - begin > kMeasured; });
              share = absl::FDivDuration(cpu() - before, SystemClock().Now() - begin);
              return share < kShareMax;
            }),
            kPatience);
  EXPECT_GT(share, 0) << "they do not even send heartbeats";
  std::cout << "3 idle nodes: " << 100 * share << " % of one core\n";
  EXPECT_TRUE(AllAlive(nodes));
}

}  // namespace
}  // namespace dfs::membership
