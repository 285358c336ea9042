// Service and callers over loopback.
#include <glog/logging.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <map>

#include "common/executor.h"
#include "common/peer_channels.h"
#include "dfs/internal/v1/replica.grpc.pb.h"
#include "proto/channel_arguments.h"
#include "proto/wire_status.h"
#include "server/chunk/grpc_chunk_peers.h"
#include "server/chunk/replica_limits.h"
#include "server/chunk/replica_service.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

constexpr std::size_t kBlock = BlockChecksums::kBlockBytes;
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr absl::Duration kTimeout = absl::Seconds(10);

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
  explicit TestNode(std::uint32_t id, absl::Duration stall_timeout = absl::Minutes(2)) : id(id) {
    CHECK(disk.MakeFolder("/data").ok());
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
    CHECK(opened.ok()) << opened.status();
    store = *std::move(opened);
    peers = std::make_unique<GrpcChunkPeers>(&channels);
    service = std::make_unique<ReplicaService>(
        ReplicaService::Parts{.store = store.get(),
                            .peers = peers.get(),
                            .confirmer = &confirmer,
                            .own_ack =
                                [id] {
                                  rpc::Ack ack;
                                  ack.set_node_id(id);
                                  ack.set_boot_epoch(77);
                                  return ack;
                                },
                            .stall_timeout = stall_timeout});
    Listen(0);
  }
  ~TestNode() { Kill(); }
  void Listen(int at) {
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
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
                                      std::uint64_t length) {
    auto reader = near.peers->Read(NodeId(2), info.id, offset, length, kTimeout);
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

TEST_F(Replicas, WriteAndReadOfAllSizes) {
  std::uint64_t sequence = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1,
                                 kSmallBytesMax, kSmallBytesMax + 1, kMiB - 1, kMiB, kMiB + 1,
                                 3 * kMiB + 5, 64 * kMiB}) {
    const ChunkId id = Id(++sequence);
    const std::string bytes = BytesOfLength(size);
    const auto ack = Send(id, bytes);
    ASSERT_TRUE(ack.ok()) << size << ": " << ack.status();
    EXPECT_EQ(ack->ack().node_id(), 2u);
    EXPECT_EQ(ack->ack().boot_epoch(), 77u);
    EXPECT_EQ(FromWire(ack->chunk()), id);
    EXPECT_TRUE(Holds(far.store.get(), id, bytes));
    const auto read = Receive(InfoOf(id, bytes), 0, size);
    ASSERT_TRUE(read.ok()) << size << ": " << read.status();
    EXPECT_TRUE(*read == bytes) << size;
  }
}

TEST_F(Replicas, RangesAreWidenedToBlocks) {
  const std::string bytes = BytesOfLength(2 * kMiB + 100);
  ASSERT_TRUE(Send(Id(1), bytes).ok());
  const ChunkInfo info = InfoOf(Id(1), bytes);
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, kBlock, kMiB - 1, kMiB, 2 * kMiB + 99}) {
    for (const std::size_t length : {std::size_t{1}, kBlock, kBlock + 1, kMiB + 1, 3 * kMiB}) {
      const auto read = Receive(info, offset, length);
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_TRUE(*read == bytes.substr(offset, length)) << offset << "+" << length;
    }
  }
  EXPECT_TRUE(absl::IsOutOfRange(Receive(info, bytes.size() + 1, 1).status()));
  EXPECT_TRUE(absl::IsOutOfRange(Receive(info, 0, 0).status()));
  EXPECT_TRUE(absl::IsNotFound(Receive(InfoOf(Id(9), bytes), 0, 1).status()));
}

TEST_F(Replicas, WrongChecksumOfAMessageStoresNothing) {
  const auto writer = near.peers->Write(NodeId(2), Id(1), kTimeout);
  const std::string bytes = BytesOfLength(kMiB);
  absl::Status status = writer->Write(Slices::CopyOf(bytes), CrcOf(bytes) ^ 1);
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = writer->Write(Slices::CopyOf(bytes), CrcOf(bytes));
  }
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  const auto detail = DetailOf(status);
  ASSERT_TRUE(detail);
  EXPECT_EQ(detail->reason(), api::ErrorDetail::BAD_CHECKSUM);
  EXPECT_EQ(detail->outcome(), api::ErrorDetail::NOTHING_CHANGED);
  EXPECT_FALSE(far.store->Find(Id(1)));
}

TEST_F(Replicas, WrongHashOrSizeStoresNothing) {
  const std::string bytes = BytesOfLength(kMiB);
  for (const bool is_size : {true, false}) {
    const auto writer = near.peers->Write(NodeId(2), Id(1), kTimeout);
    ASSERT_TRUE(writer->Write(Slices::CopyOf(bytes), CrcOf(bytes)).ok());
    Hash128 hash = InfoOf(Id(1), bytes).hash;
    if (!is_size) hash.low ^= 1;
    const auto ack = writer->Finish(bytes.size() + (is_size ? 1 : 0), hash);
    ASSERT_FALSE(ack.ok());
    EXPECT_EQ(DetailOf(ack.status())->reason(),
              is_size ? api::ErrorDetail::SIZE_MISMATCH : api::ErrorDetail::BAD_CHECKSUM);
    EXPECT_FALSE(far.store->Find(Id(1)));
    EXPECT_EQ(far.system.Files("/data/chunks/objects").size(), 0u);
  }
}

// The files of a write that was cut off go when its handler ends.
void AwaitNoFiles(const TestNode& node) {
  Event never;
  for (int i = 0; i < 500 && !node.system.Files("/data/chunks/objects").empty(); ++i) {
    never.WaitFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(node.system.Files("/data/chunks/objects").size(), 0u);
}

TEST_F(Replicas, CancelledOrDroppedWriterLeavesNothing) {
  const std::string bytes = BytesOfLength(kMiB);
  {
    const auto writer = near.peers->Write(NodeId(2), Id(1), kTimeout);
    ASSERT_TRUE(writer->Write(Slices::CopyOf(bytes), CrcOf(bytes)).ok());
    writer->Cancel();
    const auto ack = writer->Finish(bytes.size(), InfoOf(Id(1), bytes).hash);
    EXPECT_TRUE(absl::IsCancelled(ack.status())) << ack.status();
  }
  {
    const auto writer = near.peers->Write(NodeId(2), Id(2), kTimeout);
    ASSERT_TRUE(writer->Write(Slices::CopyOf(bytes), CrcOf(bytes)).ok());
  }
  AwaitNoFiles(far);
  EXPECT_FALSE(far.store->Find(Id(1)));
  EXPECT_FALSE(far.store->Find(Id(2)));
}

TEST_F(Replicas, PeerKilledMidwayAndBack) {
  const std::string bytes = BytesOfLength(kMiB);
  const auto writer = near.peers->Write(NodeId(2), Id(1), kTimeout);
  ASSERT_TRUE(writer->Write(Slices::CopyOf(bytes), CrcOf(bytes)).ok());
  far.Kill();
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) {
    status = writer->Write(Slices::CopyOf(bytes), CrcOf(bytes));
  }
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(writer->Finish(0, {}).ok()) << "says the same again";
  EXPECT_TRUE(absl::IsUnavailable(Send(Id(2), "x").status()));
  far.Listen(far.port);
  absl::Status sent = absl::UnavailableError("not tried yet");
  Event never;
  for (int i = 0; i < 100 && !sent.ok(); ++i) {
    never.WaitFor(absl::Milliseconds(50));
    sent = Send(Id(3), bytes).status();
  }
  EXPECT_TRUE(sent.ok()) << sent;
  EXPECT_FALSE(far.store->Find(Id(1)));
}

TEST_F(Replicas, UnknownAddressIsUnavailable) {
  EXPECT_TRUE(absl::IsUnavailable(
      near.peers->Write(NodeId(9), Id(1), kTimeout)->Write(Slices::CopyOf("x"), 1)));
  EXPECT_TRUE(absl::IsUnavailable(near.peers->Read(NodeId(9), Id(1), 0, 1, kTimeout).status()));
  EXPECT_TRUE(absl::IsUnavailable(near.peers->Copy(NodeId(9), {}, kTimeout).status()));
  Event done;
  near.peers->WriteSmall(NodeId(9), InfoOf(Id(1), "x"), Slices::CopyOf("x"), kTimeout,
                         [&](const absl::StatusOr<rpc::Ack>& ack) {
                           EXPECT_TRUE(absl::IsUnavailable(ack.status()));
                           done.Set();
                         });
  done.Wait();
}

// Accepts calls and never goes on.
class HungService final : public rpc::Replicas::Service {
 public:
  grpc::Status WriteChunk(grpc::ServerContext* context, grpc::ServerReader<rpc::WriteChunkRequest>*,
                          rpc::ChunkAck*) override {
    return Hang(context);
  }
  grpc::Status ReadChunk(grpc::ServerContext* context, const rpc::ReadChunkRequest*,
                         grpc::ServerWriter<rpc::ReadChunkResponse>*) override {
    return Hang(context);
  }

 private:
  static grpc::Status Hang(grpc::ServerContext* context) {
    Event never;
    while (!context->IsCancelled()) never.WaitFor(absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  }
};

TEST_F(Replicas, HungPeerIsLeftAfterTheProgressTimeout) {
  HungService hung;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&hung);
  const auto server = builder.BuildAndStart();
  near.channels.SetAddress(NodeId(5), "127.0.0.1:" + std::to_string(port));
  const absl::Duration timeout = absl::Milliseconds(300);
  const MonotonicTime start = SystemClock().Now();
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(near.peers->Read(NodeId(5), Id(1), 0, 1, timeout).status()));
  const auto writer = near.peers->Write(NodeId(5), Id(1), timeout);
  const std::string bytes = BytesOfLength(kMiB);
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) {
    status = writer->Write(Slices::CopyOf(bytes), CrcOf(bytes));
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_LT(SystemClock().Now() - start, absl::Seconds(5));
  server->Shutdown(std::chrono::system_clock::now());
}

TEST(ReplicaStall, SilentWriterIsCancelled) {
  TestNode node(1, absl::Milliseconds(200));
  node.channels.SetAddress(NodeId(1), node.address());
  const auto writer = node.peers->Write(NodeId(1), Id(1), kTimeout);
  const std::string bytes = BytesOfLength(kMiB);
  ASSERT_TRUE(writer->Write(Slices::CopyOf(bytes), Crc32c(bytes.data(), bytes.size())).ok());
  Event never;
  for (int i = 0; i < 500 && node.system.Files("/data/chunks/objects").empty(); ++i) {
    never.WaitFor(absl::Milliseconds(10));
  }
  AwaitNoFiles(node);
  EXPECT_FALSE(writer->Finish(bytes.size(), InfoOf(Id(1), bytes).hash).ok());
}

TEST_F(Replicas, SmallWritesShareCalls) {
  constexpr int kWrites = 2000;
  Mutex mutex;
  CondVar changed;
  int answered = 0;
  const std::uint64_t before = far.system.operations();
  for (int i = 0; i < kWrites; ++i) {
    const std::string bytes = BytesOfLength(static_cast<std::size_t>(i));
    const ChunkInfo info = InfoOf(Id(static_cast<std::uint64_t>(i) + 1), bytes);
    near.peers->WriteSmall(NodeId(2), info, Slices::CopyOf(bytes), kTimeout,
                           [&, i](const absl::StatusOr<rpc::Ack>& ack) {
                             EXPECT_TRUE(ack.ok()) << i << ": " << ack.status();
                             if (ack.ok()) EXPECT_EQ(ack->node_id(), 2u);
                             MutexLock lock(&mutex);
                             ++answered;
                             changed.Signal();
                           });
  }
  {
    MutexLock lock(&mutex);
    while (answered < kWrites) changed.Wait(&mutex);
  }
  for (int i = 0; i < kWrites; ++i) {
    ASSERT_TRUE(Holds(far.store.get(), Id(static_cast<std::uint64_t>(i) + 1),
                      BytesOfLength(static_cast<std::size_t>(i))));
  }
  EXPECT_LT(far.system.operations() - before, kWrites / 2) << "one sync for many";
}

TEST_F(Replicas, EachSmallWriteHasItsOwnResult) {
  const std::string bytes = BytesOfLength(100);
  ChunkInfo wrong = InfoOf(Id(2), bytes);
  wrong.hash.low ^= 1;
  Event first;
  Event second;
  near.peers->WriteSmall(NodeId(2), InfoOf(Id(1), bytes), Slices::CopyOf(bytes), kTimeout,
                         [&](const absl::StatusOr<rpc::Ack>& ack) {
                           EXPECT_TRUE(ack.ok());
                           first.Set();
                         });
  near.peers->WriteSmall(NodeId(2), wrong, Slices::CopyOf(bytes), kTimeout,
                         [&](const absl::StatusOr<rpc::Ack>& ack) {
                           EXPECT_TRUE(absl::IsDataLoss(ack.status())) << ack.status();
                           second.Set();
                         });
  first.Wait();
  second.Wait();
  EXPECT_FALSE(far.store->Find(Id(2)));
}

TEST_F(Replicas, StoppingAnswersEveryCallback) {
  std::atomic<int> answered = 0;
  for (int i = 0; i < 1000; ++i) {
    near.peers->WriteSmall(NodeId(2), InfoOf(Id(static_cast<std::uint64_t>(i) + 1), "x"),
                           Slices::CopyOf("x"), kTimeout,
                           [&](const absl::StatusOr<rpc::Ack>&) { ++answered; });
  }
  near.Kill();
  near.service.reset();
  near.peers.reset();
  EXPECT_EQ(answered, 1000);
}

TEST_F(Replicas, ConfirmsShareCallsAtTheHighestIndex) {
  constexpr int kItems = 500;
  Mutex mutex;
  CondVar changed;
  std::map<rpc::ConfirmResponse::Verdict, int> verdicts;
  int answered = 0;
  for (int i = 0; i < kItems; ++i) {
    rpc::ConfirmItem item;
    item.set_name("name");
    item.set_version(i % 2 == 0 ? 1 : 2);
    near.peers->Confirm(NodeId(2), LogIndex(static_cast<std::uint64_t>(i)), item, kTimeout,
                        [&](const absl::StatusOr<rpc::ConfirmResponse::Verdict>& verdict) {
                          MutexLock lock(&mutex);
                          ++answered;
                          if (verdict.ok()) ++verdicts[*verdict];
                          changed.Signal();
                        });
  }
  MutexLock lock(&mutex);
  while (answered < kItems) changed.Wait(&mutex);
  EXPECT_EQ(verdicts[rpc::ConfirmResponse::CONFIRMED], kItems / 2);
  EXPECT_EQ(verdicts[rpc::ConfirmResponse::PURGED], kItems / 2);
  EXPECT_EQ(far.confirmer.asked, kItems);
  EXPECT_EQ(far.confirmer.highest, static_cast<std::uint64_t>(kItems - 1));
}

TEST_F(Replicas, LaggingIsAskedOnceForAll) {
  const auto stub = rpc::Replicas::NewStub(near.channels.Get(NodeId(2), ChannelUse::kControl));
  rpc::ConfirmRequest request;
  for (int i = 0; i < 5; ++i) request.add_items()->set_name("lagging");
  rpc::ConfirmResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->Confirm(&context, request, &response).ok());
  EXPECT_EQ(response.verdicts_size(), 5);
  for (const int verdict : response.verdicts()) EXPECT_EQ(verdict, rpc::ConfirmResponse::LAGGING);
  EXPECT_EQ(far.confirmer.asked, 1);
}

TEST_F(Replicas, RelinkOverTheWire) {
  const std::string bytes = BytesOfLength(kLarge);
  ASSERT_TRUE(Send(Id(1), bytes).ok());
  const ChunkInfo info = InfoOf(Id(1), bytes);
  const auto relink = [&](NodeId node, std::vector<Relink> items) {
    Event done;
    absl::StatusOr<rpc::Ack> answer;
    near.peers->RelinkAll(node, std::move(items), kTimeout, [&](absl::StatusOr<rpc::Ack> ack) {
      answer = std::move(ack);
      done.Set();
    });
    done.Wait();
    return answer;
  };
  const auto ack = relink(NodeId(2), {{Id(1), Id(2), info.size, info.hash}});
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->node_id(), 2u);
  EXPECT_TRUE(Holds(far.store.get(), Id(2), bytes));
  EXPECT_TRUE(
      absl::IsNotFound(relink(NodeId(2), {{Id(8), Id(9), info.size, info.hash}}).status()));
  EXPECT_TRUE(absl::IsUnavailable(relink(NodeId(9), {}).status()));
}

TEST_F(Replicas, CopyTakesTheNextSourceWhenOneIsBad) {
  TestNode third(3);
  for (auto* node : {&near, &far}) node->channels.SetAddress(NodeId(3), third.address());
  for (const std::size_t size : {std::size_t{0}, std::size_t{500}, 3 * kMiB + 1}) {
    const ChunkId id = Id(size + 1);
    const std::string bytes = BytesOfLength(size);
    ASSERT_TRUE(Put(near.store.get(), id, bytes).ok());
    ASSERT_TRUE(Put(third.store.get(), id, bytes).ok());
  }
  const std::string bytes = BytesOfLength(3 * kMiB + 1);
  const ChunkInfo info = InfoOf(Id(bytes.size() + 1), bytes);
  // Source 1 has a damaged block behind its first message.
  const std::string path = near.system.Files("/data/chunks/objects")[0];
  std::string file = near.system.Read(path).value();
  file[file.size() - 100] ^= 1;
  near.system.Replace(path, file);
  rpc::CopyChunkRequest request;
  *request.mutable_chunk() = ToWire(info.id);
  request.set_size(info.size);
  *request.mutable_hash() = ToWire(info.hash);
  request.add_sources(9);  // unknown
  request.add_sources(1);
  EXPECT_TRUE(absl::IsUnavailable(near.peers->Copy(NodeId(2), request, kTimeout).status()));
  EXPECT_FALSE(far.store->Find(info.id));
  EXPECT_EQ(far.system.Files("/data/chunks/objects").size(), 0u);
  request.add_sources(3);
  for (int i = 0; i < 2; ++i) {  // the second time it is there already
    const auto ack = near.peers->Copy(NodeId(2), request, kTimeout);
    ASSERT_TRUE(ack.ok()) << ack.status();
    EXPECT_EQ(ack->ack().node_id(), 2u);
    EXPECT_EQ(ack->size(), info.size);
    EXPECT_TRUE(Holds(far.store.get(), info.id, bytes));
    third.Kill();
  }
  request.mutable_hash()->set_low(1);
  EXPECT_TRUE(
      absl::IsFailedPrecondition(near.peers->Copy(NodeId(2), request, kTimeout).status()));
}

TEST_F(Replicas, ListsEverythingInPages) {
  std::vector<ChunkId> expected;
  for (std::uint64_t i = 1; i <= 2 * kListPage + 1; i += 250) {
    std::vector<SmallWrite> writes;
    for (std::uint64_t k = i; k < std::min<std::uint64_t>(i + 250, 2 * kListPage + 2); ++k) {
      writes.push_back({InfoOf(Id(k), "x"), "x"});
      expected.push_back(Id(k));
    }
    for (const auto& status : far.store->PutSmall(writes)) ASSERT_TRUE(status.ok());
  }
  std::vector<ChunkId> seen;
  ASSERT_TRUE(near.peers
                  ->List(NodeId(2),
                         [&](const rpc::SmallChunk& chunk) {
                           seen.push_back(FromWire(chunk.chunk()));
                           return true;
                         },
                         kTimeout)
                  .ok());
  EXPECT_EQ(seen, expected);
  int visits = 0;
  ASSERT_TRUE(
      near.peers->List(NodeId(2), [&](const rpc::SmallChunk&) { return ++visits < 3; }, kTimeout)
          .ok());
  EXPECT_EQ(visits, 3);
}

// An ordinary generated client, in any language, is served alike.
TEST_F(Replicas, PlainProtobufClient) {
  const auto stub = rpc::Replicas::NewStub(near.channels.Get(NodeId(2), ChannelUse::kBulk));
  const std::string bytes = BytesOfLength(kMiB + 5);
  const ChunkInfo info = InfoOf(Id(1), bytes);
  {
    grpc::ClientContext context;
    rpc::ChunkAck ack;
    const auto stream = stub->WriteChunk(&context, &ack);
    rpc::WriteChunkRequest request;
    *request.mutable_header()->mutable_chunk() = ToWire(info.id);
    request.set_data(bytes);
    request.set_crc32c(CrcOf(bytes));
    request.mutable_finish()->set_size(bytes.size());
    *request.mutable_finish()->mutable_hash() = ToWire(info.hash);
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Finish().ok());
    EXPECT_EQ(ack.size(), bytes.size());
  }
  grpc::ClientContext context;
  rpc::ReadChunkRequest request;
  *request.mutable_chunk() = ToWire(info.id);
  request.set_length(bytes.size());
  const auto stream = stub->ReadChunk(&context, request);
  rpc::ReadChunkResponse response;
  std::string read;
  while (stream->Read(&response)) read += response.data();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(read == bytes);
  grpc::ClientContext small_context;
  rpc::WriteSmallRequest small;
  for (std::uint64_t i = 10; i < 12; ++i) {
    auto* chunk = small.add_chunks();
    *chunk->mutable_chunk() = ToWire(Id(i));
    chunk->set_size(3);
    *chunk->mutable_hash() = ToWire(InfoOf(Id(i), "abc").hash);
  }
  small.set_data("abcabc");
  rpc::WriteSmallResponse answer;
  ASSERT_TRUE(stub->WriteSmall(&small_context, small, &answer).ok());
  EXPECT_EQ(answer.results(1).error_code(), 0);
  EXPECT_TRUE(Holds(far.store.get(), Id(11), "abc"));
}

TEST_F(Replicas, MalformedStreamsAreRefused) {
  const auto stub = rpc::Replicas::NewStub(near.channels.Get(NodeId(2), ChannelUse::kBulk));
  const auto send = [&](const std::vector<rpc::WriteChunkRequest>& messages) {
    grpc::ClientContext context;
    rpc::ChunkAck ack;
    const auto stream = stub->WriteChunk(&context, &ack);
    for (const auto& message : messages) {
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
    return stream->Finish().error_code();
  };
  rpc::WriteChunkRequest header;
  *header.mutable_header()->mutable_chunk() = ToWire(Id(1));
  rpc::WriteChunkRequest data;
  data.set_data("abc");
  data.set_crc32c(CrcOf("abc"));
  rpc::WriteChunkRequest elsewhere = data;
  elsewhere.set_offset(7);
  rpc::WriteChunkRequest too_large;
  too_large.set_data(std::string(kWriteBytesMax + 1, 'x'));
  too_large.set_crc32c(CrcOf(too_large.data()));
  const auto invalid = grpc::StatusCode::INVALID_ARGUMENT;
  EXPECT_EQ(send({}), invalid);
  EXPECT_EQ(send({header}), invalid) << "truncated";
  EXPECT_EQ(send({header, data}), invalid) << "truncated";
  EXPECT_EQ(send({data}), invalid) << "no header";
  EXPECT_EQ(send({header, header}), invalid);
  EXPECT_EQ(send({header, elsewhere}), invalid);
  EXPECT_EQ(send({header, too_large}), invalid);
  rpc::WriteSmallRequest small;
  for (const std::uint32_t size : {2u, 4u, 4'000'000'000u}) {
    small.clear_chunks();
    small.add_chunks()->set_size(size);
    small.set_data("abc");
    grpc::ClientContext context;
    rpc::WriteSmallResponse answer;
    EXPECT_EQ(stub->WriteSmall(&context, small, &answer).error_code(), invalid) << size;
  }
  EXPECT_FALSE(far.store->Find(Id(1)));
  EXPECT_EQ(far.system.Files("/data/chunks/objects").size(), 0u);
}

TEST_F(Replicas, DamagedBlockIsNotSent) {
  const std::string bytes = BytesOfLength(3 * kMiB);
  ASSERT_TRUE(Send(Id(1), bytes).ok());
  const std::string path = far.system.Files("/data/chunks/objects")[0];
  std::string file = far.system.Read(path).value();
  file[kHeaderBytes + 2 * kMiB + 7] ^= 1;
  far.system.Replace(path, file);
  EXPECT_TRUE(absl::IsDataLoss(Receive(InfoOf(Id(1), bytes), 0, bytes.size()).status()));
  EXPECT_TRUE(absl::IsNotFound(Receive(InfoOf(Id(1), bytes), 0, 1).status()));
}

}  // namespace
}  // namespace dfs::chunk
