// Calls between nodes that are no streams of one chunk: small writes, confirmations, relinks, copies, lists.

#include <atomic>
#include <map>

#include "common/sync.h"
#include "dfs/internal/v1/replica.grpc.pb.h"
#include "proto/wire_status.h"
#include "tests/unit/chunk/replica_fixture.h"

namespace dfs::chunk {
namespace {

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
                             if (ack.ok()) {
                               EXPECT_EQ(ack->node_id(), 2u);
                             }
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

}  // namespace
}  // namespace dfs::chunk
