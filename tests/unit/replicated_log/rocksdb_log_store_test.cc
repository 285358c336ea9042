#include "server/replicated_log/rocksdb_log_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fault_file_system.h"

namespace dfs::replicated_log {
namespace {

using testing::FaultFileSystem;

consensus::Entry MakeEntry(std::uint64_t index, std::uint64_t term, std::string command = "x") {
  consensus::Entry entry;
  entry.index = LogIndex(index);
  entry.term = Term(term);
  entry.command = std::make_shared<const std::string>(std::move(command));
  return entry;
}

consensus::Configuration OneVoter() {
  consensus::Configuration out;
  out.members[NodeId(1)] = {{1, 2}, "host:1", true};
  out.voters = {NodeId(1)};
  return out;
}

class RocksdbLogStoreTest : public ::testing::Test {
 protected:
  void Open() {
    store.reset();
    auto opened = RocksdbLogStore::Open({"/data", disk.env(), {}});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store = *std::move(opened);
  }
  absl::Status OpenFails() {
    store.reset();
    return RocksdbLogStore::Open({"/data", disk.env(), {}}).status();
  }
  void Put(const std::string& key, const std::string& value) {
    store->state()->Write({{{key, value}}});
  }
  // The file with the greatest number that ends in ".log".
  std::string NewestWal() {
    std::string newest;
    for (const auto& path : disk.Files("/data/meta")) {
      if (path.ends_with(".log")) newest = std::max(newest, path);
    }
    return newest;
  }

  FaultFileSystem disk;
  std::unique_ptr<RocksdbLogStore> store;
};

TEST_F(RocksdbLogStoreTest, KeepsTheLogAndTheHardState) {
  Open();
  auto with_configuration = MakeEntry(2, 1);
  with_configuration.configuration = std::make_shared<const consensus::Configuration>(OneVoter());
  with_configuration.command = nullptr;
  ASSERT_TRUE(store
                  ->Append(consensus::HardState{Term(1), NodeId(1)},
                           {MakeEntry(1, 1, "first"), with_configuration})
                  .ok());
  Open();
  const auto loaded = store->Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->hard_state, (consensus::HardState{Term(1), NodeId(1)}));
  ASSERT_EQ(loaded->entries.size(), 2u);
  EXPECT_EQ(*loaded->entries[0].command, "first");
  EXPECT_EQ(loaded->entries[0].configuration, nullptr);
  EXPECT_EQ(loaded->entries[1].command, nullptr);
  EXPECT_EQ(*loaded->entries[1].configuration, OneVoter());
}

TEST_F(RocksdbLogStoreTest, MarksAreWrittenWithTheNextBatch) {
  WitnessMarks marks;
  marks.RecordTerm(NodeId(2), Term(4));
  marks.RecordEntry(NodeId(2), Term(3), LogIndex(10));
  marks.RecordEntry(NodeId(3), Term(1), LogIndex(7));
  Open();
  EXPECT_EQ(store->LoadMarks(), WitnessMarks());
  store->KeepMarks(marks);
  Open();
  EXPECT_EQ(store->LoadMarks(), WitnessMarks()) << "no batch has carried them";
  store->KeepMarks(marks);
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId(1)}, {MakeEntry(1, 1, "a")}).ok());
  Open();
  EXPECT_EQ(store->LoadMarks(), marks);
  marks.RecordTerm(NodeId(3), Term(9));
  store->KeepMarks(marks);
  ASSERT_TRUE(store->FlushMarks().ok());
  Open();
  EXPECT_EQ(store->LoadMarks(), marks);
  EXPECT_EQ(store->Load()->entries.size(), 1u);
}

TEST_F(RocksdbLogStoreTest, NewEntriesReplaceTheOldTail) {
  Open();
  ASSERT_TRUE(store
                  ->Append(consensus::HardState{Term(1), NodeId()},
                           {MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1), MakeEntry(4, 1)})
                  .ok());
  ASSERT_TRUE(
      store->Append(consensus::HardState{Term(2), NodeId()}, {MakeEntry(2, 2, "new")}).ok());
  Open();
  const auto loaded = store->Load();
  ASSERT_EQ(loaded->entries.size(), 2u);
  EXPECT_EQ(loaded->entries[1].term, Term(2));
  EXPECT_EQ(*loaded->entries[1].command, "new");
}

TEST_F(RocksdbLogStoreTest, ACutLogBeginsBehindItsBase) {
  Open();
  ASSERT_TRUE(store
                  ->Append(consensus::HardState{Term(1), NodeId()},
                           {MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1)})
                  .ok());
  ASSERT_TRUE(store->Cut(LogIndex(2), Term(1), OneVoter()).ok());
  Open();
  const auto loaded = store->Load();
  EXPECT_EQ(loaded->base_index, LogIndex(2));
  EXPECT_EQ(loaded->base_term, Term(1));
  EXPECT_EQ(loaded->base_configuration, OneVoter());
  ASSERT_EQ(loaded->entries.size(), 1u);
  EXPECT_EQ(loaded->entries[0].index, LogIndex(3));
}

TEST_F(RocksdbLogStoreTest, EachOpenRaisesTheBootEpochAndKeepsTheIdentity) {
  Open();
  const auto uuid = store->identity().storage_uuid;
  EXPECT_FALSE(uuid.is_none());
  EXPECT_EQ(store->identity().boot_epoch, BootEpoch(1));
  EXPECT_FALSE(store->identity().cluster_id.has_value());
  EXPECT_FALSE(store->identity().gets_no_commands);
  ASSERT_TRUE(store->SetMembership(ClusterId{3, 4}, NodeId(7), /*gets_no_commands=*/true).ok());
  Open();
  EXPECT_EQ(store->identity().storage_uuid, uuid);
  EXPECT_EQ(store->identity().boot_epoch, BootEpoch(2));
  EXPECT_EQ(store->identity().cluster_id, (ClusterId{3, 4}));
  EXPECT_EQ(store->identity().node_id, NodeId(7));
  EXPECT_TRUE(store->identity().gets_no_commands) << "before a log says it";
}

using RocksdbLogStoreDeathTest = RocksdbLogStoreTest;

TEST_F(RocksdbLogStoreDeathTest, TermsNeverGoBackAndVotesNeverChange) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(5), NodeId(2)}, {}).ok());
  EXPECT_DEATH((void)store->Append(consensus::HardState{Term(4), NodeId()}, {}), "term");
  EXPECT_DEATH((void)store->Append(consensus::HardState{Term(5), NodeId(3)}, {}), "voted_for");
}

TEST_F(RocksdbLogStoreTest, AFailedSyncPoisonsTheStore) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId()}, {MakeEntry(1, 1)}).ok());
  disk.FailNextSync(".log");
  EXPECT_EQ(store->Append(std::nullopt, {MakeEntry(2, 1)}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store->Append(std::nullopt, {MakeEntry(2, 1)}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store->SyncState().code(), absl::StatusCode::kDataLoss);
  store.reset();
  disk.Crash(FaultFileSystem::Loss::kDrop, 1);
  Open();
  EXPECT_EQ(store->Load()->entries.size(), 1u);
}

TEST_F(RocksdbLogStoreTest, TwoProcessesCannotOpenOneDirectory) {
  Open();
  const auto second = RocksdbLogStore::Open({"/data", disk.env(), {}}).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
}

TEST_F(RocksdbLogStoreTest, ViewsDoNotSeeLaterWrites) {
  Open();
  Put("a", "1");
  const auto view = store->state()->Snapshot();
  Put("a", "2");
  Put("b", "2");
  EXPECT_EQ(view->Get("a"), "1");
  EXPECT_EQ(view->Get("b"), std::nullopt);
  EXPECT_EQ(store->state()->Get("a"), "2");
  std::vector<std::string> keys;
  store->state()->Scan("a", "b", [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  });
  EXPECT_EQ(keys, std::vector<std::string>{"a"});
}

class SnapshotTest : public RocksdbLogStoreTest {
 protected:
  // Files of the store's rows, carried over into a sink of the same store.
  std::unique_ptr<SnapshotSink> Carry(SnapshotContent* content) {
    const auto view = store->state()->Snapshot();
    auto files = store->WriteSnapshot(*view);
    EXPECT_TRUE(files.ok()) << files.status();
    *content = (*files)->content();
    auto sink = store->NewSnapshotSink();
    for (std::size_t file = 0; file < (*files)->count(); ++file) {
      const auto bytes = (*files)->Read(file, 0, std::size_t{1} << 22);
      EXPECT_TRUE((*sink)->Append(static_cast<std::uint32_t>(file), *bytes, true).ok());
    }
    return *std::move(sink);
  }
};

TEST_F(SnapshotTest, AnInstalledStateTakesThePlaceOfTheOld) {
  Open();
  ASSERT_TRUE(store
                  ->Append(consensus::HardState{Term(3), NodeId()},
                           {MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 3)})
                  .ok());
  Put("kept", "1");
  SnapshotContent content;
  auto sink = Carry(&content);
  EXPECT_EQ(content.rows, 1u);
  Put("removed since", "x");
  Put("kept", "2");
  const auto old_view = store->state()->Snapshot();
  auto prepared = store->PrepareState(std::move(sink), content, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(store->state()->Get("kept"), "2") << "nothing is in force yet";
  SnapshotDescription description{LogIndex(9), Term(2), OneVoter(), content};
  ASSERT_TRUE(store->InstallState(*std::move(prepared), description, /*keep_tail=*/false).ok());
  EXPECT_EQ(store->state()->Get("kept"), "1");
  EXPECT_EQ(store->state()->Get("removed since"), std::nullopt);
  EXPECT_EQ(old_view->Get("removed since"), "x") << "readers keep what they had";
  // The log was of a later term, but not part of what is committed: the end went back, lawfully.
  Put("after", "3");
  ASSERT_TRUE(store->Append(consensus::HardState{Term(4), NodeId()}, {MakeEntry(10, 4)}).ok());
}

TEST_F(SnapshotTest, AnInstalledStateSurvives) {
  Open();
  ASSERT_TRUE(store
                  ->Append(consensus::HardState{Term(3), NodeId()},
                           {MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 3)})
                  .ok());
  Put("kept", "1");
  SnapshotContent content;
  auto sink = Carry(&content);
  auto prepared = store->PrepareState(std::move(sink), content, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  SnapshotDescription description{LogIndex(9), Term(2), OneVoter(), content};
  ASSERT_TRUE(store->InstallState(*std::move(prepared), description, /*keep_tail=*/false).ok());
  Put("after", "3");
  ASSERT_TRUE(store->Append(consensus::HardState{Term(4), NodeId()}, {MakeEntry(10, 4)}).ok());
  store.reset();
  disk.Crash(FaultFileSystem::Loss::kDrop, 1);
  Open();
  EXPECT_EQ(store->state()->Get("kept"), "1");
  EXPECT_EQ(store->state()->Get("after"), "3");
  const auto loaded = store->Load();
  EXPECT_EQ(loaded->base_index, LogIndex(9));
  ASSERT_EQ(loaded->entries.size(), 1u);
  EXPECT_EQ(loaded->entries[0].index, LogIndex(10));
}

TEST_F(SnapshotTest, KeepsTheTailThatAgrees) {
  Open();
  ASSERT_TRUE(store
                  ->Append(consensus::HardState{Term(1), NodeId()},
                           {MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1)})
                  .ok());
  SnapshotContent content;
  auto sink = Carry(&content);
  auto prepared = store->PrepareState(std::move(sink), content, nullptr);
  SnapshotDescription description{LogIndex(2), Term(1), OneVoter(), content};
  ASSERT_TRUE(store->InstallState(*std::move(prepared), description, /*keep_tail=*/true).ok());
  Open();
  const auto loaded = store->Load();
  EXPECT_EQ(loaded->base_index, LogIndex(2));
  ASSERT_EQ(loaded->entries.size(), 1u);
}

TEST_F(SnapshotTest, ADamagedOrIncompleteSnapshotIsRefusedAndLeavesNothing) {
  Open();
  for (int i = 0; i < 100; ++i) Put("row" + std::to_string(i), std::string(1'000, 'v'));
  auto files = store->WriteSnapshot(*store->state()->Snapshot());
  const SnapshotContent content = (*files)->content();
  const std::string whole = *(*files)->Read(0, 0, std::size_t{1} << 22);
  const auto prepare = [&](const std::string& bytes, const SnapshotContent& claimed) {
    auto sink = store->NewSnapshotSink();
    EXPECT_TRUE((*sink)->Append(0, bytes, true).ok());
    return store->PrepareState(*std::move(sink), claimed, nullptr).status();
  };
  for (const std::size_t at : {std::size_t{10}, whole.size() / 2, whole.size() - 10}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(prepare(damaged, content).ok()) << "byte " << at;
  }
  EXPECT_FALSE(prepare(whole.substr(0, whole.size() / 2), content).ok());
  SnapshotContent other = content;
  ++other.rows;
  EXPECT_FALSE(prepare(whole, other).ok());
  auto sink = store->NewSnapshotSink();
  EXPECT_FALSE((*sink)->Append(1, "x", true).ok()) << "files come in order";
  EXPECT_TRUE((*sink)->Append(0, whole.substr(0, 100), false).ok());
  EXPECT_FALSE(store->PrepareState(*std::move(sink), content, nullptr).ok());
  EXPECT_TRUE(prepare(whole, content).ok());
  Open();
  EXPECT_EQ(store->state()->Get("row7"), std::string(1'000, 'v'));
}

// ---- rule R22 ----

TEST_F(RocksdbLogStoreTest, AFlippedByteInTheMiddleOfSyncedDataIsRefused) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId()}, {}).ok());
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(store->Append(std::nullopt, {MakeEntry(i, 1, std::string(500, 'a'))}).ok());
  }
  store.reset();
  const std::string wal = NewestWal();
  std::string bytes = *disk.Read(wal);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  disk.Replace(wal, bytes);
  const auto before = disk.Files("/data/meta");
  const auto refused = OpenFails();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
  EXPECT_EQ(*disk.Read(wal), bytes) << "the damaged database is left as it is";
}

TEST_F(RocksdbLogStoreTest, AnUnsyncedTailOfZerosCostsNothingThatWasSynced) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId(1)}, {}).ok());
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(store->Append(std::nullopt, {MakeEntry(i, 1, std::string(500, 'a'))}).ok());
  }
  store.reset();  // the mark is written
  const std::string wal = NewestWal();
  // A whole record that was never synced, with a page of zeros in it.
  std::string bytes = *disk.Read(wal);
  bytes += std::string("\x12\x34\x56\x78\x00\x08\x01", 7) + std::string(2'048, '\0') + "tail";
  disk.Replace(wal, bytes);
  Open();
  EXPECT_TRUE(store->was_recovered());
  EXPECT_EQ(store->Load()->entries.size(), 50u);
  EXPECT_EQ(store->Load()->hard_state.voted_for, NodeId(1));
  bool is_kept = false;
  for (const auto& path : disk.Files("/data")) {
    is_kept = is_kept || path.find("meta.damaged-") != std::string::npos;
  }
  EXPECT_TRUE(is_kept);
  Open();
  EXPECT_FALSE(store->was_recovered());
}

TEST_F(RocksdbLogStoreTest, ASyncedTailThatIsGoneIsNoticedByTheMark) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId()}, {}).ok());
  std::size_t size_before_last = 0;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    size_before_last = disk.Read(NewestWal())->size();
    ASSERT_TRUE(store->Append(std::nullopt, {MakeEntry(i, 1, std::string(500, 'a'))}).ok());
  }
  store.reset();
  const std::string wal = NewestWal();
  disk.Replace(wal, disk.Read(wal)->substr(0, size_before_last));
  const auto refused = OpenFails();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
}

TEST_F(RocksdbLogStoreTest, ADatabaseThatIsGoneIsNoticedByTheMark) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId()}, {MakeEntry(1, 1)}).ok());
  store.reset();
  for (const auto& path : disk.Files("/data/meta")) {
    ASSERT_TRUE(disk.DeleteFile(path, {}, nullptr).ok());
  }
  EXPECT_EQ(OpenFails().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RocksdbLogStoreTest, TheMarkSurvivesATornWriteOfOneSlot) {
  Open();
  ASSERT_TRUE(store->Append(consensus::HardState{Term(1), NodeId()}, {MakeEntry(1, 1)}).ok());
  Open();
  ASSERT_TRUE(store->Append(std::nullopt, {MakeEntry(2, 1)}).ok());
  store.reset();
  std::string mark = *disk.Read("/data/durable_through");
  for (const std::size_t slot : {std::size_t{0}, std::size_t{4'096}}) {
    std::string torn = mark;
    torn[slot + 20] = static_cast<char>(torn[slot + 20] ^ 1);
    disk.Replace("/data/durable_through", torn);
    Open();
    EXPECT_EQ(store->Load()->entries.size(), 2u);
    store.reset();
  }
}

// ---- the machine's own disk ----

class RealDirectory : public ::testing::Test {
 protected:
  RealDirectory() {
    std::string pattern = ::testing::TempDir() + "/log_store_XXXXXX";
    parent = mkdtemp(pattern.data());
  }
  ~RealDirectory() override {
    for (const char* name : {"/node", "/open"}) {
      rocksdb::Env* env = rocksdb::Env::Default();
      for (const std::string& folder : {parent + name + "/meta", parent + name}) {
        RemoveScratch(env, folder);
      }
    }
    rmdir(parent.c_str());
  }
  std::string parent;
};

TEST_F(RealDirectory, IsMadeForItsOwnerAloneAndOpenedAgain) {
  const std::string path = parent + "/node";
  {
    auto store = RocksdbLogStore::Open({path, nullptr, {}});
    ASSERT_TRUE(store.ok()) << store.status();
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    ASSERT_TRUE(
        (*store)->Append(consensus::HardState{Term(1), NodeId()}, {MakeEntry(1, 1)}).ok());
    const auto second = RocksdbLogStore::Open({path, nullptr, {}}).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
  }
  auto store = RocksdbLogStore::Open({path, nullptr, {}});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Load()->entries.size(), 1u);
}

TEST_F(RealDirectory, OneThatOthersMayReadIsRefused) {
  const std::string path = parent + "/open";
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  const auto status = RocksdbLogStore::Open({path, nullptr, {}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

}  // namespace
}  // namespace dfs::replicated_log
