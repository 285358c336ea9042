// A ChunkStore in memory, with faults on demand. Thread-safe.
#ifndef DFS_TESTS_SUPPORT_MEMORY_CHUNK_STORE_H_
#define DFS_TESTS_SUPPORT_MEMORY_CHUNK_STORE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/checksum.h"
#include "common/sync.h"
#include "server/chunk/chunk_store.h"

namespace dfs::testing {

class MemoryChunkStore final : public chunk::ChunkStore {
 public:
  // ---- faults ----
  // Every write fails with this until it is OK again.
  void FailWrites(absl::Status status);
  // Flips a byte of the stored chunk: reads of it are kDataLoss from then on.
  void Damage(const ChunkId& id);
  void Drop(const ChunkId& id);
  // From now on reads of bytes wait until ReleaseReads.
  void HoldReads();
  void ReleaseReads();
  [[nodiscard]] std::size_t count() const;
  // How often Open was called.
  [[nodiscard]] std::size_t opened() const;

  // ---- ChunkStore ----
  absl::StatusOr<std::unique_ptr<chunk::ChunkWriter>> Create(const ChunkId& id,
                                                             std::uint64_t size_hint) override;
  std::vector<absl::Status> PutSmall(std::span<const chunk::SmallWrite> writes) override;
  absl::Status RelinkAll(std::span<const chunk::Relink> items) override;
  absl::StatusOr<std::unique_ptr<chunk::ChunkReader>> Open(const ChunkId& id) override;
  std::optional<chunk::ChunkInfo> Find(const ChunkId& id) override;
  void ForEach(const std::optional<ChunkId>& after,
               const std::function<bool(const chunk::HeldChunk&)>& visit) override;
  std::optional<std::uint64_t> OpenQuestion(const ChunkId& id) override;
  absl::Status Trash(const ChunkId& id, std::uint64_t nonce) override;
  absl::Status Remove(const ChunkId& id, std::uint64_t nonce) override;
  absl::StatusOr<chunk::ChunkInfo> Vouch(const ChunkId& id) override;
  chunk::Space GetSpace() override;
  absl::Duration SyncP99() override { return absl::ZeroDuration(); }
  absl::Status Health() override { return absl::OkStatus(); }

  // Stores `bytes` as the chunk if they are what `expected` says.
  absl::StatusOr<chunk::ChunkInfo> Put(const ChunkId& id, std::string bytes,
                                       const std::optional<chunk::ChunkInfo>& expected);

 private:
  struct Stored {
    chunk::ChunkInfo info;
    std::shared_ptr<const std::string> bytes;
    std::vector<std::uint32_t> table;
    std::optional<std::uint64_t> question;
    bool is_trashed = false;
  };
  mutable Mutex mutex_;
  absl::Status write_fault_ ABSL_GUARDED_BY(mutex_);
  std::map<ChunkId, Stored> chunks_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Event> held_reads_ ABSL_GUARDED_BY(mutex_);  // null: they are not held
  std::uint64_t next_nonce_ ABSL_GUARDED_BY(mutex_) = 1;
  std::size_t opened_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_MEMORY_CHUNK_STORE_H_
