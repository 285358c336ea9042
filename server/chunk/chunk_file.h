// One large object on its way into its file.
#ifndef DFS_SERVER_CHUNK_CHUNK_FILE_H_
#define DFS_SERVER_CHUNK_CHUNK_FILE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/disk.h"
#include "common/ids.h"
#include "server/chunk/object_folder.h"

namespace dfs::chunk {

// Creates the file under its final name, appends, syncs. Not thread-safe. Destroyed without Keep: the file is
// unlinked. Blocks on disk.
class ChunkFile {
 public:
  // The device begins to write while bytes still arrive.
  static constexpr std::uint64_t kWritebackBytes = std::uint64_t{8} << 20;

  // `folder` must outlive the object.
  static absl::StatusOr<std::unique_ptr<ChunkFile>> Create(ObjectFolder* folder, ObjectId object,
                                                           const ChunkId& birth);
  ~ChunkFile();
  ChunkFile(const ChunkFile&) = delete;
  ChunkFile& operator=(const ChunkFile&) = delete;

  [[nodiscard]] ObjectId object() const { return object_; }
  // The pieces are written from where they are. Errors as of DiskFile::Write.
  [[nodiscard]] absl::Status Append(std::span<const std::string_view> pieces);
  // Makes bytes and name durable, and the file read-only. An error of this call poisons the store.
  [[nodiscard]] absl::Status Sync();
  // The file stays from now on.
  void Keep() { is_kept_ = true; }

 private:
  ChunkFile(ObjectFolder* folder, ObjectId object, std::unique_ptr<DiskFile> file)
      : folder_(folder), object_(object), file_(std::move(file)) {}

  ObjectFolder* const folder_;
  const ObjectId object_;
  const std::unique_ptr<DiskFile> file_;
  std::uint64_t end_ = 0;             // where the next byte goes
  std::uint64_t writeback_from_ = 0;  // no writeback was begun from here on
  bool is_kept_ = false;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_CHUNK_FILE_H_
