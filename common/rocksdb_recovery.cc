#include "common/rocksdb_recovery.h"

#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <rocksdb/write_batch.h>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/damage.h"
#include "common/mutant.h"
#include "common/rocksdb_manifest_tail.h"
#include "common/rocksdb_manifest_through.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

constexpr std::size_t kCopyPieceBytes = std::size_t{1} << 20;
// A batch begins with its first sequence number (8 bytes) and its count (4), little endian.
constexpr std::size_t kBatchHeaderBytes = 12;

constexpr char kAdvice[] =
    "Wipe the data directory and let the node join again under a new id: what it held is copied from "
    "the others";

std::uint64_t Get(const std::string& data, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(data[at + i]);
  }
  return value;
}

bool Exists(rocksdb::Env* env, const std::string& path) { return env->FileExists(path).ok(); }

absl::Status SyncFolder(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> folder;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->NewDirectory(path, &folder), path));
  return FromRocksdb(folder->Fsync(), path);
}

absl::Status CopyFile(rocksdb::Env* env, const std::string& from, const std::string& to) {
  std::unique_ptr<rocksdb::SequentialFile> in;
  std::unique_ptr<rocksdb::WritableFile> out;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->NewSequentialFile(from, &in, {}), from));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->NewWritableFile(to, &out, {}), to));
  std::string buffer(kCopyPieceBytes, '\0');
  while (true) {
    rocksdb::Slice piece;
    DFS_RETURN_IF_ERROR(FromRocksdb(in->Read(buffer.size(), &piece, buffer.data()), from));
    if (piece.empty()) break;
    DFS_RETURN_IF_ERROR(FromRocksdb(out->Append(piece), to));
  }
  DFS_RETURN_IF_ERROR(FromRocksdb(out->Fsync(), to));
  return FromRocksdb(out->Close(), to);
}

// Tables never change: a second name is enough, where the file system has such.
absl::Status CopyOrLink(rocksdb::Env* env, const std::string& from, const std::string& to) {
  const bool is_table = from.ends_with(".sst") || from.ends_with(".blob");
  if (is_table && env->LinkFile(from, to).ok()) return absl::OkStatus();
  return CopyFile(env, from, to);
}

// "000012.log" -> 12.
std::optional<std::uint64_t> WalNumber(const std::string& name) {
  const std::size_t dot = name.find(".log");
  if (dot == std::string::npos || dot == 0 || dot + 4 != name.size()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : name.substr(0, dot)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

// Copies the database; names its newest write-ahead log, if it has any.
absl::Status CopyDatabase(rocksdb::Env* env, const std::string& from, const std::string& to,
                          std::string* newest_wal) {
  DFS_RETURN_IF_ERROR(RemoveFolder(env, to));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->CreateDir(to), to));
  std::vector<std::string> names;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->GetChildren(from, &names), from));
  std::uint64_t newest = 0;
  for (const auto& name : names) {
    if (name == "." || name == ".." || name == "LOCK" || name.substr(0, 3) == "LOG") continue;
    DFS_RETURN_IF_ERROR(CopyOrLink(env, from + "/" + name, to + "/" + name));
    const auto number = WalNumber(name);
    if (!number || *number < newest) continue;
    newest = *number;
    *newest_wal = name;
  }
  return SyncFolder(env, to);
}

// Cuts the zeros that a power cut left of the unsynced end of the newest MANIFEST.
absl::Status CutZeroedManifest(rocksdb::Env* env, const std::string& path) {
  std::string current;
  DFS_RETURN_IF_ERROR(
      FromRocksdb(rocksdb::ReadFileToString(env, path + "/CURRENT", &current), path));
  while (!current.empty() && current.back() == '\n') current.pop_back();
  const std::string manifest = path + "/" + current;
  std::string bytes;
  DFS_RETURN_IF_ERROR(FromRocksdb(rocksdb::ReadFileToString(env, manifest, &bytes), manifest));
  const auto end = FindZeroedTail(bytes);
  if (!end) return absl::OkStatus();
  LOG(WARNING) << manifest << ": cutting an unsynced tail of zeros at byte " << *end;
  return FromRocksdb(
      rocksdb::WriteStringToFile(env, bytes.substr(0, *end), manifest, /*should_sync=*/true),
      manifest);
}

std::string CopyOf(const RocksdbPlan& plan) { return PathOf(plan) + ".copy"; }
std::string DamagedPrefix(const RocksdbPlan& plan) { return plan.name + ".damaged-"; }

enum class Strictness { kAll, kWhatCanBeRead };

// Opens all families there are, and makes those of the plan that are missing.
rocksdb::Status OpenFamilies(const RocksdbPlan& plan, const std::string& path,
                             rocksdb::WALRecoveryMode mode, bool is_read_only,
                             rocksdb::WalFilter* filter, RocksdbFamilies* out,
                             Strictness strictness = Strictness::kAll) {
  rocksdb::DBOptions options = plan.options;
  options.env = plan.env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Rule R22. The default mode opens after one flipped byte without the synced records behind it.
  options.wal_recovery_mode = mode;
  options.paranoid_checks = strictness == Strictness::kAll;
  options.track_and_verify_wals_in_manifest = strictness == Strictness::kAll;
  options.recycle_log_file_num = 0;
  options.wal_filter = filter;
  std::vector<std::string> names = {rocksdb::kDefaultColumnFamilyName};
  if (Exists(plan.env, path + "/CURRENT")) {
    names.clear();
    auto status = rocksdb::DB::ListColumnFamilies(options, path, &names);
    if (!status.ok()) return status;
  }
  for (const auto& name : plan.families) {
    if (is_read_only) break;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, plan.family_options(name));
  rocksdb::DB* db = nullptr;
  auto status = is_read_only
                    ? rocksdb::DB::OpenForReadOnly(options, path, families, &out->handles, &db)
                    : rocksdb::DB::Open(options, path, families, &out->handles, &db);
  out->db.reset(db);
  return status;
}

// Makes durable what a killed process left unsynced in the write-ahead logs: opening reads it as valid and begins a
// new log, and a power cut must not take back what lies before that.
absl::Status SyncLogs(rocksdb::Env* env, const std::string& database) {
  std::vector<std::string> names;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->GetChildren(database, &names), database));
  for (const auto& name : names) {
    if (!WalNumber(name)) continue;
    const std::string path = database + "/" + name;
    std::unique_ptr<rocksdb::WritableFile> file;
    DFS_RETURN_IF_ERROR(FromRocksdb(env->ReopenWritableFile(path, &file, {}), path));
    DFS_RETURN_IF_ERROR(FromRocksdb(file->Fsync(), path));
    DFS_RETURN_IF_ERROR(FromRocksdb(file->Close(), path));
  }
  return SyncFolder(env, database);
}

// Whether everything but the newest write-ahead log is undamaged.
absl::Status CheckWithout(const RocksdbPlan& plan, const std::string& wal) {
  const std::string path = CopyOf(plan);
  {
    std::unique_ptr<rocksdb::WritableFile> empty;
    DFS_RETURN_IF_ERROR(
        FromRocksdb(plan.env->NewWritableFile(path + "/" + wal, &empty, {}), path + "/" + wal));
    DFS_RETURN_IF_ERROR(FromRocksdb(empty->Close(), path + "/" + wal));
  }
  RocksdbGapFilter filter(plan.name);
  RocksdbFamilies families;
  const auto status =
      OpenFamilies(plan, path, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords,
                   /*is_read_only=*/true, &filter, &families);
  families.Close();
  return FromRocksdb(status, "damaged outside of its newest write-ahead log");
}

absl::Status RecoverToDamage(const RocksdbPlan& plan) {
  RocksdbGapFilter filter(plan.name);
  RocksdbFamilies families;
  DFS_RETURN_IF_ERROR(FromRocksdb(
      OpenFamilies(plan, CopyOf(plan), rocksdb::WALRecoveryMode::kPointInTimeRecovery,
                   /*is_read_only=*/false, &filter, &families),
      CopyOf(plan)));
  const absl::Status reach = plan.check_reach(families);
  families.Close();
  return reach;
}

// Damaged databases of earlier recoveries go: each may be as large as the database.
void RemoveOlderDamaged(const RocksdbPlan& plan) {
  std::vector<std::string> names;
  if (!plan.env->GetChildren(plan.folder, &names).ok()) return;
  for (const auto& name : names) {
    if (name.rfind(DamagedPrefix(plan), 0) != 0) continue;
    const absl::Status status = RemoveFolder(plan.env, plan.folder + "/" + name);
    LOG_IF(WARNING, !status.ok()) << status;
  }
}

// Ends what a crash left of an earlier swap: the database is at its place afterwards, if there is one.
absl::Status FinishRecovery(const RocksdbPlan& plan) {
  const std::string copy = CopyOf(plan);
  if (!Exists(plan.env, copy)) return absl::OkStatus();
  // The database is moved away only once its copy is complete and verified.
  if (Exists(plan.env, PathOf(plan))) return RemoveFolder(plan.env, copy);
  DFS_RETURN_IF_ERROR(FromRocksdb(plan.env->RenameFile(copy, PathOf(plan)), copy));
  return SyncFolder(plan.env, plan.folder);
}

// The copy is complete. Readers of the database are gone.
absl::Status PutCopyInPlace(const RocksdbPlan& plan) {
  rocksdb::Env* const env = plan.env;
  DFS_RETURN_IF_ERROR(SyncFolder(env, CopyOf(plan)));
  RemoveOlderDamaged(plan);
  const std::string damaged = absl::StrCat(plan.folder, "/", DamagedPrefix(plan),
                                           absl::ToUnixMicros(SystemClock().WallNow()));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->RenameFile(PathOf(plan), damaged), damaged));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->RenameFile(CopyOf(plan), PathOf(plan)), PathOf(plan)));
  DFS_RETURN_IF_ERROR(SyncFolder(env, plan.folder));
  LOG(WARNING) << plan.name << ": the damaged database is kept as " << damaged;
  return absl::OkStatus();
}

// The database did not open because of `error`. If the damage is in its newest write-ahead log only, and what a copy
// holds up to the damage reaches the mark, the copy takes its place and the damaged one is kept. Else kDataLoss, and
// the database is as it was.
absl::Status RecoverFromCopy(const RocksdbPlan& plan, const std::string& error) {
  rocksdb::Env* const env = plan.env;
  const std::string database = PathOf(plan);
  const std::string copy = CopyOf(plan);
  const auto refuse = [&](const absl::Status& why) {
    (void)RemoveFolder(env, copy);  // the next start removes it otherwise
    return DamageError(absl::StrCat(database, " is damaged (", error, ") and must not be used: ",
                                    std::string(why.message()), ". ", kAdvice));
  };
  LOG(WARNING) << database << " is damaged (" << error << "): trying a copy";
  std::string wal;
  DFS_RETURN_IF_ERROR(CopyDatabase(env, database, copy, &wal));
  if (wal.empty()) return refuse(absl::DataLossError("it has no write-ahead log"));
  DFS_RETURN_IF_ERROR(CutZeroedManifest(env, copy));
  if (auto status = CheckWithout(plan, wal); !status.ok()) return refuse(status);
  DFS_RETURN_IF_ERROR(CopyFile(env, database + "/" + wal, copy + "/" + wal));
  if (auto status = RecoverToDamage(plan); !status.ok()) return refuse(status);
  DFS_RETURN_IF_ERROR(PutCopyInPlace(plan));
  LOG(WARNING) << plan.name << ": going on from a copy that holds everything known to be durable";
  return absl::OkStatus();
}

// The database is damaged beyond recovery, or ordered to be made anew, as `why` says.
absl::Status Rebuild(const RocksdbPlan& plan, std::string_view why) {
  const std::string database = PathOf(plan);
  LOG(ERROR) << database << " is made anew from what can be read of it: " << why;
  // A copy without a database beside it would be taken for a finished one.
  DFS_RETURN_IF_ERROR(FromRocksdb(plan.env->CreateDirIfMissing(database), database));
  DFS_RETURN_IF_ERROR(SyncFolder(plan.env, plan.folder));
  DFS_RETURN_IF_ERROR(RemoveFolder(plan.env, CopyOf(plan)));
  DFS_RETURN_IF_ERROR(plan.rebuild(CopyOf(plan)));
  return PutCopyInPlace(plan);
}

}  // namespace

std::uint64_t LastSequenceOf(const rocksdb::WriteBatch& batch) {
  const std::string& data = batch.Data();
  CHECK_GE(data.size(), kBatchHeaderBytes);
  const std::uint64_t count = Get(data, 8, 4);
  return Get(data, 0, 8) + (count == 0 ? 0 : count - 1);
}

rocksdb::WalFilter::WalProcessingOption RocksdbGapFilter::LogRecordFound(
    unsigned long long log_number, const std::string& /*log_file_name*/,
    const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* /*new_batch*/,
    bool* /*batch_changed*/) {
  const std::string& data = batch.Data();
  if (data.size() < kBatchHeaderBytes) return WalProcessingOption::kCorruptedRecord;
  if (DFS_MUTANT(322, "replay goes on behind a gap (rule R22)")) {
    return WalProcessingOption::kContinueProcessing;
  }
  const std::uint64_t sequence = Get(data, 0, 8);
  if (next_sequence_ != 0 && sequence > next_sequence_) {
    LOG(WARNING) << name_ << ": unsynced writes " << next_sequence_ << " to " << sequence - 1
                 << " were lost in a crash; replay ends in write-ahead log " << log_number;
    has_found_gap_ = true;
    return WalProcessingOption::kStopReplay;
  }
  next_sequence_ = std::max(next_sequence_, sequence + Get(data, 8, 4));
  return WalProcessingOption::kContinueProcessing;
}

rocksdb::ColumnFamilyHandle* RocksdbFamilies::Find(const std::string& name) const {
  for (auto* handle : handles) {
    if (handle->GetName() == name) return handle;
  }
  return nullptr;
}

void RocksdbFamilies::Close() {
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  handles.clear();
  db.reset();
}

std::string PathOf(const RocksdbPlan& plan) { return plan.folder + "/" + plan.name; }

absl::Status RemoveFolder(rocksdb::Env* env, const std::string& path) {
  if (!Exists(env, path)) return absl::OkStatus();
  std::vector<std::string> names;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->GetChildren(path, &names), path));
  for (const auto& name : names) {
    if (name == "." || name == "..") continue;
    DFS_RETURN_IF_ERROR(FromRocksdb(env->DeleteFile(path + "/" + name), path));
  }
  return FromRocksdb(env->DeleteDir(path), path);
}

rocksdb::Status OpenDamagedForReading(const RocksdbPlan& plan, const std::string& path,
                                      RocksdbFamilies* out) {
  return OpenFamilies(plan, path, rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords,
                      /*is_read_only=*/true, /*filter=*/nullptr, out, Strictness::kWhatCanBeRead);
}

namespace {

absl::StatusOr<OpenedRocksdb> NoteManifest(const RocksdbPlan& plan, OpenedRocksdb opened) {
  if (plan.mark == nullptr) return opened;
  const auto now = DurableManifest(opened.families.db.get());
  if (!now.ok()) {
    // The mark stays as it is: of a database that was made anew it may be too high, which makes it anew once more.
    LOG(WARNING) << PathOf(plan) << ": how far its MANIFEST reaches is not noted: " << now.status();
    return opened;
  }
  // Made anew: the mark may be the damaged one's, also as that raised it while it was open just now. A crash before this: it is
  // refused once more, and made anew again.
  if (opened.was_rebuilt || *now < plan.mark->found_manifest()) {
    const absl::Status lowered = plan.mark->LowerManifest(*now);
    if (!lowered.ok()) opened.families.Close();
    DFS_RETURN_IF_ERROR(lowered);
  }
  plan.mark->RaiseManifest(*now);
  return opened;
}

absl::StatusOr<OpenedRocksdb> TryOpen(const RocksdbPlan& plan, bool was_rebuilt) {
  rocksdb::Env* const env = plan.env;
  const std::string path = PathOf(plan);
  if (plan.must_exist && !Exists(env, path + "/CURRENT")) {
    return DamageError(
        absl::StrCat(path, " is gone, but something was durable here. ", kAdvice));
  }
  // RocksDB syncs its own folder, not the name of it.
  DFS_RETURN_IF_ERROR(FromRocksdb(env->CreateDirIfMissing(path), path));
  DFS_RETURN_IF_ERROR(SyncFolder(env, plan.folder));
  DFS_RETURN_IF_ERROR(SyncLogs(env, path));
  if (plan.mark != nullptr && !was_rebuilt) {
    const absl::Status manifest = CheckManifest(env, path, plan.mark->found_manifest());
    if (!manifest.ok()) {
      return DamageError(absl::StrCat(path, ": ", std::string(manifest.message()), ". ", kAdvice));
    }
  }
  OpenedRocksdb out;
  RocksdbPlan noted = plan;
  if (plan.mark != nullptr) noted.options.listeners.push_back(ManifestListener(plan.mark));
  const auto open = [&] {
    out.filter = std::make_unique<RocksdbGapFilter>(plan.name);
    return OpenFamilies(noted, path, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords,
                        /*is_read_only=*/false, out.filter.get(), &out.families);
  };
  rocksdb::Status status = open();
  if (status.IsCorruption()) {
    out.families.Close();
    DFS_RETURN_IF_ERROR(RecoverFromCopy(plan, status.ToString()));
    out.was_recovered = true;
    status = open();
  }
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is in use by another process (", status.ToString(), ")"));
  }
  if (!status.ok()) {
    out.families.Close();
    return FromRocksdb(status, path);
  }
  out.was_cut = out.was_recovered || out.filter->has_found_gap() || was_rebuilt;
  out.was_rebuilt = was_rebuilt;
  if (was_rebuilt) return NoteManifest(plan, std::move(out));
  if (const absl::Status reach = plan.check_reach(out.families); !reach.ok()) {
    out.families.Close();
    return DamageError(absl::StrCat(path, ": ", std::string(reach.message()),
                                    ": synced data is gone, or an old copy was put back. ",
                                    kAdvice));
  }
  return NoteManifest(plan, std::move(out));
}

}  // namespace

absl::StatusOr<OpenedRocksdb> OpenRocksdb(const RocksdbPlan& plan) {
  DFS_RETURN_IF_ERROR(FinishRecovery(plan));
  if (plan.rebuild && Exists(plan.env, PathOf(plan) + "/" + kRebuildOrder)) {
    DFS_RETURN_IF_ERROR(Rebuild(plan, "an earlier run met damage in it"));
    return TryOpen(plan, /*was_rebuilt=*/true);
  }
  auto opened = TryOpen(plan, /*was_rebuilt=*/false);
  if (!plan.rebuild || !IsDamage(opened.status())) return opened;
  DFS_RETURN_IF_ERROR(Rebuild(plan, std::string(opened.status().message())));
  return TryOpen(plan, /*was_rebuilt=*/true);
}

}  // namespace dfs
