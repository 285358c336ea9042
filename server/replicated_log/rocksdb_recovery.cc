#include "server/replicated_log/rocksdb_recovery.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "server/replicated_log/rocksdb_database.h"
#include "server/replicated_log/rocksdb_manifest_tail.h"
#include "server/replicated_log/rocksdb_status.h"

namespace dfs::replicated_log {
namespace {

// Small on purpose: three idle nodes share one small machine.
constexpr std::size_t kWriteBufferBytes = std::size_t{8} << 20;
constexpr std::size_t kArenaBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kBlockCacheBytes = std::size_t{12} << 20;
constexpr int kOpenFilesMax = 512;
// The log is switched by RocksdbDatabase long before this.
constexpr std::uint64_t kWalBytesMax = std::uint64_t{64} << 20;
constexpr std::uint64_t kManifestBytesMax = std::uint64_t{4} << 20;
constexpr std::size_t kCopyPieceBytes = std::size_t{1} << 20;

constexpr char kDatabase[] = "meta";
constexpr char kCopy[] = "meta.copy";
constexpr char kDamaged[] = "meta.damaged-";

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
    DFS_RETURN_IF_ERROR(CopyFile(env, from + "/" + name, to + "/" + name));
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

// Whether everything but the newest write-ahead log is undamaged.
absl::Status CheckWithout(rocksdb::Env* env, const std::string& path, const std::string& wal) {
  {
    std::unique_ptr<rocksdb::WritableFile> empty;
    DFS_RETURN_IF_ERROR(
        FromRocksdb(env->NewWritableFile(path + "/" + wal, &empty, {}), path + "/" + wal));
    DFS_RETURN_IF_ERROR(FromRocksdb(empty->Close(), path + "/" + wal));
  }
  RocksdbGapFilter filter;
  RocksdbFamilies families;
  const auto status =
      OpenAllFamilies(MetadataDbOptions(env, &filter), path, {}, /*is_read_only=*/true, &families);
  families.Close();
  return FromRocksdb(status, "damaged outside of its newest write-ahead log");
}

absl::Status RecoverToDamage(rocksdb::Env* env, const std::string& path,
                             const DurablePosition& mark) {
  RocksdbGapFilter filter;
  rocksdb::DBOptions options = MetadataDbOptions(env, &filter);
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  RocksdbFamilies families;
  DFS_RETURN_IF_ERROR(FromRocksdb(
      OpenAllFamilies(options, path, {kLogFamily}, /*is_read_only=*/false, &families), path));
  const auto position = ReadPosition(families.db.get(), families.Find(kLogFamily));
  families.Close();
  DFS_RETURN_IF_ERROR(position.status());
  if (!position->Reaches(mark)) {
    return absl::DataLossError(absl::StrCat("what is undamaged ends at ", ToString(*position),
                                            ", but ", ToString(mark), " was durable here"));
  }
  return absl::OkStatus();
}

}  // namespace

rocksdb::WalFilter::WalProcessingOption RocksdbGapFilter::LogRecordFound(
    unsigned long long log_number, const std::string& /*log_file_name*/,
    const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* /*new_batch*/,
    bool* /*batch_changed*/) {
  // A batch begins with its first sequence number (8 bytes) and its count (4), little endian.
  constexpr std::size_t kHeaderBytes = 12;
  const std::string& data = batch.Data();
  if (data.size() < kHeaderBytes) return WalProcessingOption::kCorruptedRecord;
  const std::uint64_t sequence = Get(data, 0, 8);
  if (next_sequence_ != 0 && sequence > next_sequence_) {
    LOG(WARNING) << "metadata: unsynced writes " << next_sequence_ << " to " << sequence - 1
                 << " were lost in a crash; replay ends in write-ahead log " << log_number;
    return WalProcessingOption::kStopReplay;
  }
  next_sequence_ = std::max(next_sequence_, sequence + Get(data, 8, 4));
  return WalProcessingOption::kContinueProcessing;
}

rocksdb::DBOptions MetadataDbOptions(rocksdb::Env* env, rocksdb::WalFilter* filter) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Rule R22. The default mode opens after one flipped byte without the synced records behind it.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  options.track_and_verify_wals_in_manifest = true;
  options.recycle_log_file_num = 0;
  options.wal_filter = filter;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kWalBytesMax;
  options.max_manifest_file_size = kManifestBytesMax;
  options.max_background_jobs = 2;
  options.bytes_per_sync = std::uint64_t{1} << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  return options;
}

rocksdb::ColumnFamilyOptions MetadataFamilyOptions() {
  static const auto* const cache = new std::shared_ptr<rocksdb::Cache>(
      rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/2));
  static const auto* const filter = new std::shared_ptr<const rocksdb::FilterPolicy>(
      rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.arena_block_size = kArenaBlockBytes;
  options.target_file_size_base = kWriteBufferBytes;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool has_lz4 =
      std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = has_lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = *cache;
  table.filter_policy = *filter;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
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

rocksdb::Status OpenAllFamilies(const rocksdb::DBOptions& options, const std::string& path,
                                const std::vector<std::string>& wanted, bool is_read_only,
                                RocksdbFamilies* out) {
  std::vector<std::string> names = {rocksdb::kDefaultColumnFamilyName};
  if (Exists(options.env, path + "/CURRENT")) {
    names.clear();
    auto status = rocksdb::DB::ListColumnFamilies(options, path, &names);
    if (!status.ok()) return status;
  }
  for (const auto& name : wanted) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, MetadataFamilyOptions());
  rocksdb::DB* db = nullptr;
  auto status = is_read_only
                    ? rocksdb::DB::OpenForReadOnly(options, path, families, &out->handles, &db)
                    : rocksdb::DB::Open(options, path, families, &out->handles, &db);
  out->db.reset(db);
  return status;
}

absl::Status SyncLogs(rocksdb::Env* env, const std::string& data_dir) {
  const std::string database = data_dir + "/" + kDatabase;
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

absl::Status FinishRecovery(rocksdb::Env* env, const std::string& data_dir) {
  const std::string database = data_dir + "/" + kDatabase;
  const std::string copy = data_dir + "/" + kCopy;
  if (!Exists(env, copy)) return absl::OkStatus();
  // The database is moved away only once its copy is complete and verified.
  if (Exists(env, database)) return RemoveFolder(env, copy);
  DFS_RETURN_IF_ERROR(FromRocksdb(env->RenameFile(copy, database), copy));
  return SyncFolder(env, data_dir);
}

absl::Status RecoverFromCopy(rocksdb::Env* env, const std::string& data_dir,
                             const DurablePosition& mark, const std::string& error) {
  const std::string database = data_dir + "/" + kDatabase;
  const std::string copy = data_dir + "/" + kCopy;
  const auto refuse = [&](const absl::Status& why) {
    (void)RemoveFolder(env, copy);  // the next start removes it otherwise
    return absl::DataLossError(absl::StrCat(
        database, " is damaged (", error, ") and must not be used: ", std::string(why.message()),
        ". Wipe the data directory and let the node join again under a new id"));
  };
  LOG(WARNING) << database << " is damaged (" << error << "): trying a copy";
  std::string wal;
  DFS_RETURN_IF_ERROR(CopyDatabase(env, database, copy, &wal));
  if (wal.empty()) return refuse(absl::DataLossError("it has no write-ahead log"));
  DFS_RETURN_IF_ERROR(CutZeroedManifest(env, copy));
  if (auto status = CheckWithout(env, copy, wal); !status.ok()) return refuse(status);
  DFS_RETURN_IF_ERROR(CopyFile(env, database + "/" + wal, copy + "/" + wal));
  if (auto status = RecoverToDamage(env, copy, mark); !status.ok()) return refuse(status);
  DFS_RETURN_IF_ERROR(SyncFolder(env, copy));
  const std::string damaged = absl::StrCat(
      data_dir, "/", kDamaged, absl::ToUnixMicros(SystemClock().WallNow()));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->RenameFile(database, damaged), damaged));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->RenameFile(copy, database), database));
  DFS_RETURN_IF_ERROR(SyncFolder(env, data_dir));
  LOG(WARNING) << "metadata: going on from a copy that holds everything known to be durable; "
               << "the damaged database is kept as " << damaged;
  return absl::OkStatus();
}

}  // namespace dfs::replicated_log
