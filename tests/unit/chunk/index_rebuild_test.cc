// A damaged chunk index is made anew from what can be read of it, and from the files of large objects.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/rocksdb_record_ends.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

class IndexRebuild : public StoreFixture {
 protected:
  void Write(std::uint64_t sequence, std::size_t size) {
    const std::string bytes = BytesOfLength(size, sequence);
    ASSERT_TRUE(Put(store.get(), Id(sequence), bytes).ok());
    written_[Id(sequence)] = bytes;
  }
  // Small and large ones, in tables, in blob files and in the write-ahead log.
  void WriteSome() {
    for (std::uint64_t i = 1; i <= 60; ++i) Write(i, i % 3 == 0 ? 5'000 : 300);
    Write(61, kLarge);
    Reopen();
    for (std::uint64_t i = 62; i <= 90; ++i) Write(i, i % 3 == 0 ? 5'000 : 300);
    Write(91, kLarge + 70'000);
  }
  std::vector<std::string> IndexFiles(const std::string& ending) {
    std::vector<std::string> out;
    for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
      if (path.ends_with(ending)) out.push_back(path);
    }
    return out;
  }
  // The chunks that read back right; any other must not be there at all.
  std::set<ChunkId> Readable() {
    std::set<ChunkId> out;
    for (const auto& [id, bytes] : written_) {
      const auto read = Get(store.get(), id);
      if (read.ok()) {
        EXPECT_TRUE(*read == bytes) << id << ": wrong bytes";
        out.insert(id);
      } else {
        EXPECT_TRUE(absl::IsNotFound(read.status()) || absl::IsDataLoss(read.status()))
            << read.status();
      }
    }
    return out;
  }
  void ExpectAllAfterHealing() {
    for (const auto& [id, bytes] : written_) {
      const absl::Status put = Put(store.get(), id, bytes);
      ASSERT_TRUE(put.ok()) << put;
      EXPECT_TRUE(Holds(store.get(), id, bytes));
    }
    Reopen();
    EXPECT_FALSE(store->was_cut());
    EXPECT_EQ(Readable().size(), written_.size());
    EXPECT_EQ(store->GetDamage().damaged_objects, 0u);
  }

  std::map<ChunkId, std::string> written_;
};

TEST_F(IndexRebuild, RotThatACompactionMeetsEndsWithTheNextOpening) {
  constexpr std::uint64_t kChunks = 1'500;
  for (std::uint64_t i = 1; i <= kChunks; ++i) Write(i, 40);
  Reopen();
  store.reset();
  std::string largest;
  for (const auto& path : IndexFiles(".sst")) {
    const std::string bytes = *system.Read(path);
    if (bytes.find(EncodeKey(Id(kChunks))) == std::string::npos || bytes.size() < 60'000) continue;
    largest = path;
  }
  ASSERT_FALSE(largest.empty());
  Flip(largest, static_cast<std::ptrdiff_t>(system.Read(largest)->size() / 2));
  // Each opening writes another table; some number of them is compacted, at latest with level 0 at its trigger.
  Reopen();
  std::uint64_t next = kChunks;
  for (int i = 0; i < 12 && store->Health().ok(); ++i) {
    for (int k = 0; k < 3; ++k) {
      const std::string bytes = BytesOfLength(40, ++next);
      if (Put(store.get(), Id(next), bytes).ok()) written_[Id(next)] = bytes;
    }
    Reopen();
    // The compaction runs in the background: give it something to run into.
    for (int k = 0; k < 200 && store->Health().ok(); ++k) {
      (void)Put(store.get(), Id(next), written_[Id(next)]);
    }
  }
  ASSERT_FALSE(store->Health().ok()) << "no compaction met the damage";
  EXPECT_FALSE(Put(store.get(), Id(9'999), "x").ok());
  EXPECT_TRUE(store->WantsReopening());
  Reopen();
  EXPECT_TRUE(store->was_cut());
  EXPECT_TRUE(store->Health().ok());
  EXPECT_FALSE(store->WantsReopening());
  const std::size_t readable = Readable().size();
  EXPECT_LT(readable, written_.size());
  EXPECT_GT(readable, written_.size() * 9 / 10);
  ExpectAllAfterHealing();
}

TEST_F(IndexRebuild, WithoutItsManifestNothingIsLost) {
  WriteSome();
  for (const std::string victim : {"/CURRENT", "/MANIFEST-"}) {
    store.reset();
    for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
      if (path.find(victim) != std::string::npos) system.Replace(path, "rubbish\n");
    }
    Reopen();
    EXPECT_TRUE(store->was_cut());
    EXPECT_EQ(Readable().size(), written_.size()) << victim;
    for (const auto& [id, bytes] : written_) {
      EXPECT_GT(Held(store.get(), id)->touched, clock.now) << "nothing is asked about what may be running";
    }
  }
  ExpectAllAfterHealing();
}

// Cut between two records it is whole by every checksum, and names fewer tables.
TEST_F(IndexRebuild, WithoutTheEndOfItsManifestNothingIsLost) {
  WriteSome();
  store.reset();
  std::string manifest;
  for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
    if (path.find("/MANIFEST-") != std::string::npos) manifest = path;
  }
  const std::string whole = *system.Read(manifest);
  const auto ends = testing::RecordEnds(whole);
  ASSERT_GE(ends.size(), 4u);
  ASSERT_EQ(ends.back(), whole.size());
  system.Replace(manifest, whole.substr(0, ends[ends.size() - 3]));
  Reopen();
  EXPECT_TRUE(store->was_cut());
  EXPECT_EQ(Readable().size(), written_.size());
  ExpectAllAfterHealing();
}

TEST_F(IndexRebuild, ATableOrBlobFileThatIsGoneCostsWhatWasInItOnly) {
  WriteSome();
  store.reset();
  testing::FaultFileSystem& disk_before = system;
  std::map<std::string, std::string> all;
  for (const auto& path : system.Files("/data")) all[path] = *disk_before.Read(path);
  const std::size_t files = IndexFiles(".sst").size() + IndexFiles(".blob").size();
  ASSERT_GE(files, 5u);
  std::vector<std::string> victims = IndexFiles(".sst");
  for (const auto& path : IndexFiles(".blob")) victims.push_back(path);
  for (const auto& victim : victims) {
    SCOPED_TRACE(victim);
    testing::FaultFileSystem other;
    testing::FaultDisk other_disk(&other);
    for (const auto& [path, bytes] : all) {
      if (path == victim) continue;
      for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        ASSERT_TRUE(other_disk.MakeFolder(path.substr(0, at)).ok());
      }
      ASSERT_TRUE(rocksdb::WriteStringToFile(other.env(), bytes, path, true).ok());
    }
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &other_disk, .env = other.env(), .clock = &clock});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store = *std::move(opened);
    const auto readable = Readable();
    // What was written later is in the log; large ones come back by their files.
    for (std::uint64_t i = 61; i <= 91; ++i) EXPECT_TRUE(readable.contains(Id(i))) << i;
    for (const auto& [id, bytes] : written_) {
      ASSERT_TRUE(Put(store.get(), id, bytes).ok());
    }
    EXPECT_EQ(Readable().size(), written_.size());
    store.reset();
  }
}

TEST_F(IndexRebuild, LargeChunksComeBackByTheirFilesWhenTheWholeIndexIsGone) {
  WriteSome();
  store.reset();
  for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
    ASSERT_TRUE(system.env()->DeleteFile(path).ok());
  }
  Reopen();
  EXPECT_EQ(Readable(), (std::set<ChunkId>{Id(61), Id(91)}));
  EXPECT_EQ(ObjectFiles().size(), 2u);
  ExpectAllAfterHealing();
}

TEST_F(IndexRebuild, AnAdoptedFileThatTheLogContradictsIsDamagedAndReplaced) {
  WriteSome();
  store.reset();
  for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
    ASSERT_TRUE(system.env()->DeleteFile(path).ok());
  }
  Flip(ObjectFiles().front(), -10);
  Reopen();
  const ChunkInfo wanted = InfoOf(Id(61), written_[Id(61)]);
  const auto held = store->Find(Id(61));
  ASSERT_TRUE(held);
  EXPECT_NE(held->hash, wanted.hash) << "nothing here can tell";
  store->CompareWith(wanted);
  EXPECT_FALSE(store->Find(Id(61)));
  EXPECT_EQ(store->GetDamage().damaged_objects, 1u);
  store->CompareWith(InfoOf(Id(91), written_[Id(91)]));
  EXPECT_TRUE(store->Find(Id(91)));
  ExpectAllAfterHealing();
}

TEST_F(IndexRebuild, FilesThatAreNoChunksAreNotAdopted) {
  WriteSome();
  store.reset();
  const std::string torn = std::string(kFolder) + "/objects/00/00/00000000000000f0";
  ASSERT_TRUE(rocksdb::WriteStringToFile(system.env(), "no header", torn, true).ok());
  for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
    ASSERT_TRUE(system.env()->DeleteFile(path).ok());
  }
  Reopen();
  EXPECT_EQ(ObjectFiles().size(), 2u);
  EXPECT_EQ(system.Files(std::string(kFolder) + "/quarantine").size(), 1u);
  EXPECT_EQ(Readable(), (std::set<ChunkId>{Id(61), Id(91)}));
}

// Several chunks of one object: the count is made anew.
TEST_F(IndexRebuild, SharedObjectsStayUntilTheirLastChunkGoes) {
  Write(1, kLarge);
  const ChunkInfo info = InfoOf(Id(1), written_[Id(1)]);
  ASSERT_TRUE(store->RelinkAll(std::vector<Relink>{{Id(1), Id(2), info.size, info.hash},
                                                   {Id(1), Id(3), info.size, info.hash}})
                  .ok());
  store.reset();
  system.Replace(std::string(kFolder) + "/index/CURRENT", "rubbish\n");
  Reopen();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(Holds(store.get(), Id(i), written_[Id(1)]));
    TrashNow(Id(i));
    EXPECT_TRUE(RemoveNow(Id(i)).ok());
    EXPECT_EQ(ObjectFiles().size(), i < 3 ? 1u : 0u);
  }
}

TEST_F(IndexRebuild, CountsOfReferencesAreMadeAnew) {
  constexpr std::uint64_t kChunks = 1'500;
  Write(1, kLarge);
  const ChunkInfo info = InfoOf(Id(1), written_[Id(1)]);
  std::vector<Relink> links;
  for (std::uint64_t i = 2; i <= kChunks; ++i) {
    links.push_back({Id(1), Id(i), info.size, info.hash});
  }
  ASSERT_TRUE(store->RelinkAll(links).ok());
  Reopen();
  store.reset();
  int flipped = 0;
  for (const auto& path : IndexFiles(".sst")) {
    const std::string bytes = *system.Read(path);
    if (bytes.find(EncodeKey(Id(kChunks))) == std::string::npos || bytes.size() < 60'000) continue;
    Flip(path, static_cast<std::ptrdiff_t>(bytes.size() / 2));
    ++flipped;
  }
  ASSERT_EQ(flipped, 1);
  ASSERT_TRUE(rocksdb::WriteStringToFile(
                  system.env(), "", absl::StrCat(kFolder, "/index/", kRebuildOrderFile), true)
                  .ok());
  Reopen();
  std::vector<ChunkId> held;
  store->ForEach(std::nullopt, [&](const HeldChunk& chunk) {
    held.push_back(chunk.info.id);
    return true;
  });
  EXPECT_LT(held.size(), kChunks) << "nothing was lost";
  EXPECT_GT(held.size(), kChunks / 2);
  for (const ChunkId& id : held) {
    ASSERT_EQ(ObjectFiles().size(), 1u);
    TrashNow(id);
    ASSERT_TRUE(RemoveNow(id).ok());
  }
  EXPECT_EQ(ObjectFiles().size(), 0u) << "chunks that were lost hold the object for ever";
}

}  // namespace
}  // namespace dfs::chunk
