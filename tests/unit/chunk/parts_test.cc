// Formats, locks and the machine's own disk.
#include <sys/stat.h>

#include "common/executor.h"
#include "common/posix_disk.h"
#include "server/chunk/index_format.h"
#include "server/chunk/key_locks.h"
#include "server/chunk/sync_latency.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

ObjectRecord SomeObject() {
  ObjectRecord out{.kind = ObjectKind::kFile, .references = 3, .size = 70'000, .table = {1, 2}};
  out.hash = BlockChecksums::HashOf(out.size, out.table);
  return out;
}

TEST(IndexFormat, ComesBack) {
  const ChunkRecord chunk{ObjectId(9), 1234, {5, 6}, 77};
  EXPECT_EQ(DecodeChunkRecord(Encode(chunk)), chunk);
  EXPECT_EQ(DecodeObjectRecord(Encode(SomeObject())), SomeObject());
  EXPECT_EQ(DecodeChunkKey(EncodeKey(Id(3, 4, 5))), Id(3, 4, 5));
  EXPECT_EQ(DecodeObjectKey(EncodeKey(ObjectId(1) )), ObjectId(1));
  EXPECT_EQ(DecodeTime(EncodeTime(-5)), -5);
  const FileHeader header{ObjectId(2), Id(3, 4, 5)};
  EXPECT_EQ(Encode(header).size(), kHeaderBytes);
  EXPECT_EQ(DecodeFileHeader(Encode(header)), header);
}

TEST(IndexFormat, KeysSortAsIds) {
  const std::vector<ChunkId> ids = {Id(1), Id(1, 1), Id(1, 256), Id(2), Id(255), Id(256), Id(1, 0, 2)};
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_LT(EncodeKey(ids[i - 1]), EncodeKey(ids[i]));
    EXPECT_TRUE(EncodeKey(ids[i]).starts_with(EncodeKey(ids[i].txn)));
  }
}

TEST(IndexFormat, AnythingElseIsRefused) {
  const std::string object = Encode(SomeObject());
  const std::string chunk = Encode(ChunkRecord{ObjectId(9), 1234, {5, 6}, 77});
  for (std::size_t n = 0; n < object.size(); ++n) {
    EXPECT_FALSE(DecodeObjectRecord(object.substr(0, n)));
  }
  for (std::size_t n = 0; n < chunk.size(); ++n) EXPECT_FALSE(DecodeChunkRecord(chunk.substr(0, n)));
  EXPECT_FALSE(DecodeObjectRecord(object + "x"));
  EXPECT_FALSE(DecodeChunkRecord(chunk + "x"));
  // Every byte of size, hash and table is bound by the hash.
  for (std::size_t i = 7; i < object.size(); ++i) {
    std::string flipped = object;
    flipped[i] ^= 1;
    EXPECT_FALSE(DecodeObjectRecord(flipped)) << i;
  }
  const std::string header = Encode(FileHeader{ObjectId(2), Id(3, 4, 5)});
  for (std::size_t i = 0; i < 41; ++i) {
    std::string flipped = header;
    flipped[i] ^= 1;
    EXPECT_FALSE(DecodeFileHeader(flipped)) << i;
  }
  EXPECT_FALSE(DecodeFileHeader(header.substr(1)));
}

TEST(KeyLocks, TakesAllOrWaits) {
  KeyLocks<int> locks;
  Event is_second_in;
  std::optional<KeyLocks<int>::Guard> first(locks.Lock({1, 2, 2}));
  ThreadExecutor other("other");
  other.Post([&] {
    const auto guard = locks.Lock({2, 3});
    is_second_in.Set();
  });
  { const auto unrelated = locks.Lock(3); }
  EXPECT_FALSE(is_second_in.WaitFor(absl::Milliseconds(20)));
  first.reset();
  is_second_in.Wait();
  other.Stop();
  const auto again = locks.Lock({1, 2, 3});
}

TEST(SyncLatency, P99OfTheRecentOnes) {
  SyncLatency latency;
  EXPECT_EQ(latency.P99(), absl::ZeroDuration());
  for (int i = 1; i <= 100; ++i) latency.Record(absl::Milliseconds(i));
  EXPECT_EQ(latency.P99(), absl::Milliseconds(99));
  for (std::size_t i = 0; i < SyncLatency::kRecent; ++i) latency.Record(absl::Milliseconds(1));
  EXPECT_EQ(latency.P99(), absl::Milliseconds(1));
}

class OwnDisk : public ::testing::Test {
 protected:
  OwnDisk() {
    std::string name = ::testing::TempDir() + "/dfs_disk_XXXXXX";
    root = ::mkdtemp(name.data());
  }
  ~OwnDisk() override {
    const std::string command = "rm -rf " + root;
    EXPECT_EQ(std::system(command.c_str()), 0);
  }
  std::string root;
  Disk& disk = PosixDisk();
};

TEST_F(OwnDisk, FilesAndFolders) {
  ASSERT_TRUE(disk.MakeFolder(root + "/a").ok());
  ASSERT_TRUE(disk.MakeFolder(root + "/a").ok());
  auto file = disk.Create(root + "/a/f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(absl::IsAlreadyExists(disk.Create(root + "/a/f").status()));
  std::vector<std::string> texts;
  std::vector<std::string_view> pieces;
  std::string all;
  for (int i = 0; i < 1500; ++i) texts.push_back(std::to_string(i));  // more than one call takes
  texts[7].clear();
  for (const auto& text : texts) {
    pieces.push_back(text);
    all += text;
  }
  ASSERT_TRUE((*file)->Write(3, pieces).ok());
  (*file)->StartWriteback(0, 100);
  ASSERT_TRUE((*file)->SetMode(0400).ok());
  ASSERT_TRUE((*file)->SyncData().ok());
  ASSERT_TRUE(disk.SyncFolder(root + "/a").ok());
  auto opened = disk.Open(root + "/a/f");
  ASSERT_TRUE(opened.ok());
  std::string out(all.size(), '\0');
  ASSERT_TRUE((*opened)->Read(3, out).ok());
  EXPECT_TRUE(out == all);
  EXPECT_TRUE(absl::IsOutOfRange((*opened)->Read(4, out)));
  EXPECT_FALSE((*opened)->Write(0, pieces).ok()) << "for reading only";
  struct stat status;
  ASSERT_EQ(::stat((root + "/a/f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0400u);
  ASSERT_TRUE(disk.Rename(root + "/a/f", root + "/g").ok());
  const auto listed = disk.List(root);
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ(listed->size(), 2u);
  for (const auto& entry : *listed) EXPECT_EQ(entry.is_folder, entry.name == "a");
  ASSERT_TRUE(disk.Unlink(root + "/g").ok());
  ASSERT_TRUE((*opened)->Read(3, out).ok()) << "who has it open keeps it";
  EXPECT_TRUE(absl::IsNotFound(disk.Unlink(root + "/g")));
  EXPECT_TRUE(absl::IsNotFound(disk.Open(root + "/g").status()));
  EXPECT_TRUE(absl::IsNotFound(disk.List(root + "/nowhere").status()));
  EXPECT_TRUE(absl::IsNotFound(disk.SyncFolder(root + "/nowhere")));
  EXPECT_GT(disk.GetSpace(root)->total_bytes, disk.GetSpace(root)->free_bytes);
}

TEST_F(OwnDisk, StoreRunsOnIt) {
  const std::string large = BytesOfLength((std::size_t{20} << 20) + 77);
  for (int i = 0; i < 2; ++i) {
    auto store = LocalChunkStore::Open({.data_dir = root, .reserve_bytes = 0});
    ASSERT_TRUE(store.ok()) << store.status();
    if (i == 0) {
      EXPECT_TRUE(Put(store->get(), Id(1), large).ok());
      EXPECT_TRUE(Put(store->get(), Id(2), "small").ok());
      EXPECT_GT((*store)->SyncP99(), absl::ZeroDuration());
      EXPECT_FALSE(LocalChunkStore::Open({.data_dir = root}).ok()) << "open already";
    }
    EXPECT_TRUE(Holds(store->get(), Id(1), large));
    EXPECT_TRUE(Holds(store->get(), Id(2), "small"));
  }
}

}  // namespace
}  // namespace dfs::chunk
