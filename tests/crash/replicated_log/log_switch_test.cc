// Where unsynced bytes may be: in the newest write-ahead log only; that replay never skips a write; and that a MANIFEST without
// its end is refused. Each is proved by taking the protection out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/utilities/stackable_db.h>

#include "absl/strings/str_cat.h"
#include "common/damage.h"
#include "common/mutant.h"
#include "common/rocksdb_durable_mark.h"
#include "common/rocksdb_manifest_through.h"
#include "common/rocksdb_recovery.h"
#include "server/replicated_log/rocksdb_database.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/rocksdb_record_ends.h"

namespace dfs::replicated_log {
namespace {

using testing::FaultFileSystem;

constexpr int kSwitchUnsyncedMutant = 321;
constexpr int kNoGapCheckMutant = 322;
constexpr int kShortManifestMutant = 1241;

class LogSwitch : public ::testing::Test {
 protected:
  ~LogSwitch() override {
    if (database_ != nullptr) database_->db()->ContinueBackgroundWork().PermitUncheckedError();
    database_.reset();
    SetActiveMutant(0);
  }

  // Flushes wait from here on: RocksDB syncs the old log itself when it gets to them.
  void Open() {
    EXPECT_TRUE(disk_.env()->CreateDirIfMissing("/data").ok());
    SyncFolder("/");
    auto opened = RocksdbDatabase::Open(disk_.env(), "/data", DurablePosition(), nullptr);
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
    rocksdb::WriteBatch first;
    first.Put("first", "synced");
    ASSERT_TRUE(database_->WriteSynced(&first).ok());
    ASSERT_TRUE(database_->db()->PauseBackgroundWork().ok());
  }
  void SyncFolder(const std::string& path) {
    std::unique_ptr<rocksdb::Directory> folder;
    ASSERT_TRUE(disk_.env()->NewDirectory(path, &folder).ok());
    ASSERT_TRUE(folder->Fsync().ok());
  }
  void Crash() {
    disk_.StopAt(disk_.operations() + 1);
    database_->db()->ContinueBackgroundWork().PermitUncheckedError();
    database_.reset();
    disk_.Crash(FaultFileSystem::Loss::kDrop, 1);
  }
  void Write(const std::string& key, std::size_t bytes) {
    rocksdb::WriteBatch batch;
    batch.Put(key, std::string(bytes, 'v'));
    ASSERT_TRUE(database_->WriteUnsynced(&batch).ok());
  }
  [[nodiscard]] std::vector<std::string> Wals() const {
    std::vector<std::string> wals;
    for (const auto& path : disk_.Files("/data/meta")) {
      if (path.ends_with(".log")) wals.push_back(path);
    }
    std::sort(wals.begin(), wals.end());
    return wals;
  }
  // Whether every write-ahead log but the newest is durable to its end.
  [[nodiscard]] bool AreOldLogsDurable() const {
    const auto wals = Wals();
    for (std::size_t i = 0; i + 1 < wals.size(); ++i) {
      if (disk_.ReadDurable(wals[i]) != disk_.Read(wals[i])) return false;
    }
    return true;
  }

  // Writes until the log is switched. False: something unsynced was left behind in the old one.
  bool SwitchesDurably() {
    Open();
    const std::size_t before = Wals().size();
    for (int i = 0; i < 20 && Wals().size() == before; ++i) Write(absl::StrCat("row", i), 500'000);
    EXPECT_GT(Wals().size(), before) << "nothing was switched";
    return AreOldLogsDurable();
  }
  // Loses what is unsynced in an old log but nothing of the newest, and counts writes that are there although an
  // earlier one is not.
  int SkippedWrites() {
    constexpr int kWrites = 10;
    Open();
    for (int i = 0; i < kWrites / 2; ++i) Write(absl::StrCat("row", i), 100);
    // A switch that nobody synced before.
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;
    EXPECT_TRUE(database_->db()
                    ->Flush(options, {database_->default_family(), database_->log_family()})
                    .ok());
    for (int i = kWrites / 2; i < kWrites; ++i) Write(absl::StrCat("row", i), 100);
    EXPECT_FALSE(AreOldLogsDurable());
    const std::string newest = Wals().back();
    disk_.Replace(newest, *disk_.Read(newest));
    SyncFolder("/data/meta");
    Crash();
    auto opened = RocksdbDatabase::Open(disk_.env(), "/data", DurablePosition(), nullptr);
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (!opened.ok()) return 0;
    database_ = *std::move(opened);
    const auto holds = [this](const std::string& key) {
      std::string value;
      return database_->db()->Get({}, database_->default_family(), key, &value).ok();
    };
    EXPECT_TRUE(holds("first"));
    int skipped = 0;
    for (int i = 1; i < kWrites; ++i) {
      if (holds(absl::StrCat("row", i)) && !holds(absl::StrCat("row", i - 1))) ++skipped;
    }
    return skipped;
  }

  // Three starts; the MANIFEST that the last one wrote is cut before its last record, which names a table. The log of that
  // table's rows is gone. What opening says then.
  absl::Status OpenWithShortManifest() {
    EXPECT_TRUE(disk_.env()->CreateDirIfMissing("/data").ok());
    for (int start = 0; start < 3; ++start) {
      auto mark = RocksdbDurableMark::Open(disk_.env(), "/data/durable_through", "mark").value();
      auto database =
          RocksdbDatabase::Open(disk_.env(), "/data", DurablePosition(), mark.get()).value();
      const auto state = database->TakeGeneration();
      rocksdb::WriteBatch batch;
      batch.Put(absl::StrCat("row", start), "synced");
      batch.Put(state->family(), absl::StrCat("row", start), "synced");
      EXPECT_TRUE(database->WriteSynced(&batch).ok());
    }
    for (const auto& path : disk_.Files("/data/meta")) {
      if (path.find("/MANIFEST-") == std::string::npos) continue;
      const std::string bytes = *disk_.Read(path);
      const auto ends = testing::RecordEnds(bytes);
      EXPECT_GE(ends.size(), 2u) << path;
      if (ends.size() >= 2) disk_.Replace(path, bytes.substr(0, ends[ends.size() - 2]));
    }
    const auto mark = RocksdbDurableMark::Open(disk_.env(), "/data/durable_through", "mark").value();
    return RocksdbDatabase::Open(disk_.env(), "/data", DurablePosition(), mark.get()).status();
  }

  // A database of its own, that nothing is asked of.
  RocksdbPlan Plan(RocksdbDurableMark* mark) {
    RocksdbPlan plan;
    plan.env = disk_.env();
    plan.folder = "/data";
    plan.name = "plain";
    plan.family_options = [](const std::string&) { return rocksdb::ColumnFamilyOptions(); };
    plan.check_reach = [](const RocksdbFamilies&) { return absl::OkStatus(); };
    plan.mark = mark;
    return plan;
  }
  static void OpenPlain(const RocksdbPlan& plan) {
    auto opened = OpenRocksdb(plan);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_FALSE(opened->was_rebuilt);
    opened->families.Close();
  }

  FaultFileSystem disk_;
  std::unique_ptr<RocksdbDatabase> database_;
};

// The mark was empty (of an earlier version, say), and while the database was open, before it was refused, a flush raised it.
TEST_F(LogSwitch, ADatabaseMadeAnewIsOpenedAgainThoughTheOldOneGotFurther) {
  ASSERT_TRUE(disk_.env()->CreateDirIfMissing("/data").ok());
  for (int start = 0; start < 3; ++start) OpenPlain(Plan(nullptr));
  {
    const auto mark = RocksdbDurableMark::Open(disk_.env(), "/data/mark", "mark").value();
    RocksdbPlan plan = Plan(mark.get());
    plan.check_reach = [](const RocksdbFamilies& families) {
      EXPECT_TRUE(families.db->Put({}, "row", "value").ok());
      EXPECT_TRUE(families.db->Flush({}).ok());
      return absl::DataLossError("too short");
    };
    plan.rebuild = [this](const std::string& copy) {
      rocksdb::Options options;
      options.env = disk_.env();
      options.create_if_missing = true;
      rocksdb::DB* made = nullptr;
      const rocksdb::Status opened = rocksdb::DB::Open(options, copy, &made);
      delete made;
      return opened.ok() ? absl::OkStatus() : absl::InternalError(opened.ToString());
    };
    auto opened = OpenRocksdb(plan);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(opened->was_rebuilt);
    opened->families.Close();
  }
  const auto mark = RocksdbDurableMark::Open(disk_.env(), "/data/mark", "mark").value();
  OpenPlain(Plan(mark.get()));
}

class MuteDatabase final : public rocksdb::StackableDB {
 public:
  MuteDatabase() : StackableDB(static_cast<rocksdb::DB*>(nullptr)) {}
  rocksdb::Status GetLiveFiles(std::vector<std::string>& /*files*/, std::uint64_t* /*manifest_size*/,
                               bool /*flush_memtable*/) override {
    return rocksdb::Status::IOError("no answer");
  }
};

TEST(DurableManifest, SaysNothingWhereTheDatabaseDoesNot) {
  MuteDatabase mute;
  EXPECT_FALSE(DurableManifest(&mute).ok());
}

TEST_F(LogSwitch, LeavesNothingUnsyncedBehind) { EXPECT_TRUE(SwitchesDurably()); }

TEST_F(LogSwitch, WithoutTheSyncIsCaught) {
  SetActiveMutant(kSwitchUnsyncedMutant);
  EXPECT_FALSE(SwitchesDurably());
}

// Many small changes take much more memory than bytes in the log: RocksDB must not come to a full buffer and switch by
// itself.
TEST_F(LogSwitch, SmallRowsLeaveNothingUnsyncedBehindEither) {
  Open();
  const std::size_t before = Wals().size();
  for (std::uint64_t i = 0; Wals().size() == before; ++i) {
    ASSERT_LT(i, 10'000u) << "nothing was switched";
    rocksdb::WriteBatch batch;
    for (std::uint64_t k = 0; k < 200; ++k) batch.Delete(LogKey(LogIndex(i * 200 + k)));
    ASSERT_TRUE(database_->WriteUnsynced(&batch).ok());
  }
  EXPECT_TRUE(AreOldLogsDurable());
}

TEST_F(LogSwitch, ReplayEndsAtAGap) { EXPECT_EQ(SkippedWrites(), 0); }

TEST_F(LogSwitch, ReplayBehindAGapIsCaught) {
  SetActiveMutant(kNoGapCheckMutant);
  EXPECT_GT(SkippedWrites(), 0);
}

TEST_F(LogSwitch, ManifestThatLostItsEndIsRefused) {
  const absl::Status status = OpenWithShortManifest();
  EXPECT_TRUE(IsDamage(status)) << status;
}

TEST_F(LogSwitch, ManifestThatLostItsEndIsCaught) {
  SetActiveMutant(kShortManifestMutant);
  EXPECT_TRUE(OpenWithShortManifest().ok());
}

}  // namespace
}  // namespace dfs::replicated_log
