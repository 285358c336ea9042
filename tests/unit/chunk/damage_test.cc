// Damaged bytes are found, remembered, never served, and replaced by a new copy.
#include <set>

#include <rocksdb/db.h>

#include "server/chunk/index_format.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

constexpr std::size_t kBlock = BlockChecksums::kBlockBytes;

class Damage : public StoreFixture {
 protected:
  // Replaces the stored bytes of every small object, behind the store's back.
  void RewriteSmall(const std::function<std::string(std::string)>& change) {
    store.reset();
    rocksdb::DBOptions options;
    options.env = system.env();
    std::vector<std::string> names;
    const std::string path = std::string(kFolder) + "/index";
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(options, path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, path, families, &handles, &db).ok());
    for (auto* handle : handles) {
      if (handle->GetName() == "bytes") {
        const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator({}, handle));
        for (at->SeekToFirst(); at->Valid(); at->Next()) {
          ASSERT_TRUE(db->Put({}, handle, at->key(), change(at->value().ToString())).ok());
        }
      }
    }
    for (auto* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    ASSERT_TRUE(db->Close().ok());
    delete db;
    Reopen();
  }
  // Found bad by a read; not served afterwards, also after a restart; a new copy heals it.
  void ExpectFoundAndHealed(const ChunkId& id, const std::string& bytes) {
    const absl::Status read = Get(store.get(), id).status();
    EXPECT_TRUE(absl::IsDataLoss(read)) << read;
    ExpectRememberedAndHealed(id, bytes);
  }
  void ExpectRememberedAndHealed(const ChunkId& id, const std::string& bytes) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_FALSE(store->Find(id));
      EXPECT_TRUE(absl::IsNotFound(store->Open(id).status()));
      EXPECT_TRUE(absl::IsNotFound(store->Vouch(id).status()));
      ASSERT_TRUE(Held(store.get(), id));
      EXPECT_TRUE(Held(store.get(), id)->is_damaged);
      Reopen();
    }
    ASSERT_TRUE(Put(store.get(), id, bytes).ok());
    EXPECT_TRUE(Holds(store.get(), id, bytes));
    EXPECT_FALSE(Held(store.get(), id)->is_damaged);
    EXPECT_EQ(store->GetSpace().stored_bytes, bytes.size()) << "the bad copy is gone";
    Crash();
    EXPECT_TRUE(Holds(store.get(), id, bytes));
    EXPECT_LE(ObjectFiles().size(), 1u);
  }
};

TEST_F(Damage, OneBitOfALargeChunk) {
  const std::string bytes = BytesOfLength(5 * kBlock + 3);
  const auto count = static_cast<std::ptrdiff_t>(bytes.size());
  for (const std::ptrdiff_t at : {std::ptrdiff_t{0}, std::ptrdiff_t{kBlock}, count - 1}) {
    const ChunkId id = Id(1);
    ASSERT_TRUE(Put(store.get(), id, bytes).ok());
    Flip(ObjectFiles()[0], static_cast<std::ptrdiff_t>(kHeaderBytes) + at);
    ExpectFoundAndHealed(id, bytes);
  }
}

TEST_F(Damage, OtherBlocksAreStillReadThroughAnOpenReader) {
  const std::string bytes = BytesOfLength(5 * kBlock);
  ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
  const auto reader = store->Open(Id(1));
  ASSERT_TRUE(reader.ok());
  Flip(ObjectFiles()[0], static_cast<std::ptrdiff_t>(kHeaderBytes + 2 * kBlock + 9));
  std::string out(2 * kBlock, '\0');
  EXPECT_TRUE((*reader)->Read(0, out).ok());
  EXPECT_TRUE(store->Find(Id(1)));
  std::string one(1, '\0');
  EXPECT_TRUE(absl::IsDataLoss((*reader)->Read(2 * kBlock + 5, one))) << "of the same block";
  EXPECT_FALSE(store->Find(Id(1)));
  EXPECT_TRUE((*reader)->Read(3 * kBlock, out).ok());
  EXPECT_TRUE(out == bytes.substr(3 * kBlock));
}

// Where RocksDB keeps the bytes of small chunks once they have left its memory.
TEST_F(Damage, OneBitOfASmallChunkInABlobFile) {
  const std::string bytes = BytesOfLength(3 * kBlock);
  ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
  Reopen();  // which writes what the log held into files
  std::vector<std::string> blobs;
  for (const auto& file : system.Files(std::string(kFolder) + "/index")) {
    if (file.ends_with(".blob")) blobs.push_back(file);
  }
  ASSERT_EQ(blobs.size(), 1u) << "small bytes are not kept apart from their keys";
  Flip(blobs[0], static_cast<std::ptrdiff_t>(bytes.size() / 2));
  EXPECT_FALSE(Get(store.get(), Id(1)).ok());
  ExpectRememberedAndHealed(Id(1), bytes);
}

TEST_F(Damage, FileCutShort) {
  const std::string bytes = BytesOfLength(kLarge);
  ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
  const std::string file = system.Read(ObjectFiles()[0]).value();
  system.Replace(ObjectFiles()[0], file.substr(0, file.size() - 1));
  ExpectFoundAndHealed(Id(1), bytes);
}

TEST_F(Damage, HeaderOfAFile) {
  const std::string bytes = BytesOfLength(kLarge);
  for (const std::ptrdiff_t at : {0, 8, 12, 30, 40}) {
    ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
    Flip(ObjectFiles()[0], at);
    EXPECT_TRUE(absl::IsNotFound(store->Open(Id(1)).status())) << at;
    ExpectRememberedAndHealed(Id(1), bytes);
  }
}

TEST_F(Damage, FilesThatChangedPlaces) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(kLarge, 1)).ok());
  ASSERT_TRUE(Put(store.get(), Id(2), BytesOfLength(kLarge, 2)).ok());
  const auto files = ObjectFiles();
  const std::string first = system.Read(files[0]).value();
  system.Replace(files[0], system.Read(files[1]).value());
  system.Replace(files[1], first);
  EXPECT_FALSE(Get(store.get(), Id(1)).ok());
  EXPECT_FALSE(Get(store.get(), Id(2)).ok());
}

TEST_F(Damage, FileThatIsGone) {
  const std::string bytes = BytesOfLength(kLarge);
  ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
  ASSERT_TRUE(disk.Unlink(ObjectFiles()[0]).ok());
  EXPECT_TRUE(absl::IsNotFound(store->Open(Id(1)).status()));
  ExpectRememberedAndHealed(Id(1), bytes);
  ASSERT_TRUE(disk.Unlink(ObjectFiles()[0]).ok());
  Reopen();
  ExpectRememberedAndHealed(Id(1), bytes);
}

TEST_F(Damage, SmallChunk) {
  const std::string bytes = BytesOfLength(kBlock + 9);
  const std::vector<std::function<std::string(std::string)>> changes = {
      [](std::string value) {
        value[0] ^= 1;
        return value;
      },
      [](std::string value) {
        value[kBlock + 8] ^= 1;
        return value;
      },
      [](std::string value) { return value.substr(1); },
      [](std::string /*value*/) { return std::string(); }};
  for (const auto& change : changes) {
    ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
    RewriteSmall(change);
    ExpectFoundAndHealed(Id(1), bytes);
  }
}

TEST_F(Damage, ChunkCanStillBeTrashedAndRemoved) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(kLarge)).ok());
  Flip(ObjectFiles()[0], -1);
  EXPECT_FALSE(Get(store.get(), Id(1)).ok());
  TrashNow(Id(1));
  EXPECT_TRUE(RemoveNow(Id(1)).ok());
  EXPECT_EQ(ObjectFiles().size(), 0u);
}

TEST_F(Damage, IsNotRelinked) {
  const std::string bytes = BytesOfLength(kLarge);
  ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
  Flip(ObjectFiles()[0], -1);
  EXPECT_FALSE(Get(store.get(), Id(1)).ok());
  const ChunkInfo info = InfoOf(Id(1), bytes);
  EXPECT_TRUE(absl::IsNotFound(
      store->RelinkAll(std::vector<Relink>{{Id(1), Id(2), info.size, info.hash}})));
}

TEST_F(Damage, VouchFindsIt) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(3 * (std::size_t{1} << 20) + 5)).ok());
  EXPECT_TRUE(store->Vouch(Id(1)).ok());
  Flip(ObjectFiles()[0], -1);
  EXPECT_TRUE(absl::IsDataLoss(store->Vouch(Id(1)).status()));
  EXPECT_FALSE(store->Find(Id(1)));
}

// ---- rule R22 ----

class IndexDamage : public StoreFixture {
 protected:
  void PutMany(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i <= to; ++i) {
      ASSERT_TRUE(Put(store.get(), Id(i), BytesOfLength(500, i)).ok());
    }
  }
  absl::Status OpenAgain() {
    store.reset();
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
    if (opened.ok()) store = *std::move(opened);
    return opened.status();
  }
  std::string NewestWal() {
    std::string newest;
    for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
      if (path.ends_with(".log")) newest = std::max(newest, path);
    }
    return newest;
  }
};

TEST_F(IndexDamage, AFlippedByteInSyncedRecordsCostsThatRecordOnly) {
  PutMany(1, 20);
  store.reset();
  const std::string wal = NewestWal();
  ASSERT_GT(system.Read(wal)->size(), 4000u);
  Flip(wal, 3000);
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_TRUE(store->was_cut()) << "records that were acknowledged must not vanish silently";
  int lost = 0;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const bool is_held = Holds(store.get(), Id(i), BytesOfLength(500, i));
    EXPECT_EQ(is_held, store->Find(Id(i)).has_value());
    if (!is_held) ++lost;
  }
  EXPECT_EQ(lost, 1);
}

TEST_F(IndexDamage, AnUnsyncedTailOfZerosCostsNothingThatWasSynced) {
  PutMany(1, 20);
  store.reset();  // the mark is written
  const std::string wal = NewestWal();
  system.Replace(wal, *system.Read(wal) + std::string("\x12\x34\x56\x78\x00\x08\x01", 7) +
                          std::string(2'048, '\0') + "tail");
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_TRUE(store->was_cut());
  for (std::uint64_t i = 1; i <= 20; ++i) {
    EXPECT_TRUE(Holds(store.get(), Id(i), BytesOfLength(500, i)));
  }
  const auto kept = [this] {
    std::set<std::string> folders;
    for (const auto& path : system.Files(kFolder)) {
      const auto at = path.find("index.damaged-");
      if (at != std::string::npos) folders.insert(path.substr(at, path.find('/', at) - at));
    }
    return folders.size();
  };
  EXPECT_EQ(kept(), 1u);
  PutMany(21, 25);
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_FALSE(store->was_cut());
  // Once more: only the newest damaged index is kept.
  store.reset();
  const std::string next = NewestWal();
  system.Replace(next, *system.Read(next) + std::string("\x12\x34\x56\x78\x00\x08\x01", 7) +
                           std::string(2'048, '\0') + "tail");
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_TRUE(store->was_cut());
  EXPECT_EQ(kept(), 1u);
  for (std::uint64_t i = 1; i <= 25; ++i) {
    EXPECT_TRUE(Holds(store.get(), Id(i), BytesOfLength(500, i)));
  }
}

TEST_F(IndexDamage, ASyncedTailThatIsGoneIsNoticedByTheMark) {
  PutMany(1, 19);
  const std::size_t size_before_last = system.Read(NewestWal())->size();
  PutMany(20, 20);
  store.reset();
  const std::string wal = NewestWal();
  system.Replace(wal, system.Read(wal)->substr(0, size_before_last));
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_TRUE(store->was_cut());
  EXPECT_TRUE(Holds(store.get(), Id(19), BytesOfLength(500, 19)));
  EXPECT_FALSE(store->Find(Id(20)));
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_FALSE(store->was_cut()) << "it is noticed once";
}

TEST_F(IndexDamage, AnIndexThatIsGoneIsNoticed) {
  PutMany(1, 3);
  store.reset();
  for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
    ASSERT_TRUE(system.env()->DeleteFile(path).ok());
  }
  ASSERT_TRUE(OpenAgain().ok());
  EXPECT_TRUE(store->was_cut());
  EXPECT_FALSE(store->Find(Id(1)));
}

// The mark may lag, but never lead: what a failed sync takes away must not be taken for lost data.
TEST_F(IndexDamage, TheMarkNeverLeads) {
  PutMany(1, 10);
  system.FailNextSync(".log");
  EXPECT_FALSE(Put(store.get(), Id(11), BytesOfLength(500)).ok());
  store.reset();  // the mark is written
  system.Crash(testing::FaultFileSystem::Loss::kDrop, 1);
  ASSERT_TRUE(OpenAgain().ok());
  for (std::uint64_t i = 1; i <= 10; ++i) {
    EXPECT_TRUE(Holds(store.get(), Id(i), BytesOfLength(500, i)));
  }
  EXPECT_FALSE(store->Find(Id(11)));
}

}  // namespace
}  // namespace dfs::chunk
