#include "server/chunk/rocksdb_index_rebuild.h"

#include <glog/logging.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <rocksdb/db.h>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/mutant.h"
#include "common/rocksdb_blob_file.h"
#include "common/rocksdb_salvage.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"
#include "server/chunk/index_format.h"
#include "server/chunk/rocksdb_chunk_index.h"

namespace dfs::chunk {
namespace {

constexpr char kChunks[] = "chunks";
constexpr char kObjects[] = "objects";
constexpr char kBytes[] = "bytes";
constexpr char kTouched[] = "touched";

// The new index. Without a write-ahead log: nothing of it counts before it is whole and its tables are synced.
class NewIndex {
 public:
  explicit NewIndex(const RocksdbPlan& plan) : plan_(plan) {}
  ~NewIndex() {
    if (families_.db != nullptr) families_.Close();
  }

  absl::Status Open(const std::string& path) {
    DFS_RETURN_IF_ERROR(FromRocksdb(plan_.env->CreateDir(path), path));
    rocksdb::DBOptions options = plan_.options;
    options.env = plan_.env;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : plan_.families) {
      families.emplace_back(name, plan_.family_options(name));
    }
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, path, families, &families_.handles, &db);
    families_.db.reset(db);
    return FromRocksdb(status, path);
  }
  [[nodiscard]] bool Holds(const char* family, std::string_view key) {
    rocksdb::PinnableSlice value;
    return families_.db->Get({}, families_.Find(family), SliceOf(key), &value).ok();
  }
  // Later calls do nothing once one has failed.
  void Put(const char* family, std::string_view key, std::string_view value) {
    Note(families_.db->Put(Unlogged(), families_.Find(family), SliceOf(key), SliceOf(value)));
  }
  void Delete(const char* family, std::string_view key) {
    Note(families_.db->Delete(Unlogged(), families_.Find(family), SliceOf(key)));
  }
  std::unique_ptr<rocksdb::Iterator> Begin(const char* family) {
    std::unique_ptr<rocksdb::Iterator> at(families_.db->NewIterator({}, families_.Find(family)));
    at->SeekToFirst();
    return at;
  }
  absl::Status Finish() {
    for (auto* handle : families_.handles) Note(families_.db->Flush({}, handle));
    families_.Close();
    return FromRocksdb(status_, "the new index");
  }

 private:
  static rocksdb::WriteOptions Unlogged() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return options;
  }
  void Note(const rocksdb::Status& status) {
    if (status_.ok()) status_ = status;
  }

  const RocksdbPlan& plan_;
  RocksdbFamilies families_;
  rocksdb::Status status_;
};

class Rebuild {
 public:
  Rebuild(const RocksdbPlan& plan, std::int64_t now_us)
      : plan_(plan), now_us_(now_us), old_(plan), index_(plan) {}

  absl::Status WriteTo(const std::string& copy) {
    DFS_RETURN_IF_ERROR(index_.Open(copy));
    CopyObjects();
    CopyChunks();
    CountReferences();
    CopyBytes();
    index_.Put("default", kAdoptNote, "1");
    DFS_RETURN_IF_ERROR(index_.Finish());
    LOG(WARNING) << "chunk index: made anew with " << chunks_ << " chunks of " << references_.size()
                 << " objects; " << dropped_chunks_ << " chunks whose objects are lost, "
                 << lost_bytes_ << " small objects whose bytes are lost. What is missing here is "
                 << "copied from other nodes";
    return absl::OkStatus();
  }

 private:
  void CopyObjects() {
    old_.ForEach(kObjects, kObjectKeyBytes, [this](std::string_view key, std::string_view value) {
      if (!DecodeObjectKey(key) || !DecodeObjectRecord(value) || index_.Holds(kObjects, key)) return;
      index_.Put(kObjects, key, value);
    });
  }

  // Only those whose object is there, with the same content.
  void CopyChunks() {
    std::optional<TxnId> last;
    old_.ForEach(kChunks, kChunkKeyBytes, [&](std::string_view key, std::string_view value) {
      const auto id = DecodeChunkKey(key);
      const auto chunk = DecodeChunkRecord(value);
      if (!id || !chunk || index_.Holds(kChunks, key)) return;
      if (!index_.Holds(kObjects, EncodeKey(chunk->object))) {
        ++dropped_chunks_;
        return;
      }
      ++chunks_;
      ++references_[chunk->object];
      index_.Put(kChunks, key, value);
      if (last == id->txn) return;
      last = id->txn;
      index_.Put(kTouched, EncodeKey(id->txn), EncodeTime(now_us_));
    });
  }

  // An object that no chunk names any more goes; if it is a file, that is adopted by what its header says.
  void CountReferences() {
    for (auto at = index_.Begin(kObjects); at->Valid(); at->Next()) {
      const std::string key = at->key().ToString();
      const auto id = DecodeObjectKey(key);
      auto record = DecodeObjectRecord({at->value().data(), at->value().size()});
      if (!id || !record) continue;
      const auto counted = references_.find(*id);
      if (!DFS_MUTANT(885, "a rebuilt index keeps the old counts of references")) {
        record->references = counted == references_.end() ? 0 : counted->second;
      }
      if (record->references == 0) {
        index_.Delete(kObjects, key);
        continue;
      }
      if (record->kind == ObjectKind::kSmall) small_.insert(*id);
      index_.Put(kObjects, key, Encode(*record));
    }
  }

  void CopyBytes() {
    absl::flat_hash_set<ObjectId> missing;
    for (const ObjectId id : small_) {
      if (const auto bytes = old_.Get(kBytes, EncodeKey(id))) {
        index_.Put(kBytes, EncodeKey(id), *bytes);
      } else {
        missing.insert(id);
      }
    }
    if (missing.empty()) return;
    for (const auto& path : old_.BlobFiles()) {
      const absl::Status status =
          ForEachBlob(plan_.env, path, [&](std::string_view key, std::string_view value) {
            const auto id = DecodeObjectKey(key);
            if (!id || missing.erase(*id) == 0) return;
            index_.Put(kBytes, key, value);
          });
      LOG_IF(WARNING, !status.ok()) << "chunk index: " << status;
    }
    lost_bytes_ = missing.size();
  }

  const RocksdbPlan& plan_;
  const std::int64_t now_us_;
  RocksdbSalvage old_;
  NewIndex index_;
  // 16 bytes or so for each object: a node holds some millions.
  absl::flat_hash_map<ObjectId, std::uint32_t> references_;
  absl::flat_hash_set<ObjectId> small_;
  std::size_t chunks_ = 0;
  std::size_t dropped_chunks_ = 0;
  std::size_t lost_bytes_ = 0;
};

}  // namespace

absl::Status RebuildIndex(const RocksdbPlan& plan, const std::string& copy, std::int64_t now_us) {
  return Rebuild(plan, now_us).WriteTo(copy);
}

}  // namespace dfs::chunk
