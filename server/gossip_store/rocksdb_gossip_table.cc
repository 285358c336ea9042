#include "server/gossip_store/rocksdb_gossip_table.h"

#include <utility>

#include <glog/logging.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/damage.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"
#include "server/gossip_store/gossip_message_codec.h"

namespace dfs::gossip_store {
namespace {

constexpr char kName[] = "records";
constexpr char kMarkFile[] = "/durable_through";
constexpr char kLost[] = ".lost-";
constexpr char kRecordPrefix = 'r';
constexpr char kStateKey[] = "s";
constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
constexpr std::uint64_t kLogBytesMax = std::uint64_t{16} << 20;
constexpr int kOpenFilesMax = 64;
constexpr std::size_t kInfoLogBytes = std::size_t{1} << 20;

std::string KeyOf(const Key& key) {
  std::string out(1, kRecordPrefix);
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(key.bucket.value() >> shift & 0xFF));
  }
  return out + key.name;
}

std::string Encode(const HeldRecord& held) {
  rpc::GossipHeldRow row;
  ToWire(held.record, row.mutable_record());
  row.set_applied(held.applied.value());
  return row.SerializeAsString();
}

absl::StatusOr<HeldRecord> DecodeHeld(const rocksdb::Slice& bytes) {
  rpc::GossipHeldRow row;
  if (!row.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a row of gossip buckets is damaged");
  }
  DFS_ASSIGN_OR_RETURN(Record record, FromWire(row.record()));
  return HeldRecord{std::move(record), HybridTime(row.applied())};
}

std::string Encode(const GossipState& state) {
  rpc::GossipStateRow row;
  ToWire(state, &row);
  return row.SerializeAsString();
}

rocksdb::DBOptions MakeOptions() {
  rocksdb::DBOptions options;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kLogBytesMax;
  options.max_background_jobs = 1;
  options.max_subcompactions = 1;
  options.keep_log_file_num = 2;
  options.max_log_file_size = kInfoLogBytes;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.enable_write_thread_adaptive_yield = false;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

absl::Status MakeFolder(rocksdb::Env* env, const std::string& folder) {
  DFS_RETURN_IF_ERROR(FromRocksdb(env->CreateDirIfMissing(folder), folder));
  const std::string parent = folder.substr(0, folder.rfind('/'));
  std::unique_ptr<rocksdb::Directory> opened;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->NewDirectory(parent, &opened), parent));
  return FromRocksdb(opened->Fsync(), parent);
}

// What earlier losses have left goes; the newest is kept for inspection.
absl::Status SetAside(rocksdb::Env* env, const std::string& folder) {
  std::vector<std::string> names;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->GetChildren(folder, &names), folder));
  bool is_there = false;
  for (const auto& name : names) {
    if (name == kName) is_there = true;
  }
  if (!is_there) return absl::OkStatus();
  for (const auto& name : names) {
    if (!name.starts_with(absl::StrCat(kName, kLost))) continue;
    DFS_RETURN_IF_ERROR(RemoveFolder(env, absl::StrCat(folder, "/", name)));
  }
  const std::string from = absl::StrCat(folder, "/", kName);
  const std::string to = absl::StrCat(from, kLost, absl::ToUnixMicros(SystemClock().WallNow()));
  return FromRocksdb(env->RenameFile(from, to), from);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksdbGossipTable>> RocksdbGossipTable::Open(
    const std::string& folder, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  DFS_RETURN_IF_ERROR(MakeFolder(env, folder));
  auto table = OpenOnce(folder, env);
  if (table.ok() || !IsDamage(table.status())) return table;
  LOG(ERROR) << "THE RECORDS OF GOSSIP BUCKETS ARE DAMAGED OR GONE; they are taken over from the other members anew, "
                "and what is left of them is set aside: "
             << table.status();
  DFS_RETURN_IF_ERROR(SetAside(env, folder));
  DFS_ASSIGN_OR_RETURN(auto fresh, OpenOnce(folder, env, /*is_anew=*/true));
  GossipState state;
  state.has_begun_anew = true;
  DFS_RETURN_IF_ERROR(fresh->Write({}, state));
  // Until now the mark says that more was there, so that a crash in between is no first start.
  DFS_RETURN_IF_ERROR(fresh->mark_->Lower({fresh->families_.db->GetLatestSequenceNumber(), 0, 0}));
  return fresh;
}

absl::StatusOr<std::unique_ptr<RocksdbGossipTable>> RocksdbGossipTable::OpenOnce(
    const std::string& folder, rocksdb::Env* env, bool is_anew) {
  std::unique_ptr<RocksdbGossipTable> table(new RocksdbGossipTable);
  DFS_ASSIGN_OR_RETURN(table->mark_,
                       RocksdbDurableMark::Open(env, folder + kMarkFile, "gossip-mark"));
  const std::uint64_t mark = is_anew ? 0 : table->mark_->found()[0];
  RocksdbPlan plan;
  plan.env = env;
  plan.folder = folder;
  plan.name = kName;
  plan.options = MakeOptions();
  plan.family_options = [](const std::string& /*family*/) {
    rocksdb::ColumnFamilyOptions options;
    options.write_buffer_size = kBufferBytes;
    options.compression = rocksdb::kNoCompression;
    return options;
  };
  plan.families = {rocksdb::kDefaultColumnFamilyName};
  plan.must_exist = mark != 0;
  plan.mark = table->mark_.get();
  plan.check_reach = [mark](const RocksdbFamilies& families) -> absl::Status {
    const std::uint64_t last = families.db->GetLatestSequenceNumber();
    if (last >= mark) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("it ends at change ", last, ", but change ", mark, " was durable here"));
  };
  DFS_ASSIGN_OR_RETURN(OpenedRocksdb opened, OpenRocksdb(plan));
  table->filter_ = std::move(opened.filter);
  table->families_ = std::move(opened.families);
  return table;
}

RocksdbGossipTable::~RocksdbGossipTable() {
  if (families_.db != nullptr) families_.Close();
}

absl::StatusOr<StoredGossip> RocksdbGossipTable::Load() {
  StoredGossip out;
  rocksdb::ReadOptions reads;
  reads.verify_checksums = true;
  const std::unique_ptr<rocksdb::Iterator> at(families_.db->NewIterator(reads));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (at->key() == kStateKey) {
      rpc::GossipStateRow row;
      if (!row.ParseFromArray(at->value().data(), static_cast<int>(at->value().size()))) {
        return absl::DataLossError("the state of gossip buckets is damaged");
      }
      DFS_ASSIGN_OR_RETURN(out.state, FromWire(row));
    } else if (at->key()[0] == kRecordPrefix) {
      DFS_ASSIGN_OR_RETURN(HeldRecord held, DecodeHeld(at->value()));
      out.records.push_back(std::move(held));
    }
  }
  DFS_RETURN_IF_ERROR(FromRocksdb(at->status(), "gossip buckets"));
  return out;
}

absl::Status RocksdbGossipTable::Write(const std::vector<Change>& changes,
                                       const std::optional<GossipState>& state) {
  rocksdb::WriteBatch batch;
  for (const Change& change : changes) {
    const auto status = change.held ? batch.Put(KeyOf(change.key), Encode(*change.held))
                                    : batch.Delete(KeyOf(change.key));
    DFS_RETURN_IF_ERROR(FromRocksdb(status, "gossip buckets"));
  }
  if (state) DFS_RETURN_IF_ERROR(FromRocksdb(batch.Put(kStateKey, Encode(*state)), "gossip buckets"));
  return Commit(&batch);
}

absl::Status RocksdbGossipTable::BeginAnew(const BegunAnew& anew) {
  rocksdb::WriteBatch batch;
  const std::string begin(1, kRecordPrefix);
  const std::string end(1, kRecordPrefix + 1);
  DFS_RETURN_IF_ERROR(FromRocksdb(batch.DeleteRange(begin, end), "gossip buckets"));
  for (const HeldRecord& held : anew.kept) {
    const auto status = batch.Put(KeyOf(held.record.key), Encode(held));
    DFS_RETURN_IF_ERROR(FromRocksdb(status, "gossip buckets"));
  }
  DFS_RETURN_IF_ERROR(FromRocksdb(batch.Put(kStateKey, Encode(anew.state)), "gossip buckets"));
  return Commit(&batch);
}

absl::Status RocksdbGossipTable::Commit(rocksdb::WriteBatch* batch) {
  DFS_RETURN_IF_ERROR(failure_);
  if (batch->Count() == 0) return absl::OkStatus();
  rocksdb::WriteOptions options;
  options.sync = true;
  failure_ = FromRocksdb(families_.db->Write(options, batch), "gossip buckets");
  if (failure_.ok()) mark_->Note({LastSequenceOf(*batch), 0, 0});
  return failure_;
}

}  // namespace dfs::gossip_store
