// Readers of stored chunks: every block is checked against the table before it is handed out.
#ifndef DFS_SERVER_CHUNK_STORED_CHUNK_H_
#define DFS_SERVER_CHUNK_STORED_CHUNK_H_

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/disk.h"
#include "server/chunk/rocksdb_chunk_index.h"
#include "server/chunk/chunk_store.h"

namespace dfs::chunk {

// Where the bytes of one object are, from 0 to its size. Thread-safe; readable while it lives.
class ObjectBytes {
 public:
  virtual ~ObjectBytes() = default;
  // Within the object. kDataLoss: they cannot be read. Blocks on disk.
  [[nodiscard]] virtual absl::Status Read(std::uint64_t offset, std::span<char> out) const = 0;
  // Of the file that holds them, from kFileDataOffset on; -1: they are in none of this machine's.
  [[nodiscard]] virtual int descriptor() const { return -1; }
};

// Where the bytes of an object begin in its file.
extern const std::uint64_t kFileDataOffset;

// In a file, behind the header, which was checked.
std::unique_ptr<ObjectBytes> BytesInFile(std::unique_ptr<DiskFile> file);
// In the index. kDataLoss is what reads say if there are fewer than asked for.
std::unique_ptr<ObjectBytes> BytesInIndex(std::unique_ptr<PinnedBytes> bytes);

// Thread-safe.
class StoredChunk final : public ChunkReader {
 public:
  // `damaged` is called each time a block is found bad; it may block.
  StoredChunk(ChunkInfo info, std::vector<std::uint32_t> table, std::unique_ptr<ObjectBytes> bytes,
              std::function<void()> damaged);

  [[nodiscard]] const ChunkInfo& info() const override { return info_; }
  [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return table_; }
  [[nodiscard]] absl::Status Read(std::uint64_t offset, std::span<char> out) const override;

  // Reads and checks everything.
  [[nodiscard]] absl::Status Verify() const;
  [[nodiscard]] int descriptor() const { return bytes_->descriptor(); }

 private:
  [[nodiscard]] std::uint64_t BlockLength(std::size_t block) const;
  // Whole blocks, from the beginning of one.
  absl::Status ReadBlocks(std::uint64_t offset, std::span<char> out) const;
  // Part of one block.
  absl::Status ReadPart(std::uint64_t offset, std::span<char> out) const;

  const ChunkInfo info_;
  const std::vector<std::uint32_t> table_;
  const std::unique_ptr<ObjectBytes> bytes_;
  const std::function<void()> damaged_;
};

// The open file that a reader reads, as long as it lives; -1: none (ObjectBytes::descriptor).
[[nodiscard]] int DescriptorOf(const ChunkReader& reader);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_STORED_CHUNK_H_
