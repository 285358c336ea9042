// The chunk store on this machine's disk: large objects are files, small ones and the index a RocksDB.
#ifndef DFS_SERVER_CHUNK_LOCAL_CHUNK_STORE_H_
#define DFS_SERVER_CHUNK_LOCAL_CHUNK_STORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/disk.h"
#include "common/sync.h"
#include "server/chunk/chunk_file.h"
#include "server/chunk/rocksdb_chunk_index.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/key_locks.h"
#include "server/chunk/object_folder.h"
#include "server/chunk/quarantine.h"
#include "server/chunk/stored_chunk.h"
#include "server/chunk/sync_latency.h"

namespace dfs::chunk {

// Relinks of one call.
inline constexpr std::size_t kRelinksMax = 4096;

// 2 %, at least 256 MiB, but never more than a tenth, so that a small disk can be used too.
std::uint64_t ReserveOf(std::uint64_t total_bytes);

// Thread-safe. Outlives its readers and writers.
//
// Locks, in this order: transactions (txn_locks_), objects (object_locks_), mutex_. The first two are held
// while the disk is waited for; what changes the index holds those of all it touches.
class LocalChunkStore final : public ChunkStore {
 public:
  struct Options {
    std::string data_dir;          // must exist; everything is in <data_dir>/chunks
    Disk* disk = nullptr;          // null: the machine's own
    rocksdb::Env* env = nullptr;   // null: the machine's own
    const Clock* clock = nullptr;  // null: the machine's own
    // Kept free for compaction and repair. Absent: ReserveOf(size of the disk).
    std::optional<std::uint64_t> reserve_bytes;
  };
  // Makes the folder if need be. Removes files that the index does not name, and remembers objects
  // whose file is gone as damaged. Blocks on disk, longer with more files. A damaged index is made anew
  // (rocksdb_index_rebuild.h), and then files that it does not name are adopted.
  // kDataLoss: the disk failed.
  static absl::StatusOr<std::unique_ptr<LocalChunkStore>> Open(const Options& options);
  ~LocalChunkStore() override;

  // This start went on without something that was damaged (rule R22): what the log believes to be here may not be.
  [[nodiscard]] bool was_cut() const { return index_->was_cut(); }

  absl::StatusOr<std::unique_ptr<ChunkWriter>> Create(const ChunkId& id,
                                                      std::uint64_t size_hint) override;
  std::vector<absl::Status> PutSmall(std::span<const SmallWrite> writes) override;
  absl::Status RelinkAll(std::span<const Relink> items) override;
  absl::StatusOr<std::unique_ptr<ChunkReader>> Open(const ChunkId& id) override;
  std::optional<ChunkInfo> Find(const ChunkId& id) override;
  void ForEach(const std::optional<ChunkId>& after,
               const std::function<bool(const HeldChunk&)>& visit) override;
  std::optional<std::uint64_t> OpenQuestion(const ChunkId& id) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Trash(const ChunkId& id, std::uint64_t nonce) override;
  absl::Status Remove(const ChunkId& id, std::uint64_t nonce) override;
  absl::StatusOr<ChunkInfo> Vouch(const ChunkId& id) override;
  Space GetSpace() override;
  absl::Duration SyncP99() override { return sync_latency_.P99(); }
  absl::Status Health() override ABSL_LOCKS_EXCLUDED(mutex_);
  bool WantsReopening() override;
  void CompareWith(const ChunkInfo& wanted) override;
  void SetDamageListener(std::function<void(const ChunkInfo&)> listener) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  DamageCounts GetDamage() override ABSL_LOCKS_EXCLUDED(mutex_);
  std::uint64_t CallCount() override { return calls_.load(); }
  absl::Status SaveScrubProgress(std::string_view bytes) override;
  std::string LoadScrubProgress() override;

 private:
  friend class LocalChunkWriter;
  // Bytes that match their info, not yet in the index.
  struct Verified {
    ChunkInfo info;
    std::vector<std::uint32_t> table;
    std::string_view bytes;  // small ones only
    ObjectId object;
    ObjectKind kind = ObjectKind::kSmall;
  };
  LocalChunkStore(const Options& options, std::unique_ptr<ChunkIndex> index);

  static absl::StatusOr<std::unique_ptr<LocalChunkStore>> OpenOnce(const Options& options,
                                                                   bool* is_index_damaged);
  // Durable on return.
  static absl::Status OrderRebuild(Disk& disk, const std::string& root);
  absl::Status Load(bool* is_index_damaged);
  // `adopts`: the index was made anew, and files that it does not name may be chunks whose records were lost.
  absl::Status Sweep(const std::vector<ObjectId>& indexed_files, bool adopts);
  [[nodiscard]] ObjectId NewObjectId() { return ObjectId(next_object_.fetch_add(1)); }
  [[nodiscard]] std::int64_t NowUs() const { return absl::ToUnixMicros(clock_.WallNow()); }
  // kResourceExhausted if a new chunk of this size would go below the reserve.
  absl::Status CheckSpace(std::uint64_t bytes);

  // For the writer. Makes the file and then the index durable; keeps the file if the index names it.
  absl::Status CommitFile(const Verified& object, ChunkFile* file);
  // All by one synced write. Results at their places.
  std::vector<absl::Status> CommitSmall(std::span<const Verified> objects);
  // Puts one into the change. True if its bytes are used, false if the copy held already stays.
  absl::StatusOr<bool> Place(IndexChange* change, const Verified& object);
  // Reads the records of the chunks into the change and locks the objects they name.
  absl::StatusOr<KeyLocks<ObjectId>::Guard> LockObjectsOf(IndexChange* change,
                                                          const std::vector<ChunkId>& chunks);
  // Applies with one sync; poisons the store if that fails. The questions about `counting`, which count
  // again from here on, are void. The caller holds all locks.
  absl::Status Apply(const IndexChange& change, const std::vector<ChunkId>& counting)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Poison(const absl::Status& cause) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::unique_ptr<StoredChunk>> OpenStored(const ChunkId& id);
  absl::StatusOr<std::unique_ptr<ObjectBytes>> OpenBytes(ObjectId id, ObjectKind kind);
  [[nodiscard]] bool IsDamaged(ObjectId id) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordDamage(ObjectId id) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, and tells the listener of the chunk whose read found it.
  void RecordDamageOf(const ChunkInfo& chunk, ObjectId id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Copies what can be read of damaged small objects that `change` drops; best effort.
  void SetAsideSmall(const IndexChange& change) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the question is open.
  [[nodiscard]] bool IsAsked(const ChunkId& id, std::uint64_t nonce) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string root_;
  const std::optional<std::uint64_t> reserve_bytes_;
  Disk& disk_;
  const Clock& clock_;
  const std::unique_ptr<ChunkIndex> index_;
  ObjectFolder files_;
  Quarantine quarantine_;
  SyncLatency sync_latency_;
  KeyLocks<TxnId> txn_locks_;
  KeyLocks<ObjectId> object_locks_;
  std::atomic<std::uint64_t> next_object_ = 1;
  std::atomic<std::int64_t> stored_bytes_ = 0;
  std::atomic<std::uint64_t> calls_ = 0;

  Mutex mutex_;
  absl::Status poison_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<ObjectId> damaged_ ABSL_GUARDED_BY(mutex_);
  std::function<void(const ChunkInfo&)> on_damage_ ABSL_GUARDED_BY(mutex_);
  // At most one for each chunk held.
  absl::flat_hash_map<ChunkId, std::uint64_t> questions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_LOCAL_CHUNK_STORE_H_
