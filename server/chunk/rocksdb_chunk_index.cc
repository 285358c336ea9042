#include "server/chunk/rocksdb_chunk_index.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/mutant.h"
#include "common/rocksdb_recovery.h"
#include "common/rocksdb_salvage.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"
#include "server/chunk/rocksdb_index_rebuild.h"

namespace dfs::chunk {
namespace {

constexpr std::size_t kBytesBuffer = std::size_t{16} << 20;   // memory table of small bytes
constexpr std::size_t kRecordBuffer = std::size_t{4} << 20;   // of each other family
constexpr std::size_t kBuffersMax = std::size_t{48} << 20;    // of all families together
constexpr std::uint64_t kBlobBytesMin = 1'024;  // what is shorter stays beside its key
constexpr std::uint64_t kBlobFileBytes = std::uint64_t{64} << 20;
constexpr std::size_t kCacheBytes = std::size_t{8} << 20;
constexpr std::uint64_t kLogBytesMax = std::uint64_t{96} << 20;
constexpr int kOpenFilesMax = 512;
constexpr std::size_t kInfoLogBytes = std::size_t{4} << 20;
constexpr std::size_t kProtectionBytes = 8;
static_assert(std::string_view(kRebuildOrderFile) == kRebuildOrder);
constexpr int kSkipsMax = 1'000;  // damaged parts passed over in one walk

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Of a read. Only what was read and found wrong counts as damage: a lack of file descriptors must not.
absl::Status ErrorOf(const rocksdb::Status& status) {
  const std::string message = "chunk index: " + status.ToString();
  return IsDamage(status) ? absl::DataLossError(message) : absl::UnavailableError(message);
}

rocksdb::DBOptions MakeOptions() {
  rocksdb::DBOptions options;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kLogBytesMax;
  options.db_write_buffer_size = kBuffersMax;
  options.max_background_jobs = 2;
  options.max_subcompactions = 1;
  options.keep_log_file_num = 2;
  options.max_log_file_size = kInfoLogBytes;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.enable_write_thread_adaptive_yield = false;  // spinning takes the processor from who is waited for
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache,
                                               std::size_t buffer_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.verify_compression = false;
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = buffer_bytes;
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;  // files are often compressed already
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Bytes of small chunks go into files of their own when they leave memory: compaction then moves keys, not bytes. A file
// is written anew once half of what it and its elders hold is gone.
rocksdb::ColumnFamilyOptions MakeBytesOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = MakeFamilyOptions(cache, kBytesBuffer);
  options.enable_blob_files = true;
  options.min_blob_size = kBlobBytesMin;
  options.blob_file_size = kBlobFileBytes;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_age_cutoff = 1.0;
  options.blob_garbage_collection_force_threshold = 0.5;
  return options;
}

rocksdb::ReadOptions CheckedReads() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  return options;
}

// Rot that reads go around, background work cannot: it would stop all writes for good.
class RotListener final : public rocksdb::EventListener {
 public:
  explicit RotListener(std::shared_ptr<IndexRot> rot) : rot_(std::move(rot)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    using Reason = rocksdb::BackgroundErrorReason;
    const bool is_of_reading = reason == Reason::kCompaction || reason == Reason::kFlush;
    if (is_of_reading && IsDamage(*status)) rot_->Record(status->ToString());
  }

 private:
  const std::shared_ptr<IndexRot> rot_;
};

class PinnedValue final : public PinnedBytes {
 public:
  [[nodiscard]] std::string_view bytes() const override { return View(value); }
  rocksdb::PinnableSlice value;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ChunkIndex>> ChunkIndex::Open(const std::string& folder,
                                                             rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  const auto cache = rocksdb::NewLRUCache(kCacheBytes);
  std::unique_ptr<ChunkIndex> index(new ChunkIndex);
  DFS_ASSIGN_OR_RETURN(
      index->mark_, RocksdbDurableMark::Open(env, folder + "/index_durable_through", "index-mark"));
  const std::uint64_t mark = index->mark_->found()[0];
  RocksdbPlan plan;
  plan.env = env;
  plan.folder = folder;
  plan.name = "index";
  plan.options = MakeOptions();
  plan.family_options = [&cache](const std::string& family) {
    return family == kIndexFamilies[kBytes] ? MakeBytesOptions(cache)
                                          : MakeFamilyOptions(cache, kRecordBuffer);
  };
  plan.families.assign(kIndexFamilies.begin(), kIndexFamilies.end());
  plan.must_exist = mark != 0;
  plan.mark = index->mark_.get();
  plan.rebuild = [plain = plan](const std::string& copy) {
    return RebuildIndex(plain, copy, absl::ToUnixMicros(SystemClock().WallNow()));
  };
  plan.options.listeners.push_back(std::make_shared<RotListener>(index->rot_));
  plan.check_reach = [mark](const RocksdbFamilies& families) -> absl::Status {
    const std::uint64_t last = families.db->GetLatestSequenceNumber();
    if (last >= mark) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("it ends at change ", last, ", but change ", mark, " was durable here"));
  };
  DFS_ASSIGN_OR_RETURN(OpenedRocksdb opened, OpenRocksdb(plan));
  index->was_cut_ = opened.was_cut;
  index->gap_filter_ = std::move(opened.filter);
  index->db_ = std::move(opened.families.db);
  for (std::size_t i = 0; i < kFamilies; ++i) {
    index->families_[i] = opened.families.Find(kIndexFamilies[i]);
  }
  if (opened.was_rebuilt) {
    // A crash before this: the new index ends before the mark, and is made anew once more.
    DFS_RETURN_IF_ERROR(index->mark_->Lower({index->db_->GetLatestSequenceNumber(), 0, 0}));
  }
  return index;
}

ChunkIndex::~ChunkIndex() {
  if (db_ == nullptr) return;
  for (auto* family : families_) db_->DestroyColumnFamilyHandle(family);
  const rocksdb::Status status = db_->Close();
  LOG_IF(WARNING, !status.ok()) << "chunk index: " << status.ToString();
}

absl::StatusOr<std::optional<ChunkRecord>> ChunkIndex::FindChunk(const ChunkId& id) {
  rocksdb::PinnableSlice value;
  const auto status = db_->Get(CheckedReads(), families_[kChunks], EncodeKey(id), &value);
  if (status.IsNotFound()) return std::optional<ChunkRecord>();
  if (!status.ok()) return ErrorOf(status);
  const auto record = DecodeChunkRecord(View(value));
  if (!record) return absl::DataLossError("the index record of chunk " + ToString(id) + " is damaged");
  return record;
}

absl::StatusOr<std::optional<ObjectRecord>> ChunkIndex::FindObject(ObjectId id) {
  rocksdb::PinnableSlice value;
  const auto status = db_->Get(CheckedReads(), families_[kObjects], EncodeKey(id), &value);
  if (status.IsNotFound()) return std::optional<ObjectRecord>();
  if (!status.ok()) return ErrorOf(status);
  auto record = DecodeObjectRecord(View(value));
  if (!record) {
    return absl::DataLossError(absl::StrCat("the record of object ", id.value(), " is damaged"));
  }
  return record;
}

absl::StatusOr<std::unique_ptr<PinnedBytes>> ChunkIndex::FindBytes(ObjectId id) {
  auto pinned = std::make_unique<PinnedValue>();
  const auto status = db_->Get(CheckedReads(), families_[kBytes], EncodeKey(id), &pinned->value);
  if (status.IsNotFound()) return absl::NotFoundError("no such object");
  if (!status.ok()) return ErrorOf(status);
  return pinned;
}

absl::StatusOr<bool> ChunkIndex::HoldsOtherOf(const TxnId& txn, const ChunkId& besides) {
  const std::string prefix = EncodeKey(txn);
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(CheckedReads(), families_[kChunks]));
  for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
    if (View(at->key()) != EncodeKey(besides)) return true;
  }
  if (!at->status().ok()) return ErrorOf(at->status());
  return false;
}

absl::Status ChunkIndex::ForEachObject(
    const std::function<bool(ObjectId, const std::optional<ObjectRecord>&)>& visit) {
  const std::unique_ptr<rocksdb::Iterator> at(
      db_->NewIterator(CheckedReads(), families_[kObjects]));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const auto id = DecodeObjectKey(View(at->key()));
    if (!id) {
      LOG(ERROR) << "chunk index: a key of an object is damaged";
      continue;
    }
    const auto record = DecodeObjectRecord(View(at->value()));
    LOG_IF(ERROR, !record) << "chunk index: the record of object " << *id << " is damaged";
    if (!visit(*id, record)) break;
  }
  return at->status().ok() ? absl::OkStatus() : ErrorOf(at->status());
}

absl::Status ChunkIndex::ForEachChunk(
    const std::optional<ChunkId>& after,
    const std::function<bool(const ChunkId&, const ChunkRecord&, std::int64_t)>& visit) {
  // No snapshot: releasing one makes RocksDB compact, and a walk must not bring it to a damaged table.
  const auto reads = CheckedReads();
  rocksdb::Status result;
  {
    std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(reads, families_[kChunks]));
    std::optional<TxnId> txn;
    std::int64_t touched_us = 0;
    if (after) {
      at->Seek(EncodeKey(*after) + '\0');
    } else {
      at->SeekToFirst();
    }
    std::string last = after ? EncodeKey(*after) : std::string();
    for (int skips = 0;; at->Next()) {
      if (!at->Valid() && at->status().IsCorruption() && skips++ < kSkipsMax) {
        LOG(ERROR) << "chunk index: " << at->status().ToString();
        auto behind = BehindDamage(reads, last);
        if (behind == nullptr) break;
        at = std::move(behind);
      }
      if (!at->Valid()) break;
      last = at->key().ToString();
      const auto id = DecodeChunkKey(View(at->key()));
      const auto record = DecodeChunkRecord(View(at->value()));
      if (!id || !record) {
        LOG(ERROR) << "chunk index: a record of a chunk is damaged";
        continue;
      }
      if (txn != id->txn) {
        txn = id->txn;
        std::string value;
        const auto status = db_->Get(reads, families_[kTouched], EncodeKey(*txn), &value);
        touched_us = status.ok() ? DecodeTime(value).value_or(0) : 0;
      }
      if (!visit(*id, *record, touched_us)) break;
    }
    result = at->status();
  }
  return result.ok() ? absl::OkStatus() : ErrorOf(result);
}

std::unique_ptr<rocksdb::Iterator> ChunkIndex::BehindDamage(const rocksdb::ReadOptions& reads,
                                                            const std::string& last) const {
  return IteratorBehindDamage(
      [&] {
        return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(reads, families_[kChunks]));
      },
      last, kChunkKeyBytes);
}

absl::Status ChunkIndex::Apply(const IndexChange& change) {
  std::size_t bytes = 0;
  for (const auto& [id, value] : change.bytes_) bytes += value.size();
  rocksdb::WriteBatch batch(bytes + 4096, 0, kProtectionBytes, 0);
  rocksdb::Status status;
  const auto check = [&status](const rocksdb::Status& step) {
    if (status.ok()) status = step;
  };
  for (const auto& [id, entry] : change.chunks_) {
    if (!entry.is_changed) continue;
    check(entry.record ? batch.Put(families_[kChunks], EncodeKey(id), Encode(*entry.record))
                       : batch.Delete(families_[kChunks], EncodeKey(id)));
  }
  for (const auto& [id, entry] : change.objects_) {
    if (!entry.is_changed) continue;
    check(entry.record ? batch.Put(families_[kObjects], EncodeKey(id), Encode(*entry.record))
                       : batch.Delete(families_[kObjects], EncodeKey(id)));
  }
  for (const auto& [id, value] : change.bytes_) {
    check(batch.Put(families_[kBytes], EncodeKey(id), SliceOf(value)));
  }
  for (const auto& [id, kind] : change.dropped_) {
    if (kind == ObjectKind::kSmall) check(batch.Delete(families_[kBytes], EncodeKey(id)));
  }
  for (const auto& [txn, time_us] : change.touched_) {
    check(time_us ? batch.Put(families_[kTouched], EncodeKey(txn), EncodeTime(*time_us))
                  : batch.Delete(families_[kTouched], EncodeKey(txn)));
  }
  if (!status.ok()) return absl::DataLossError("chunk index: " + status.ToString());
  return Write(&batch);
}

absl::Status ChunkIndex::Write(rocksdb::WriteBatch* batch) {
  rocksdb::WriteOptions options;
  // Always: unsynced bytes are then in the newest write-ahead log only, where rule R22 can do without them.
  options.sync = !DFS_MUTANT(880, "the chunk store acknowledges before it is durable");
  const rocksdb::Status status = db_->Write(options, batch);
  if (!status.ok()) return absl::DataLossError("chunk index: " + status.ToString());
  if (batch->Count() > 0) mark_->Raise({LastSequenceOf(*batch), 0, 0});
  return absl::OkStatus();
}

std::string ChunkIndex::FindNote(const std::string& name) {
  std::string value;
  const auto status = db_->Get(CheckedReads(), families_[kDefault], name, &value);
  if (status.ok()) return value;
  LOG_IF(WARNING, !status.IsNotFound()) << "chunk index: " << name << ": " << status.ToString();
  return "";
}

absl::Status ChunkIndex::PutNote(const std::string& name, std::string_view value) {
  rocksdb::WriteBatch batch(0, 0, kProtectionBytes, 0);
  if (const auto status = batch.Put(families_[kDefault], name, SliceOf(value)); !status.ok()) {
    return absl::InternalError(status.ToString());
  }
  return Write(&batch);
}

}  // namespace dfs::chunk
