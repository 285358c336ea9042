// Chunks in streams between nodes, and what goes wrong on the way.
#include <glog/logging.h>
#include <grpcpp/create_channel.h>

#include "common/sync.h"
#include "dfs/internal/v1/replica.grpc.pb.h"
#include "proto/wire_status.h"
#include "server/chunk/byte_pace.h"
#include "tests/support/byte_proxy.h"
#include "tests/unit/chunk/replica_fixture.h"

namespace dfs::chunk {
namespace {

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

TEST(BytePace, SpreadsBytesAndDoesNotMakeUpForIdleTime) {
  MonotonicTime now = absl::FromUnixSeconds(1'000);
  BytePace pace(1'000);
  EXPECT_EQ(pace.Spend(500, now), absl::Milliseconds(500));
  // 100 ms too early for the next, whose own time comes on top.
  EXPECT_EQ(pace.Spend(500, now + absl::Milliseconds(400)), absl::Milliseconds(600));
  now += absl::Hours(1);
  EXPECT_EQ(pace.Spend(500, now), absl::Milliseconds(500));
  EXPECT_EQ(BytePace(0).Spend(500, now), absl::ZeroDuration());
}

TEST_F(Replicas, ACopyIsReadNoFasterThanOrdered) {
  const std::string bytes = BytesOfLength(kMiB);
  const ChunkInfo info = InfoOf(Id(1), bytes);
  ASSERT_TRUE(Put(near.store.get(), info.id, bytes).ok());
  rpc::CopyChunkRequest request;
  *request.mutable_chunk() = ToWire(info.id);
  request.set_size(info.size);
  *request.mutable_hash() = ToWire(info.hash);
  request.add_sources(1);
  request.set_bytes_per_s_max(4 * kMiB);
  const MonotonicTime start = SystemClock().Now();
  const auto ack = near.peers->Copy(NodeId(2), request, kTimeout);
  ASSERT_TRUE(ack.ok()) << ack.status();
  // The last of four pieces is not waited for.
  EXPECT_GE(SystemClock().Now() - start, absl::Milliseconds(187));
  EXPECT_TRUE(Holds(far.store.get(), info.id, bytes));
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

void AwaitFiles(TestNode& node) {
  Event never;
  for (int i = 0; i < 500 && node.system.Files("/data/chunks/objects").empty(); ++i) {
    never.WaitFor(absl::Milliseconds(10));
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

// Its network drops all it sends, as if it had no power: no end of the connection is ever told. The write would have stalled
// for 2 min before it ended.
TEST_F(Replicas, WritesOfANodeThatIsGoneWithoutAWordEndSoon) {
  far.Kill();
  far.pings = {.interval_ms = 200, .timeout_ms = 1'000};
  far.Listen(0);
  testing::ByteProxy proxy(far.address(), kMiB);
  near.channels.SetAddress(NodeId(2), proxy.endpoint());
  const std::string bytes = BytesOfLength(kMiB);
  const auto writer = near.peers->Write(NodeId(2), Id(1), absl::Minutes(1));
  ASSERT_TRUE(writer->Write(Slices::CopyOf(bytes), CrcOf(bytes)).ok());
  AwaitFiles(far);
  Event never;
  EXPECT_FALSE(never.WaitFor(absl::Seconds(2))) << "some pings";
  EXPECT_EQ(far.system.Files("/data/chunks/objects").size(), 1u) << "one that is silent and answers is waited for";
  proxy.BecomeBlackHole();
  AwaitNoFiles(far);
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
  EXPECT_TRUE(absl::IsUnavailable(near.peers->Read(NodeId(9), Id(1), 0, 1, kTimeout, 0).status()));
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
      absl::IsDeadlineExceeded(near.peers->Read(NodeId(5), Id(1), 0, 1, timeout, 0).status()));
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
  AwaitFiles(node);
  AwaitNoFiles(node);
  EXPECT_FALSE(writer->Finish(bytes.size(), InfoOf(Id(1), bytes).hash).ok());
}

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
