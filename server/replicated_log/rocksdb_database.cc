#include "server/replicated_log/rocksdb_database.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "common/damage.h"
#include "common/mutant.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"
#include "dfs/internal/v1/raft.pb.h"
#include "server/replicated_log/raft_message_codec.h"
#include "server/replicated_log/rocksdb_options.h"

namespace dfs::replicated_log {
namespace {

constexpr char kStatePrefix[] = "state_";
// Half of a write buffer: RocksDB never switches its log by itself, at a moment when unsynced bytes are in it.
constexpr std::size_t kSwitchBytes = kWriteBufferBytes / 2;
// What a row takes in a write buffer beyond its bytes in the log: node, sequence number, lengths.
constexpr std::size_t kRowOverheadBytes = 64;
// Stalls begin at 2 full write buffers and at 20 files of level 0.
constexpr std::uint64_t kNearlyFullBuffer = std::uint64_t{5} << 20;
constexpr std::uint64_t kManyLevel0Files = 12;
constexpr std::size_t kProtectionBytesPerKey = 8;

std::size_t MemoryOf(const rocksdb::WriteBatch& batch) {
  return batch.GetDataSize() + static_cast<std::size_t>(batch.Count()) * kRowOverheadBytes;
}

absl::StatusOr<std::optional<std::string>> GetOptional(rocksdb::DB* db,
                                                       rocksdb::ColumnFamilyHandle* family,
                                                       const std::string& key) {
  std::string value;
  const auto status = db->Get({}, family, key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  DFS_RETURN_IF_ERROR(FromRocksdb(status, key));
  return std::optional<std::string>(std::move(value));
}

}  // namespace

std::string StateFamilyName(std::uint64_t generation) {
  return absl::StrCat(kStatePrefix, generation);
}

std::string LogKey(LogIndex index) {
  std::string key(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(index.value() >> (56 - 8 * i));
  return key;
}

RocksdbGeneration::~RocksdbGeneration() {
  if (is_retired_) {
    // If this fails the next start drops it.
    const auto status = db_->DropColumnFamily(family_);
    if (!status.ok()) LOG(WARNING) << "dropping old state: " << status.ToString();
  }
  db_->DestroyColumnFamilyHandle(family_).PermitUncheckedError();
}

absl::StatusOr<DurablePosition> ReadPosition(rocksdb::DB* db,
                                             rocksdb::ColumnFamilyHandle* log_family) {
  DurablePosition position;
  auto* family = db->DefaultColumnFamily();
  DFS_ASSIGN_OR_RETURN(const auto hard_state, GetOptional(db, family, kHardStateKey));
  if (hard_state) {
    rpc::HardStateRecord record;
    if (!record.ParseFromString(*hard_state)) return DamageError("hard state is unreadable");
    position.hard_state_term = Term(record.term());
  }
  DFS_ASSIGN_OR_RETURN(const auto base, GetOptional(db, family, kBaseKey));
  if (base) {
    rpc::BaseRecord record;
    if (!record.ParseFromString(*base)) return DamageError("base record is unreadable");
    position.last_term = Term(record.term());
    position.last_index = LogIndex(record.index());
  }
  if (log_family == nullptr) return position;
  std::unique_ptr<rocksdb::Iterator> entries(db->NewIterator({}, log_family));
  entries->SeekToLast();
  DFS_RETURN_IF_ERROR(FromRocksdb(entries->status(), "log"));
  if (!entries->Valid()) return position;
  rpc::LogEntry entry;
  if (!entry.ParseFromArray(entries->value().data(), static_cast<int>(entries->value().size()))) {
    return DamageError("the last log entry is unreadable");
  }
  position.last_term = Term(entry.term());
  position.last_index = LogIndex(entry.index());
  return position;
}

absl::StatusOr<std::unique_ptr<RocksdbDatabase>> RocksdbDatabase::Open(
    rocksdb::Env* env, const std::string& data_dir, const DurablePosition& mark,
    RocksdbDurableMark* manifest) {
  RocksdbPlan plan;
  plan.env = env;
  plan.folder = data_dir;
  plan.name = "meta";
  plan.options = MetadataDbOptions(env);
  plan.family_options = [](const std::string& /*family*/) { return MetadataFamilyOptions(); };
  plan.families = {kLogFamily};
  plan.must_exist = mark != DurablePosition();
  plan.mark = manifest;
  plan.check_reach = [&mark](const RocksdbFamilies& families) -> absl::Status {
    DFS_ASSIGN_OR_RETURN(const DurablePosition position,
                         ReadPosition(families.db.get(), families.Find(kLogFamily)));
    if (position.Reaches(mark)) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("it ends at ", ToString(position), ", but ",
                                            ToString(mark), " was durable here"));
  };
  DFS_ASSIGN_OR_RETURN(OpenedRocksdb opened, OpenRocksdb(plan));
  std::unique_ptr<RocksdbDatabase> database(new RocksdbDatabase());
  database->env_ = env;
  database->was_recovered_ = opened.was_recovered;
  database->gap_filter_ = std::move(opened.filter);
  database->TakeFamilies(std::move(opened.families));
  DFS_RETURN_IF_ERROR(database->SetUpGenerations());
  return database;
}

void RocksdbDatabase::TakeFamilies(RocksdbFamilies families) {
  db_ = std::move(families.db);
  for (auto* handle : families.handles) {
    if (handle->GetName() == kLogFamily) {
      log_family_ = handle;
    } else if (handle->GetName() == rocksdb::kDefaultColumnFamilyName) {
      db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();  // db_ has its own
    } else {
      other_families_.push_back(handle);
    }
  }
}

absl::Status RocksdbDatabase::SetUpGenerations() {
  DFS_ASSIGN_OR_RETURN(const auto record, GetOptional(db(), default_family(), kGenerationKey));
  std::uint64_t number = 0;
  if (record) {
    const auto [end, error] =
        std::from_chars(record->data(), record->data() + record->size(), number);
    if (error != std::errc() || end != record->data() + record->size()) {
      return DamageError("generation record is unreadable");
    }
  }
  for (auto* family : std::exchange(other_families_, {})) {
    if (record && family->GetName() == StateFamilyName(number)) {
      generation_ = std::make_shared<RocksdbGeneration>(db(), family, number);
      continue;
    }
    RocksdbGeneration other(db(), family, 0);
    other.Retire();
  }
  if (generation_ == nullptr) {
    if (record) return DamageError("the current generation of the state is gone");
    DFS_ASSIGN_OR_RETURN(generation_, NewGeneration(1));
    rocksdb::WriteBatch batch;
    batch.Put(kGenerationKey, "1");
    DFS_RETURN_IF_ERROR(WriteSynced(&batch));
  }
  SetCurrent(generation_);
  return absl::OkStatus();
}

RocksdbDatabase::~RocksdbDatabase() {
  generation_.reset();
  if (db_ == nullptr) return;
  for (auto* family : other_families_) {
    db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
  if (log_family_ != nullptr) db_->DestroyColumnFamilyHandle(log_family_).PermitUncheckedError();
}

std::shared_ptr<RocksdbGeneration> RocksdbDatabase::TakeGeneration() {
  return std::move(generation_);
}

void RocksdbDatabase::SetCurrent(const std::shared_ptr<RocksdbGeneration>& generation) {
  MutexLock lock(&unsynced_mutex_);
  current_ = generation;
}

absl::StatusOr<std::shared_ptr<RocksdbGeneration>> RocksdbDatabase::NewGeneration(
    std::uint64_t number) {
  rocksdb::ColumnFamilyHandle* family = nullptr;
  const auto status =
      db_->CreateColumnFamily(MetadataFamilyOptions(), StateFamilyName(number), &family);
  if (!status.ok()) return Poison(status, "making a column family");
  return std::make_shared<RocksdbGeneration>(db(), family, number);
}

rocksdb::Options RocksdbDatabase::FileOptions(rocksdb::Env* env) {
  return rocksdb::Options(MetadataDbOptions(env), MetadataFamilyOptions());
}

absl::Status RocksdbDatabase::FailedBefore() const {
  const absl::Status status = absl::DataLossError("the metadata database has failed before");
  return was_full_ ? MarkDiskFull(status) : status;
}

absl::Status RocksdbDatabase::Poison(const rocksdb::Status& status, const std::string& what) {
  if (status.IsNoSpace()) was_full_ = true;
  is_poisoned_ = true;
  LOG(ERROR) << "metadata database: " << what << ": " << status.ToString()
             << "; it takes no more writes";
  return FromRocksdb(status, what);
}

absl::Status RocksdbDatabase::WriteSynced(rocksdb::WriteBatch* batch) {
  if (is_poisoned_) return FailedBefore();
  rocksdb::WriteOptions options;
  options.sync = true;
  options.protection_bytes_per_key = kProtectionBytesPerKey;
  const std::size_t bytes = MemoryOf(*batch);
  if (const auto status = db_->Write(options, batch); !status.ok()) {
    return Poison(status, "synced write");
  }
  if (bytes_since_switch_.fetch_add(bytes) + bytes < kSwitchBytes) return absl::OkStatus();
  MutexLock lock(&unsynced_mutex_);
  return MaybeSwitchLogLocked();
}

absl::Status RocksdbDatabase::WriteUnsynced(rocksdb::WriteBatch* batch) {
  if (is_poisoned_) return FailedBefore();
  rocksdb::WriteOptions options;
  options.protection_bytes_per_key = kProtectionBytesPerKey;
  const std::size_t bytes = MemoryOf(*batch);
  MutexLock lock(&unsynced_mutex_);
  if (const auto status = db_->Write(options, batch); !status.ok()) {
    return Poison(status, "write");
  }
  bytes_since_switch_ += bytes;
  return MaybeSwitchLogLocked();
}

absl::Status RocksdbDatabase::SyncAll() {
  if (is_poisoned_) return FailedBefore();
  MutexLock lock(&unsynced_mutex_);
  if (const auto status = db_->SyncWAL(); !status.ok()) return Poison(status, "sync");
  return absl::OkStatus();
}

absl::Status RocksdbDatabase::MaybeSwitchLogLocked() {
  if (bytes_since_switch_ < kSwitchBytes) return absl::OkStatus();
  bytes_since_switch_ = 0;
  if (!DFS_MUTANT(321, "the log is switched before it is synced (rule R22)")) {
    if (const auto status = db_->SyncWAL(); !status.ok()) return Poison(status, "sync");
  }
  // All families at once, so that no old log is kept for the sake of one of them.
  std::vector<rocksdb::ColumnFamilyHandle*> families = {default_family(), log_family_};
  const auto current = current_.lock();
  if (current) families.push_back(current->family());
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  if (const auto status = db_->Flush(options, families); !status.ok()) {
    return Poison(status, "flush");
  }
  return absl::OkStatus();
}

bool RocksdbDatabase::IsNearStall(rocksdb::ColumnFamilyHandle* family) {
  std::uint64_t value = 0;
  if (db_->GetIntProperty(family, "rocksdb.actual-delayed-write-rate", &value) && value > 0) {
    return true;
  }
  std::uint64_t immutable = 0;
  if (db_->GetIntProperty(family, "rocksdb.num-immutable-mem-table", &immutable) &&
      db_->GetIntProperty(family, "rocksdb.cur-size-active-mem-table", &value) && immutable > 0 &&
      value > kNearlyFullBuffer) {
    return true;
  }
  std::string files;
  return db_->GetProperty(family, "rocksdb.num-files-at-level0", &files) &&
         std::strtoull(files.c_str(), nullptr, 10) >= kManyLevel0Files;
}

}  // namespace dfs::replicated_log
