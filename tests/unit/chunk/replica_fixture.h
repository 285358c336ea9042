// Two nodes with stores and services over loopback, for tests of the replica service and its
// callers.
#ifndef DFS_TESTS_UNIT_CHUNK_REPLICA_FIXTURE_H_
#define DFS_TESTS_UNIT_CHUNK_REPLICA_FIXTURE_H_

#include <glog/logging.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "common/peer_channels.h"
#include "proto/channel_arguments.h"
#include "server/chunk/grpc_chunk_peers.h"
#include "server/chunk/replica_limits.h"
#include "server/chunk/replica_service.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {

inline constexpr std::size_t kBlock = BlockChecksums::kBlockBytes;
inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline constexpr absl::Duration kTimeout = absl::Seconds(10);

// Says what the test tells it to, and counts.
class ScriptedConfirmer final : public Confirmer {
 public:
  rpc::ConfirmResponse::Verdict Confirm(LogIndex read_index,
                                        const rpc::ConfirmItem& item) override {
    ++asked;
    std::uint64_t seen = highest;
    while (seen < read_index.value() && !highest.compare_exchange_weak(seen, read_index.value())) {
    }
    if (item.name() == "lagging") return rpc::ConfirmResponse::LAGGING;
    return item.version() == 1 ? rpc::ConfirmResponse::CONFIRMED : rpc::ConfirmResponse::PURGED;
  }
  std::atomic<int> asked = 0;
  std::atomic<std::uint64_t> highest = 0;
};

// A store, its service on a port of its own, and callers from it.
struct TestNode {
  explicit TestNode(std::uint32_t node, absl::Duration stall_timeout = absl::Minutes(2))
      : id(node) {
    CHECK(disk.MakeFolder("/data").ok());
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
    CHECK(opened.ok()) << opened.status();
    store = *std::move(opened);
    peers = std::make_unique<GrpcChunkPeers>(&channels);
    service =
        std::make_unique<ReplicaService>(ReplicaService::Parts{.store = store.get(),
                                                               .peers = peers.get(),
                                                               .confirmer = &confirmer,
                                                               .own_ack =
                                                                   [node] {
                                                                     rpc::Ack ack;
                                                                     ack.set_node_id(node);
                                                                     ack.set_boot_epoch(77);
                                                                     return ack;
                                                                   },
                                                               .stall_timeout = stall_timeout,
                                                               .write_stall_timeout = stall_timeout});
    Listen(0);
  }
  ~TestNode() { Kill(); }
  void Listen(int at) {
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    SetPeerPings(builder, pings);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(at), grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(service.get());
    server = builder.BuildAndStart();
    CHECK(server != nullptr);
  }
  void Kill() {
    if (server != nullptr) server->Shutdown(std::chrono::system_clock::now());
    server.reset();
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port); }

  const std::uint32_t id;
  testing::FaultFileSystem system;
  testing::FaultDisk disk{&system};
  FixedClock clock;
  std::unique_ptr<LocalChunkStore> store;
  PeerChannels channels;
  std::unique_ptr<GrpcChunkPeers> peers;
  ScriptedConfirmer confirmer;
  std::unique_ptr<ReplicaService> service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  PeerPings pings;  // of the next Listen
};

class Replicas : public ::testing::Test {
 protected:
  Replicas() {
    for (const auto* node : {&near, &far}) {
      near.channels.SetAddress(NodeId(node->id), node->address());
      far.channels.SetAddress(NodeId(node->id), node->address());
    }
  }
  static std::uint32_t CrcOf(std::string_view bytes) { return Crc32c(bytes.data(), bytes.size()); }

  absl::StatusOr<rpc::ChunkAck> Send(const ChunkId& id, const std::string& bytes,
                                     std::size_t piece = kMiB) {
    const auto writer = near.peers->Write(NodeId(2), id, kTimeout);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const std::string part = bytes.substr(at, piece);
      const auto status = writer->Write(Slices::CopyOf(part), CrcOf(part));
      if (!status.ok()) return status;
    }
    return writer->Finish(bytes.size(), InfoOf(id, bytes).hash);
  }
  // Reads a range as a caller should: table against hash, blocks against table.
  absl::StatusOr<std::string> Receive(const ChunkInfo& info, std::uint64_t offset,
                                      std::uint64_t length,
                                      std::uint64_t bytes_per_s_max = 0) {
    auto reader = near.peers->Read(NodeId(2), info.id, offset, length, kTimeout, bytes_per_s_max);
    if (!reader.ok()) return reader.status();
    EXPECT_EQ((*reader)->size(), info.size);
    EXPECT_EQ(BlockChecksums::HashOf(info.size, (*reader)->table()), info.hash);
    std::string out;
    std::uint64_t next = offset / kBlock * kBlock;
    while (true) {
      auto piece = (*reader)->Next();
      if (!piece.ok()) return piece.status();
      if (piece->data.empty()) break;
      EXPECT_EQ(piece->offset, next);
      EXPECT_LE(piece->data.size(), kReadBytes);
      out += piece->data.ToString();
      next += piece->data.size();
    }
    return out.substr(offset % kBlock, length);
  }

  TestNode near{1};
  TestNode far{2};
};

}  // namespace dfs::chunk

#endif  // DFS_TESTS_UNIT_CHUNK_REPLICA_FIXTURE_H_
