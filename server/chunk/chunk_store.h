// The bytes on this node: chunks, immutable once stored.
#ifndef DFS_SERVER_CHUNK_CHUNK_STORE_H_
#define DFS_SERVER_CHUNK_CHUNK_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/checksum.h"
#include "common/ids.h"

namespace dfs::chunk {

inline constexpr std::uint64_t kChunkBytesMax = std::uint64_t{64} << 20;
// Chunks up to here live in the database; larger ones are files.
inline constexpr std::size_t kSmallBytesMax = std::size_t{256} << 10;

struct ChunkInfo {
  ChunkId id;
  std::uint64_t size = 0;
  Hash128 hash;  // rule R21
};

// Writes one chunk. Not thread-safe. Destroyed without a successful Commit: nothing is kept (bytes on disk
// are swept).
class ChunkWriter {
 public:
  virtual ~ChunkWriter() = default;
  // Appends. Blocks on disk. The pieces are read before it returns, never kept.
  // kResourceExhausted: too little space (the reserve), or over kChunkBytesMax; kDataLoss: the disk
  // failed. After an error only destruction is allowed.
  [[nodiscard]] virtual absl::Status Append(std::span<const std::string_view> pieces) = 0;
  // As Append, and kDataLoss if `crc` is not the CRC32C of the pieces: then the store's Health() is still OK and nothing of
  // them was written. A store that computes the block table anyway looks at each byte once for both, so a caller that was
  // given a checksum with the bytes need not compute one.
  [[nodiscard]] virtual absl::Status AppendChecked(std::span<const std::string_view> pieces,
                                                   std::uint32_t crc) {
    std::uint32_t actual = 0;
    for (const auto piece : pieces) actual = ExtendCrc32c(actual, piece.data(), piece.size());
    if (actual != crc) return absl::DataLossError("the bytes do not match their checksum");
    return Append(pieces);
  }
  // Makes the chunk durable and visible to readers of this store. Call once, last. Blocks on disk.
  // If `expected` is given and differs in size or hash: kDataLoss (BAD_CHECKSUM), nothing is stored.
  // kAlreadyExists never: if the store holds the chunk with equal size and hash that copy stays and OK is returned;
  // with another hash kFailedPrecondition, nothing changed.
  // A failed sync poisons the store: kDataLoss, outcome unknown until it is opened anew.
  [[nodiscard]] virtual absl::StatusOr<ChunkInfo> Commit(const std::optional<ChunkInfo>& expected) = 0;
};

// Reads one stored chunk; keeps it readable while it lives, even if it is deleted meanwhile.
// Thread-safe.
class ChunkReader {
 public:
  virtual ~ChunkReader() = default;
  [[nodiscard]] virtual const ChunkInfo& info() const = 0;
  // CRC32C of each 64 KiB block.
  [[nodiscard]] virtual const std::vector<std::uint32_t>& table() const = 0;
  // Reads `out.size()` bytes from `offset`, both within the chunk, and checks every block it touches
  // against the table (it reads whole blocks; `offset` a multiple of 64 KiB and a size that ends at
  // a block's or the chunk's end avoid a second buffer). Blocks on disk.
  // kDataLoss: a block is damaged: `out` holds nothing to be used. The store remembers it as damaged.
  [[nodiscard]] virtual absl::Status Read(std::uint64_t offset, std::span<char> out) const = 0;
};

// What one relink makes count (rule R14).
struct Relink {
  ChunkId from;
  ChunkId to;
  std::uint64_t size = 0;
  Hash128 hash;
};

struct SmallWrite {
  ChunkInfo info;
  std::string_view bytes;  // info.size long; lives until the call returns
};

struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;   // what a new chunk may use: free on disk less the reserve
  std::uint64_t stored_bytes = 0;  // of chunks, each object once
};

// What the store holds, for collection and lshere.
struct HeldChunk {
  ChunkInfo info;
  absl::Time touched;   // wall time of the last write, relink or copy of its TRANSACTION here, durable (rule R18); survives a restart
  bool is_trashed = false;  // in the node's own trash, waiting for the second question (rule R19)
  absl::Time trashed;       // when; meaningful if is_trashed
  bool is_damaged = false;
};

// What is wrong here.
struct DamageCounts {
  std::uint64_t damaged_objects = 0;      // found bad or gone, not replaced yet; kept
  std::uint64_t quarantined_objects = 0;  // replaced by a good copy and set aside for inspection
};

// Thread-safe. All calls that write or read bytes block on disk: not from an executor that must not wait.
class ChunkStore {
 public:
  virtual ~ChunkStore() = default;

  // Begins a chunk of any size up to kChunkBytesMax. `size_hint` 0 if not known.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<ChunkWriter>> Create(
      const ChunkId& id, std::uint64_t size_hint) = 0;
  // Stores small chunks (each at most kSmallBytesMax) by one synced write; concurrent calls share syncs.
  // Each is verified against its info first; the result of each stands at its place (kDataLoss BAD_CHECKSUM:
  // that one is not stored). A failed sync: all kDataLoss, store poisoned.
  [[nodiscard]] virtual std::vector<absl::Status> PutSmall(std::span<const SmallWrite> writes) = 0;
  // All or nothing, one sync. An old chunk may be in the trash: it is taken back. kNotFound: one is
  // not here; kFailedPrecondition: one has another size or hash; nothing changed in both cases.
  [[nodiscard]] virtual absl::Status RelinkAll(std::span<const Relink> items) = 0;
  // kNotFound if it is not held (or damaged as a whole).
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<ChunkReader>> Open(const ChunkId& id) = 0;
  // Whether the chunk is held, complete and not known to be damaged. Does not read its bytes.
  [[nodiscard]] virtual std::optional<ChunkInfo> Find(const ChunkId& id) = 0;

  // Calls visit for each held chunk with id > after, in order of id, until it returns false. A consistent view.
  virtual void ForEach(const std::optional<ChunkId>& after,
                       const std::function<bool(const HeldChunk&)>& visit) = 0;

  // Verdicts (rule R19). Opens a question about a chunk: its nonce. Anything that makes the chunk count again
  // here (write, relink, copy, Vouch) voids it. nullopt if the chunk is not held.
  [[nodiscard]] virtual std::optional<std::uint64_t> OpenQuestion(const ChunkId& id) = 0;
  // Moves the chunk to the node's trash / unlinks it for good, if the question `nonce` is still open; else
  // kAborted, nothing changed. Trash: hidden from nobody (readers by id still get it), but marked. Remove: only
  // from the trash (kFailedPrecondition otherwise); the object's bytes go when no other chunk refers to them.
  [[nodiscard]] virtual absl::Status Trash(const ChunkId& id, std::uint64_t nonce) = 0;
  [[nodiscard]] virtual absl::Status Remove(const ChunkId& id, std::uint64_t nonce) = 0;
  // "Have it, verified": reads and verifies the whole chunk, takes it out of the trash and voids questions.
  // kNotFound, kDataLoss.
  [[nodiscard]] virtual absl::StatusOr<ChunkInfo> Vouch(const ChunkId& id) = 0;

  [[nodiscard]] virtual Space GetSpace() = 0;
  // 99th percentile of recent syncs.
  [[nodiscard]] virtual absl::Duration SyncP99() = 0;
  // Not OK after a failed sync: the store refuses all writes until it is opened anew. IsDiskFull (common/disk_full.h): for want of space.
  [[nodiscard]] virtual absl::Status Health() = 0;

  // The store has met damage that keeps it from writing, and that opening it anew mends. True: it will, that is noted
  // durably; this store is to be closed and opened again. Blocks on disk.
  [[nodiscard]] virtual bool WantsReopening() { return false; }

  // ---- for the scrubber ----
  // Compares with what the log wants. A chunk that is held with another content is damaged from then on: made from a file
  // whose record was lost, it has nothing but itself to be checked against.
  virtual void CompareWith(const ChunkInfo& /*wanted*/) {}
  // Called with each chunk whose bytes are found bad or gone by any read; may be called again for the same. On the
  // thread of that read, with no lock held: return at once. Set once, before the store is shared between threads.
  virtual void SetDamageListener(std::function<void(const ChunkInfo&)> /*listener*/) {}
  [[nodiscard]] virtual DamageCounts GetDamage() { return {}; }
  // Chunks opened and written so far, the scrubber's own reads among them: tells whether clients are at work.
  [[nodiscard]] virtual std::uint64_t CallCount() { return 0; }
  // A few bytes that survive a restart. Save blocks on disk.
  [[nodiscard]] virtual absl::Status SaveScrubProgress(std::string_view /*bytes*/) {
    return absl::OkStatus();
  }
  [[nodiscard]] virtual std::string LoadScrubProgress() { return {}; }
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_CHUNK_STORE_H_
