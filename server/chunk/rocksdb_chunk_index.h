// What this node holds: chunk -> object, objects, the bytes of small ones, and when each
// transaction was last written here. In a RocksDB of its own.
#ifndef DFS_SERVER_CHUNK_ROCKSDB_CHUNK_INDEX_H_
#define DFS_SERVER_CHUNK_ROCKSDB_CHUNK_INDEX_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/rocksdb_durable_mark.h"
#include "common/sync.h"
#include "server/chunk/index_format.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Iterator;
struct ReadOptions;
class WalFilter;
class WriteBatch;
}  // namespace rocksdb

namespace dfs::chunk {

class IndexChange;

// Bytes that stay where they are while this lives.
class PinnedBytes {
 public:
  virtual ~PinnedBytes() = default;
  [[nodiscard]] virtual std::string_view bytes() const = 0;
};

// A file of this name in the index's folder: it is made anew when it is opened next.
inline constexpr char kRebuildOrderFile[] = "REBUILD";
// A note in an index that was made anew: files that no record names are adopted before any is swept.
inline constexpr char kAdoptNote[] = "adopt";

// Damage that background work of the database has met: it takes no more writes, and must be rebuilt. Thread-safe.
class IndexRot {
 public:
  void Record(std::string what) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (what_.empty()) what_ = std::move(what);
  }
  // "": none.
  [[nodiscard]] std::string what() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return what_;
  }

 private:
  Mutex mutex_;
  std::string what_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe, but knows nothing of who changes what: ChunkStore locks. All calls block on disk.
// Errors: kDataLoss (a record is damaged, or a write failed), kUnavailable (it cannot be read now).
class ChunkIndex {
 public:
  // Opens or makes the database <folder>/index and its durable-through mark beside it, by rule R22; `folder` must
  // exist. `env` null: the machine's own. One that is damaged, that holds less than was durable, or in whose folder the file
  // kRebuildOrderFile is, is made anew from what can be read: what is lost is not held any more.
  //   kFailedPrecondition  another process has it open
  //   kDataLoss            the disk failed
  static absl::StatusOr<std::unique_ptr<ChunkIndex>> Open(const std::string& folder,
                                                          rocksdb::Env* env);
  ~ChunkIndex();
  ChunkIndex(const ChunkIndex&) = delete;
  ChunkIndex& operator=(const ChunkIndex&) = delete;

  // This start went on without something that a crash had damaged before it was known to be durable.
  [[nodiscard]] bool was_cut() const { return was_cut_; }

  // Not "": damage that the database's background work has met. Writes fail from then on, until the index is made anew.
  [[nodiscard]] std::string rot() const { return rot_->what(); }

  [[nodiscard]] absl::StatusOr<std::optional<ChunkRecord>> FindChunk(const ChunkId& id);
  [[nodiscard]] absl::StatusOr<std::optional<ObjectRecord>> FindObject(ObjectId id);
  // Of a small object. kNotFound.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<PinnedBytes>> FindBytes(ObjectId id);
  // Whether any chunk of the transaction but `besides` is held.
  [[nodiscard]] absl::StatusOr<bool> HoldsOtherOf(const TxnId& txn, const ChunkId& besides);

  // In order of id; a damaged record is logged and reported as nullopt. False from visit ends it.
  absl::Status ForEachObject(
      const std::function<bool(ObjectId, const std::optional<ObjectRecord>&)>& visit);
  // From one consistent view, but for `touched_us`, which may be newer, and 0 if it is not known. Damaged parts are passed
  // over; from there on the view is a newer one.
  absl::Status ForEachChunk(const std::optional<ChunkId>& after,
                            const std::function<bool(const ChunkId&, const ChunkRecord&,
                                                     std::int64_t touched_us)>& visit);

  // Small records by name, apart from the others. "" if there is none or it cannot be read.
  [[nodiscard]] std::string FindNote(const std::string& name);
  [[nodiscard]] absl::Status PutNote(const std::string& name, std::string_view value);

  // All of the change or nothing; durable on return. Concurrent calls share syncs. After an
  // error the outcome is unknown and nothing may be written any more.
  [[nodiscard]] absl::Status Apply(const IndexChange& change);

 private:
  friend class IndexChange;
  absl::Status Write(rocksdb::WriteBatch* batch);
  // Stands on the first chunk behind a damaged part that begins after the key `last`; null: nothing behind it can be
  // read.
  std::unique_ptr<rocksdb::Iterator> BehindDamage(const rocksdb::ReadOptions& reads,
                                                  const std::string& last) const;
  enum Family : std::size_t { kDefault, kChunks, kObjects, kBytes, kTouched, kFamilies };
  ChunkIndex() = default;

  bool was_cut_ = false;
  const std::shared_ptr<IndexRot> rot_ = std::make_shared<IndexRot>();
  std::unique_ptr<RocksdbDurableMark> mark_;
  std::unique_ptr<rocksdb::WalFilter> gap_filter_;  // outlives db_
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};
};

// A set of changes that is applied at once. Reads see what was changed before. The caller holds the locks of
// all transactions and objects that it reads or changes. Not thread-safe.
class IndexChange {
 public:
  explicit IndexChange(ChunkIndex* index) : index_(index) {}

  [[nodiscard]] absl::StatusOr<std::optional<ChunkRecord>> FindChunk(const ChunkId& id);
  [[nodiscard]] absl::StatusOr<std::optional<ObjectRecord>> FindObject(ObjectId id);

  // The record's reference is counted: the object it names gains one, the one it named before loses
  // one, and goes at 0. The object must be there.
  [[nodiscard]] absl::Status PutChunk(const ChunkId& id, const ChunkRecord& record);
  [[nodiscard]] absl::Status DropChunk(const ChunkId& id);
  // A new object without references. `bytes` (small ones only) must live until Apply.
  void PutObject(ObjectId id, ObjectRecord record, std::string_view bytes);
  [[nodiscard]] absl::Status MarkDamaged(ObjectId id);
  void Touch(const TxnId& txn, std::int64_t time_us) { touched_[txn] = time_us; }
  void ForgetTouch(const TxnId& txn) { touched_[txn] = std::nullopt; }

  // Objects that nothing names once this is applied.
  [[nodiscard]] const std::map<ObjectId, ObjectKind>& dropped() const { return dropped_; }
  // The files among them.
  [[nodiscard]] std::vector<ObjectId> FilesDropped() const;
  // By how much the bytes of all objects grow.
  [[nodiscard]] std::int64_t BytesAdded() const { return bytes_added_; }
  [[nodiscard]] bool is_empty() const {
    return chunks_.empty() && objects_.empty() && touched_.empty();
  }

 private:
  friend class ChunkIndex;
  // is_changed: to be written; otherwise only read.
  template <class Record>
  struct Entry {
    std::optional<Record> record;
    bool is_changed = false;
  };
  absl::Status AddReference(ObjectId id);
  absl::Status DropReference(ObjectId id);

  ChunkIndex* const index_;
  std::map<ChunkId, Entry<ChunkRecord>> chunks_;
  std::map<ObjectId, Entry<ObjectRecord>> objects_;
  std::map<ObjectId, std::string_view> bytes_;
  std::map<ObjectId, ObjectKind> dropped_;
  std::map<TxnId, std::optional<std::int64_t>> touched_;
  std::int64_t bytes_added_ = 0;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_ROCKSDB_CHUNK_INDEX_H_
