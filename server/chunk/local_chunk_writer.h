// Writes one chunk of a LocalChunkStore.
#ifndef DFS_SERVER_CHUNK_LOCAL_CHUNK_WRITER_H_
#define DFS_SERVER_CHUNK_LOCAL_CHUNK_WRITER_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/checksum.h"
#include "server/chunk/chunk_file.h"
#include "server/chunk/local_chunk_store.h"

namespace dfs::chunk {

// Keeps bytes in memory while they may still be a small chunk; what is larger goes into a file, from
// where it is. Not thread-safe.
class LocalChunkWriter final : public ChunkWriter {
 public:
  LocalChunkWriter(LocalChunkStore* store, const ChunkId& id) : store_(store), id_(id) {}

  absl::Status Append(std::span<const std::string_view> pieces) override;
  absl::Status AppendChecked(std::span<const std::string_view> pieces, std::uint32_t crc) override;
  absl::StatusOr<ChunkInfo> Commit(const std::optional<ChunkInfo>& expected) override;

 private:
  absl::Status Take(std::span<const std::string_view> pieces,
                    const std::optional<std::uint32_t>& crc);
  absl::Status Store(std::span<const std::string_view> pieces, std::uint64_t bytes);
  absl::StatusOr<ChunkInfo> Finish(const std::optional<ChunkInfo>& expected);

  LocalChunkStore* const store_;
  const ChunkId id_;
  BlockChecksums sums_;
  std::string small_;                // everything, while file_ is null
  std::unique_ptr<ChunkFile> file_;  // holds everything once it is there
  bool is_over_ = false;             // committed, or an error was returned
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_LOCAL_CHUNK_WRITER_H_
