// Writing and reading chunks of all sizes; what is refused leaves nothing.
#include "common/executor.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

constexpr std::size_t kBlock = BlockChecksums::kBlockBytes;
constexpr std::size_t kMiB = std::size_t{1} << 20;

class WriteRead : public StoreFixture {
 protected:
  std::size_t Count() {
    std::size_t count = 0;
    store->ForEach(std::nullopt, [&](const HeldChunk&) { return ++count > 0; });
    return count;
  }
};
class WriteReadSizes : public StoreFixture, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(WriteReadSizes, ComesBackAlsoAfterPowerLoss) {
  const std::string bytes = BytesOfLength(GetParam());
  ASSERT_TRUE(Put(store.get(), Id(7), bytes).ok());
  EXPECT_TRUE(Holds(store.get(), Id(7), bytes));
  Crash();
  EXPECT_TRUE(Holds(store.get(), Id(7), bytes));
  EXPECT_EQ(store->Find(Id(7))->hash, InfoOf(Id(7), bytes).hash);
  EXPECT_EQ(store->GetSpace().stored_bytes, bytes.size());
  EXPECT_EQ(ObjectFiles().size(), bytes.size() > kSmallBytesMax ? 1u : 0u);
}

INSTANTIATE_TEST_SUITE_P(Borders, WriteReadSizes,
                         ::testing::Values(0, 1, 511, 4095, 4096, kBlock - 1, kBlock, kBlock + 1,
                                           kSmallBytesMax - 1, kSmallBytesMax, kSmallBytesMax + 1,
                                           kMiB - 1, kMiB, kMiB + 1, 8 * kMiB + 5, 64 * kMiB - 1,
                                           64 * kMiB));

TEST_F(WriteRead, OverTheLimitIsRefused) {
  auto writer = store->Create(Id(1), 0);
  ASSERT_TRUE(writer.ok());
  const std::string bytes(kMiB, 'x');
  const std::vector<std::string_view> pieces = {bytes};
  for (int i = 0; i < 64; ++i) ASSERT_TRUE((*writer)->Append(pieces).ok());
  const std::string one = "y";
  EXPECT_TRUE(absl::IsResourceExhausted((*writer)->Append(std::vector<std::string_view>{one})));
  EXPECT_FALSE((*writer)->Commit(std::nullopt).ok());
  writer->reset();
  EXPECT_EQ(ObjectFiles().size(), 0u);
  EXPECT_FALSE(store->Create(Id(1), kChunkBytesMax + 1).ok());
}

TEST_F(WriteRead, PiecesOfAnySizeGiveTheSameChunk) {
  const std::string bytes = BytesOfLength(kMiB + 777);
  for (const std::size_t piece : {1000u, 65536u, 65537u, 300'000u}) {
    ASSERT_TRUE(Put(store.get(), Id(piece), bytes, piece).ok());
    EXPECT_TRUE(Holds(store.get(), Id(piece), bytes));
  }
}

TEST_F(WriteRead, RangesAreCutOutOfBlocks) {
  for (const std::size_t size : {3 * kBlock + 100, std::size_t{900'000}}) {
    const std::string bytes = BytesOfLength(size);
    ASSERT_TRUE(Put(store.get(), Id(size), bytes).ok());
    const auto reader = store->Open(Id(size));
    ASSERT_TRUE(reader.ok());
    for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1,
                                     2 * kBlock - 3, 3 * kBlock, size - 1, size}) {
      for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{5}, kBlock - 1,
                                       kBlock, 2 * kBlock, 2 * kBlock + 7, size - offset}) {
        if (length > size - offset) continue;
        std::string out(length, '\0');
        ASSERT_TRUE((*reader)->Read(offset, out).ok()) << offset << "+" << length;
        EXPECT_TRUE(out == bytes.substr(offset, length)) << offset << "+" << length;
      }
    }
    std::string out(2, '\0');
    EXPECT_TRUE(absl::IsOutOfRange((*reader)->Read(size - 1, out)));
    EXPECT_TRUE(absl::IsOutOfRange((*reader)->Read(size + 1, {})));
  }
}

TEST_F(WriteRead, WithoutCommitNothingIsKept) {
  for (const std::size_t size : {std::size_t{10}, kLarge}) {
    auto writer = store->Create(Id(1), 0);
    const std::string bytes = BytesOfLength(size);
    ASSERT_TRUE((*writer)->Append(std::vector<std::string_view>{bytes}).ok());
    writer->reset();
    EXPECT_FALSE(store->Find(Id(1)));
    EXPECT_EQ(ObjectFiles().size(), 0u);
    EXPECT_EQ(store->GetSpace().stored_bytes, 0u);
  }
}

TEST_F(WriteRead, SizeOrHashThatLiesStoresNothing) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, kLarge}) {
    const std::string bytes = BytesOfLength(size);
    ChunkInfo other_size = InfoOf(Id(1), bytes);
    ++other_size.size;
    ChunkInfo other_hash = InfoOf(Id(1), bytes);
    other_hash.hash.low ^= 1;
    for (const ChunkInfo& lie : {other_size, other_hash}) {
      auto writer = store->Create(Id(1), 0);
      ASSERT_TRUE((*writer)->Append(std::vector<std::string_view>{bytes}).ok());
      EXPECT_TRUE(absl::IsDataLoss((*writer)->Commit(lie).status()));
      writer->reset();
      EXPECT_FALSE(store->Find(Id(1)));
      EXPECT_EQ(ObjectFiles().size(), 0u);
    }
  }
  EXPECT_TRUE(store->Health().ok());
}

TEST_F(WriteRead, ChecksumOfEachMessageIsChecked) {
  auto writer = store->Create(Id(1), 0);
  const std::string first = BytesOfLength(100'000, 1);
  const std::string second = BytesOfLength(300'001, 2);
  EXPECT_TRUE((*writer)
                  ->AppendChecked(std::vector<std::string_view>{first},
                                  Crc32c(first.data(), first.size()))
                  .ok());
  EXPECT_TRUE((*writer)
                  ->AppendChecked(std::vector<std::string_view>{second},
                                  Crc32c(second.data(), second.size()))
                  .ok());
  EXPECT_TRUE(absl::IsDataLoss((*writer)->AppendChecked(
      std::vector<std::string_view>{first}, Crc32c(second.data(), second.size()))));
  EXPECT_FALSE((*writer)->Commit(std::nullopt).ok());
  EXPECT_TRUE(store->Health().ok());
}

TEST_F(WriteRead, TwoWritersOfOneChunk) {
  for (const std::size_t size : {std::size_t{10}, kLarge}) {
    const std::string bytes = BytesOfLength(size);
    const std::vector<std::string_view> pieces = {bytes};
    auto first = store->Create(Id(size), 0);
    auto second = store->Create(Id(size), 0);
    ASSERT_TRUE((*first)->Append(pieces).ok());
    ASSERT_TRUE((*second)->Append(pieces).ok());
    EXPECT_TRUE((*second)->Commit(std::nullopt).ok());
    EXPECT_TRUE((*first)->Commit(std::nullopt).ok());
    first->reset();
    second->reset();
    EXPECT_TRUE(Holds(store.get(), Id(size), bytes));
  }
  EXPECT_EQ(ObjectFiles().size(), 1u) << "the second copy is not kept";
  EXPECT_EQ(store->GetSpace().stored_bytes, 10 + kLarge);
}

TEST_F(WriteRead, AnotherContentUnderTheSameIdIsRefused) {
  for (const std::size_t size : {std::size_t{10}, kLarge}) {
    const std::string bytes = BytesOfLength(size);
    ASSERT_TRUE(Put(store.get(), Id(size), bytes).ok());
    EXPECT_TRUE(
        absl::IsFailedPrecondition(Put(store.get(), Id(size), BytesOfLength(size, 2))));
    EXPECT_TRUE(Holds(store.get(), Id(size), bytes));
  }
  EXPECT_EQ(ObjectFiles().size(), 1u);
}

TEST_F(WriteRead, SmallOnesInOneCallHaveTheirOwnResults) {
  const std::string a = BytesOfLength(4096, 1);
  const std::string b = BytesOfLength(4096, 2);
  const std::string too_large = BytesOfLength(kSmallBytesMax + 1);
  ChunkInfo wrong = InfoOf(Id(2), b);
  wrong.hash.high ^= 4;
  const std::vector<SmallWrite> writes = {{InfoOf(Id(1), a), a},
                                          {wrong, b},
                                          {InfoOf(Id(3), too_large), too_large},
                                          {InfoOf(Id(1), a), a},
                                          {InfoOf(Id(1), b), b},
                                          {InfoOf(Id(4), ""), ""}};
  const auto results = store->PutSmall(writes);
  ASSERT_EQ(results.size(), writes.size());
  EXPECT_TRUE(results[0].ok()) << results[0];
  EXPECT_TRUE(absl::IsDataLoss(results[1]));
  EXPECT_TRUE(absl::IsInvalidArgument(results[2]));
  EXPECT_TRUE(results[3].ok()) << "the same once more";
  EXPECT_TRUE(absl::IsFailedPrecondition(results[4])) << "another content";
  EXPECT_TRUE(results[5].ok());
  Crash();
  EXPECT_TRUE(Holds(store.get(), Id(1), a));
  EXPECT_FALSE(store->Find(Id(2)));
  EXPECT_FALSE(store->Find(Id(3)));
  EXPECT_TRUE(Holds(store.get(), Id(4), ""));
}

TEST_F(WriteRead, ManyThreadsWriteAtOnce) {
  constexpr int kEach = 40;
  Mutex mutex;
  CondVar changed;
  int ended = 0;
  {
    ThreadPool pool("writers", 8);
    for (std::uint64_t t = 0; t < 8; ++t) {
      pool.Post([this, t, &mutex, &changed, &ended] {
        for (std::uint32_t i = 0; i < kEach; ++i) {
          // All threads write to one transaction, and each to its own.
          for (const ChunkId& id : {Id(1, static_cast<std::uint32_t>(t) * kEach + i), Id(10 + t, i)}) {
            const std::string bytes = BytesOfLength(i == 3 ? kLarge : 100 + i, t);
            EXPECT_TRUE(Put(store.get(), id, bytes).ok());
            EXPECT_TRUE(Holds(store.get(), id, bytes));
          }
        }
        MutexLock lock(&mutex);
        ++ended;
        changed.SignalAll();
      });
    }
    MutexLock lock(&mutex);  // stopping the pool would drop what is queued
    while (ended < 8) changed.Wait(&mutex);
  }
  Crash();
  EXPECT_EQ(Count(), 8u * kEach * 2);
}

TEST_F(WriteRead, TooLittleSpaceIsRefusedBeforeWriting) {
  disk.SetSpace({.total_bytes = std::uint64_t{100} << 30, .free_bytes = (std::uint64_t{2} << 30)});
  EXPECT_EQ(store->GetSpace().free_bytes, 0u) << "2 % are kept back";
  const std::string bytes = BytesOfLength(10);
  EXPECT_TRUE(absl::IsResourceExhausted(store->Create(Id(1), 10).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(
      store->PutSmall(std::vector<SmallWrite>{{InfoOf(Id(1), bytes), bytes}}).front()));
  EXPECT_TRUE(absl::IsResourceExhausted(Put(store.get(), Id(1), BytesOfLength(kLarge))));
  EXPECT_EQ(ObjectFiles().size(), 0u);
  EXPECT_TRUE(store->Health().ok());
  disk.SetSpace({.total_bytes = std::uint64_t{100} << 30, .free_bytes = (std::uint64_t{4} << 30)});
  EXPECT_TRUE(Put(store.get(), Id(1), bytes).ok()) << "it recovers by itself";
}

TEST(Reserve, LeavesSmallDisksUsable) {
  EXPECT_EQ(ReserveOf(std::uint64_t{500} << 20), std::uint64_t{50} << 20);
  EXPECT_EQ(ReserveOf(std::uint64_t{10} << 30), std::uint64_t{256} << 20);
  EXPECT_EQ(ReserveOf(std::uint64_t{100} << 30), (std::uint64_t{100} << 30) / 50);
}

TEST_F(WriteRead, FullDiskMidwayLeavesNothing) {
  disk.SetRoom(500'000);
  EXPECT_TRUE(absl::IsResourceExhausted(Put(store.get(), Id(1), BytesOfLength(kMiB), 100'000)));
  EXPECT_EQ(ObjectFiles().size(), 0u);
  EXPECT_FALSE(store->Find(Id(1)));
  EXPECT_TRUE(store->Health().ok());
  disk.SetRoom(std::uint64_t{1} << 30);
  EXPECT_TRUE(Put(store.get(), Id(1), BytesOfLength(kMiB)).ok());
}

TEST_F(WriteRead, FailedSyncOfAFilePoisonsTheStore) {
  ASSERT_TRUE(Put(store.get(), Id(1), "kept").ok());
  system.FailNextSync("objects/");
  EXPECT_TRUE(absl::IsDataLoss(Put(store.get(), Id(2), BytesOfLength(kLarge))));
  EXPECT_TRUE(absl::IsDataLoss(store->Health()));
  EXPECT_FALSE(Put(store.get(), Id(3), "x").ok());
  EXPECT_FALSE(store->PutSmall(std::vector<SmallWrite>{{InfoOf(Id(3), "x"), "x"}}).front().ok());
  EXPECT_FALSE(store->RelinkAll(std::vector<Relink>{}).ok());
  EXPECT_FALSE(store->Vouch(Id(1)).ok());
  EXPECT_TRUE(Holds(store.get(), Id(1), "kept")) << "reads go on";
  Crash();
  EXPECT_TRUE(store->Health().ok());
  EXPECT_TRUE(Holds(store.get(), Id(1), "kept"));
  EXPECT_FALSE(store->Find(Id(2)));
}

// The kernel reports a failed sync once and forgets what it could not write: a second one that succeeds means nothing.
TEST_F(WriteRead, AFailedSyncOfTheBytesIsNotTriedAgain) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(kLarge)).ok());  // makes the folders
  system.FailNextSync("objects/");
  EXPECT_TRUE(absl::IsDataLoss(Put(store.get(), Id(2), BytesOfLength(kLarge, 2))));
  EXPECT_TRUE(absl::IsDataLoss(store->Health()));
  Crash();
  EXPECT_TRUE(Holds(store.get(), Id(1), BytesOfLength(kLarge)));
  EXPECT_FALSE(store->Find(Id(2)));
}

TEST_F(WriteRead, FailedSyncOfTheIndexPoisonsTheStore) {
  system.FailNextSync(".log");
  EXPECT_TRUE(absl::IsDataLoss(Put(store.get(), Id(1), "x")));
  EXPECT_TRUE(absl::IsDataLoss(store->Health()));
  EXPECT_FALSE(Put(store.get(), Id(2), "y").ok());
  Crash();
  EXPECT_TRUE(Put(store.get(), Id(2), "y").ok());
}

// Feature 42.
TEST_F(WriteRead, NamesOnDiskAreNumbersOnly) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(kLarge)).ok());
  ASSERT_EQ(ObjectFiles().size(), 1u);
  EXPECT_THAT(ObjectFiles()[0], ::testing::MatchesRegex(
                                    "/data/chunks/objects/[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/"
                                    "[0-9a-f]+"));
}

TEST_F(WriteRead, FilesNobodyNamesAreSweptAtStart) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(kLarge)).ok());
  const std::string path = ObjectFiles()[0];
  std::string orphan = path;
  orphan.back() = 'f';
  ASSERT_TRUE(disk.Create(orphan).ok());
  const std::string stranger = path.substr(0, path.size() - 16) + "notes.txt";
  ASSERT_TRUE(disk.Create(stranger).ok());
  ASSERT_EQ(ObjectFiles().size(), 3u);
  Reopen();
  EXPECT_THAT(ObjectFiles(), ::testing::UnorderedElementsAre(path, stranger));
  EXPECT_TRUE(Get(store.get(), Id(1)).ok());
}

TEST_F(WriteRead, ForEachIsInOrderAndResumes) {
  const std::vector<ChunkId> ids = {Id(1), Id(2), Id(2, 1), Id(2, 300), Id(1, 0, 2), Id(256, 0, 2)};
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) ASSERT_TRUE(Put(store.get(), *id, "x").ok());
  std::vector<ChunkId> seen;
  const auto visit = [&](const HeldChunk& held) {
    seen.push_back(held.info.id);
    return true;
  };
  store->ForEach(std::nullopt, visit);
  EXPECT_EQ(seen, ids);
  seen.clear();
  store->ForEach(Id(2, 1), visit);
  EXPECT_EQ(seen, std::vector<ChunkId>(ids.begin() + 3, ids.end()));
}

}  // namespace
}  // namespace dfs::chunk
