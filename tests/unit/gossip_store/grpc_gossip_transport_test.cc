// Messages of gossip buckets over real connections: strangers, peers that hang, too much, and the end.
#include "server/gossip_store/grpc_gossip_transport.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/wire_ids.h"
#include "proto/channel_arguments.h"
#include "server/gossip_store/gossip_message_codec.h"
#include "server/gossip_store/gossip_service.h"
#include "tests/unit/gossip_store/gossip_fakes.h"

namespace dfs::gossip_store {
namespace {

constexpr ClusterId kCluster{5, 5};
const BucketId kSentBucket(3);

rpc::PeerHello HelloOf(NodeId node, ClusterId cluster = kCluster, std::uint64_t storage = 1) {
  rpc::PeerHello hello;
  *hello.mutable_cluster_id() = ToWire(cluster);
  hello.set_node_id(node.value());
  *hello.mutable_storage_uuid() = ToWire(StorageUuid{storage, node.value()});
  hello.set_boot_epoch(1);
  hello.set_run_id(node.value());
  return hello;
}

Record SentRemoval(const std::string& name) {
  Record record;
  record.key = {kSentBucket, name};
  record.stamp = {HybridTime(7), NodeId(1)};
  record.is_tombstone = true;
  return record;
}

// Counts what comes, and passes it on if there is somebody. Questions are answered with nothing, or kept.
class CountingInbound final : public GossipInbound {
 public:
  void Receive(Message message) override {
    ++(std::holds_alternative<Rumours>(message.body) ? rumours : others);
    if (next != nullptr) next->Receive(std::move(message));
  }
  void Find(Key key, HeldCallback done) override {
    {
      MutexLock lock(&mutex_);
      if (keeps_) {
        kept_.push_back(std::move(done));
        return;
      }
    }
    if (next != nullptr) return next->Find(std::move(key), std::move(done));
    done(HeldThere{std::nullopt, absl::FromUnixSeconds(9)});
  }
  void KeepQuestions() {
    MutexLock lock(&mutex_);
    keeps_ = true;
  }
  std::size_t kept() {
    MutexLock lock(&mutex_);
    return kept_.size();
  }
  // Unanswered.
  void DropQuestions() {
    std::vector<HeldCallback> dropped;
    MutexLock lock(&mutex_);
    dropped.swap(kept_);
  }

  std::atomic<int> rumours = 0;
  std::atomic<int> others = 0;
  GossipInbound* next = nullptr;

 private:
  Mutex mutex_;
  bool keeps_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<HeldCallback> kept_ ABSL_GUARDED_BY(mutex_);
};

// A node's peer port with this service, and its transport to others.
struct Peer {
  explicit Peer(NodeId node, ClusterId cluster = kCluster, std::uint64_t storage = 1)
      : id(node), registry(HelloOf(node, cluster, storage)) {
    transport.SetInbound(&inbound);
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
  }
  ~Peer() {
    transport.SetInbound(nullptr);
    inbound.DropQuestions();
    transport.Stop();
    server->Shutdown(std::chrono::system_clock::now());
  }
  void Knows(const Peer& other) { channels.SetAddress(other.id, "127.0.0.1:" + std::to_string(other.port)); }
  void Send(NodeId to, MessageBody body) {
    transport.Send({id, to, SystemClock().WallNow(), std::move(body)});
  }

  const NodeId id;
  int port = 0;
  PeerRegistry registry;
  PeerChannels channels;
  GrpcGossipTransport transport{{&registry, &channels, &SystemClock()}};
  CountingInbound inbound;
  GossipService service{&transport};
  std::unique_ptr<grpc::Server> server;
};

// A question's end, however it comes.
struct Asked {
  absl::StatusOr<HeldThere> Await() {
    EXPECT_TRUE(done.WaitFor(kLong));
    return answer;
  }
  HeldCallback Callback() {
    return [this](absl::StatusOr<HeldThere> held) {
      EXPECT_EQ(++calls, 1);
      answer = std::move(held);
      done.Set();
    };
  }
  Event done;
  std::atomic<int> calls = 0;
  absl::StatusOr<HeldThere> answer = absl::UnknownError("not called");
};

// Takes connections, as the kernel does, and never says anything.
class SilentPort {
 public:
  SilentPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, raw, size), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    EXPECT_EQ(::getsockname(socket_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { ::close(socket_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const int socket_;
  int port_ = 0;
};

TEST(GrpcGossip, NewsReachesAllAndNobodyPassesItOnTwice) {
  constexpr std::uint32_t kNodes = 5;
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<std::unique_ptr<MemoryGossipTable>> tables;
  std::vector<std::unique_ptr<GossipHost>> hosts;
  testing::MemoryChunkStore store;
  MemoryChunkPeers chunks;
  Surroundings around;
  for (std::uint32_t id = 1; id <= kNodes; ++id) around.peers.members.push_back(NodeId(id));
  around.peers.reachable = around.peers.members;
  around.peers.index = LogIndex(5);
  around.buckets = {kSentBucket};
  around.next_bucket = BucketId(4);
  for (const NodeId id : around.peers.members) peers.push_back(std::make_unique<Peer>(id));
  for (const auto& peer : peers) {
    for (const auto& other : peers) peer->Knows(*other);
    GossipState state;
    state.is_complete = true;
    tables.push_back(std::make_unique<MemoryGossipTable>());
    tables.back()->Set({state, {}});
    GossipHost::Parts parts;
    parts.options.self = peer->id;
    parts.options.seed = peer->id.value();
    parts.options.sync_interval = absl::Milliseconds(50);
    parts.boot_epoch = BootEpoch(1);
    parts.clock = &SystemClock();
    parts.table = tables.back().get();
    parts.transport = &peer->transport;
    parts.store = &store;
    parts.peers = &chunks;
    parts.look = [&around] { return around; };
    parts.on_fatal = [](const absl::Status& status) { ADD_FAILURE() << status; };
    hosts.push_back(std::make_unique<GossipHost>(std::move(parts)));
    // As a node does: nothing may come before it has started.
    peer->transport.SetInbound(nullptr);
    EXPECT_TRUE(hosts.back()->Start().ok());
    peer->inbound.next = hosts.back().get();
    peer->transport.SetInbound(&peer->inbound);
  }
  const int writes = 20;
  for (int i = 0; i < writes; ++i) {
    EXPECT_TRUE(hosts[static_cast<std::size_t>(i) % kNodes]->WriteAll({SentRemoval("r" + std::to_string(i))}).front().ok());
  }
  for (const auto& host : hosts) {
    EXPECT_TRUE(WaitUntil([&] { return host->GetHealth().names == writes; }));
  }
  // Then rounds go on, and rumours do not.
  const auto rumours = [&] {
    int sum = 0;
    for (const auto& peer : peers) sum += peer->inbound.rumours.load();
    return sum;
  };
  const std::uint64_t rounds = hosts[0]->GetHealth().counts.rounds;
  EXPECT_TRUE(WaitUntil([&] { return hosts[0]->GetHealth().counts.rounds > rounds + 5; }));
  EXPECT_LE(rumours(), 2 * static_cast<int>(kNodes) * writes);
  EXPECT_GE(rumours(), writes);
  for (const auto& peer : peers) {
    EXPECT_EQ(peer->transport.dropped(), 0u);
    peer->transport.SetInbound(nullptr);
  }
  for (const auto& host : hosts) host->Stop();
  if (::testing::Test::HasFailure()) return;
  std::cout << "PROVED: gossip buckets: " << writes << " changes on " << kNodes << " nodes cost " << rumours()
            << " messages of news, 2 a node and change at most, and come to rest" << std::endl;
}

TEST(GrpcGossip, APeerOfAnotherClusterIsRefused) {
  Peer here(NodeId(1));
  Peer stranger(NodeId(2), ClusterId{6, 6});
  Peer friendly(NodeId(3));
  stranger.Knows(here);
  friendly.Knows(here);
  Asked asked;
  stranger.transport.Ask(NodeId(1), {kSentBucket, "a"}, kLong, asked.Callback());
  EXPECT_TRUE(absl::IsFailedPrecondition(asked.Await().status())) << asked.answer.status();
  stranger.Send(NodeId(1), Rumours{{SentRemoval("a")}});
  friendly.Send(NodeId(1), Rumours{{SentRemoval("a")}});
  EXPECT_TRUE(WaitUntil([&] { return here.inbound.rumours == 1; }));
  // Behind the stranger's message on its own connection.
  Asked again;
  stranger.transport.Ask(NodeId(1), {kSentBucket, "a"}, kLong, again.Callback());
  EXPECT_FALSE(again.Await().ok());
  EXPECT_EQ(here.inbound.rumours, 1);
}

// A process at the address of a member that is not that member: its word does not count.
TEST(GrpcGossip, TheAnswerOfAnotherThanWasAskedDoesNotCount) {
  Peer here(NodeId(1));
  Peer impostor(NodeId(2), kCluster, 99);
  here.Knows(impostor);
  here.registry.SetKnown(NodeId(2), StorageUuid{1, 2}, BootEpoch(1));
  Asked asked;
  here.transport.Ask(NodeId(2), {kSentBucket, "a"}, kLong, asked.Callback());
  EXPECT_TRUE(absl::IsFailedPrecondition(asked.Await().status())) << asked.answer.status();
}

TEST(GrpcGossip, WhatIsMalformedOrTooLargeIsRefusedAndNotTaken) {
  Peer here(NodeId(1));
  const auto channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(here.port),
                                                 grpc::InsecureChannelCredentials(),
                                                 ArgumentsFor(ChannelUse::kControl));
  const auto stub = rpc::Gossip::NewStub(channel);
  const auto code_of = [&](const auto& change) {
    rpc::GossipRequest request;
    *request.mutable_hello() = HelloOf(NodeId(2));
    ToWire({NodeId(2), NodeId(1), absl::UnixEpoch(), Rumours{{SentRemoval("a")}}}, request.mutable_message());
    change(&request);
    grpc::ClientContext context;
    rpc::GossipResponse response;
    return stub->Exchange(&context, request, &response).error_code();
  };
  EXPECT_EQ(code_of([](auto*) {}), grpc::StatusCode::OK);
  EXPECT_EQ(here.inbound.rumours, 1);
  EXPECT_EQ(code_of([](auto* request) { request->mutable_message()->set_from(3); }),
            grpc::StatusCode::INVALID_ARGUMENT) << "in another's name";
  EXPECT_EQ(code_of([](auto* request) { request->clear_hello(); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code_of([](auto* request) {
              for (std::size_t i = 0; i < kRumoursMax; ++i) {
                *request->mutable_message()->add_records() = request->message().records(0);
              }
            }),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code_of([](auto* request) {
              request->mutable_message()->set_digests(std::string(kMessageBytesMax + 1, 'x'));
            }),
            grpc::StatusCode::RESOURCE_EXHAUSTED) << "never read into memory";
  EXPECT_EQ(code_of([](auto* request) {
              request->mutable_message()->set_kind(rpc::GossipMessage::FETCH_MISSED);
              request->mutable_message()->mutable_records(0)->set_name(std::string(kNameBytesMax + 1, 'n'));
            }),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(here.inbound.rumours, 1);
}

TEST(GrpcGossip, APeerThatHangsIsSentItsShareAndNoMore) {
  Peer here(NodeId(1));
  Peer well(NodeId(3));
  const SilentPort silent;
  here.channels.SetAddress(NodeId(2), silent.address());
  here.Knows(well);
  for (int i = 0; i < 100; ++i) here.Send(NodeId(2), Rumours{{SentRemoval("a")}});
  // None of the first 64 can have ended: nobody answers, and their time is 5 s. A machine that needs longer for a hundred
  // sends lets more through, so the sum is what is certain.
  EXPECT_EQ(here.transport.sent() + here.transport.dropped(), 100u);
  EXPECT_GE(here.transport.sent(), static_cast<std::uint64_t>(GrpcGossipTransport::kUnderWayMax));
  EXPECT_GT(here.transport.dropped(), 0u);
  Asked asked;
  here.transport.Ask(NodeId(2), {kSentBucket, "a"}, absl::Milliseconds(50), asked.Callback());
  EXPECT_TRUE(absl::IsDeadlineExceeded(asked.Await().status())) << asked.answer.status();
  Asked other;
  here.transport.Ask(NodeId(3), {kSentBucket, "a"}, kLong, other.Callback());
  ASSERT_TRUE(other.Await().ok()) << "others are not held up: " << other.answer.status();
  EXPECT_FALSE(other.answer->record.has_value());
  EXPECT_EQ(other.answer->wall, absl::FromUnixSeconds(9));
  Asked nowhere;
  here.transport.Ask(NodeId(9), {kSentBucket, "a"}, kLong, nowhere.Callback());
  EXPECT_TRUE(absl::IsUnavailable(nowhere.Await().status())) << "its address is not known";
}

TEST(GrpcGossip, AStopEndsTheCallsThatAreOut) {
  Peer here(NodeId(1));
  const SilentPort silent;
  here.channels.SetAddress(NodeId(2), silent.address());
  Asked asked;
  here.transport.Ask(NodeId(2), {kSentBucket, "a"}, absl::Hours(1), asked.Callback());
  here.Send(NodeId(2), Rumours{{SentRemoval("a")}});
  here.transport.Stop();
  EXPECT_EQ(asked.calls, 1) << "it has ended when Stop returns";
  EXPECT_FALSE(asked.answer.ok());
  Asked late;
  here.transport.Ask(NodeId(2), {kSentBucket, "a"}, absl::Hours(1), late.Callback());
  EXPECT_TRUE(absl::IsUnavailable(late.Await().status()));
  here.Send(NodeId(2), Rumours{{SentRemoval("a")}});
}

TEST(GrpcGossip, WhoStopsWhileAskedSaysSo) {
  Peer here(NodeId(1));
  Peer other(NodeId(2));
  here.Knows(other);
  other.inbound.KeepQuestions();
  Asked asked;
  here.transport.Ask(NodeId(2), {kSentBucket, "a"}, kLong, asked.Callback());
  ASSERT_TRUE(WaitUntil([&] { return other.inbound.kept() == 1; }));
  other.transport.SetInbound(nullptr);
  other.inbound.DropQuestions();  // as a host that ends
  EXPECT_TRUE(absl::IsUnavailable(asked.Await().status())) << asked.answer.status();
  Asked again;
  here.transport.Ask(NodeId(2), {kSentBucket, "a"}, kLong, again.Callback());
  EXPECT_TRUE(absl::IsUnavailable(again.Await().status()));
}

}  // namespace
}  // namespace dfs::gossip_store
