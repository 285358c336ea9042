// ByteSource and ByteSink over files and descriptors.
#ifndef DFS_CLIENT_POSIX_BYTE_STREAM_H_
#define DFS_CLIENT_POSIX_BYTE_STREAM_H_

#include <memory>

#include "client/byte_stream.h"

namespace dfs::client {

// A local file could not be read or written: kInternal would be our bug, so it is
// kFailedPrecondition or kNotFound with this mark, which tells it apart from answers of the
// cluster.
absl::Status LocalError(std::string_view action, std::string_view path, int error_number);
[[nodiscard]] bool IsLocalError(const absl::Status& status);

inline constexpr std::size_t kFileNameBytesMax = 255;  // ext4, xfs
inline constexpr std::size_t kLocalReadBytes = std::size_t{1} << 20;  // of a local file that is read to be summed

// A regular file, or anything else that can be opened; only the former can be repeated. It must not
// change meanwhile: if its length or its time of modification is not what it was at Open any more,
// the read that would hand out its last bytes is a local error.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenFileSource(const std::string& path);

// A descriptor that cannot be rewound, for example a pipe; it is not closed. Keeps the first
// kReplayBytesMax bytes, so that a put that breaks early can be repeated.
inline constexpr std::size_t kReplayBytesMax = std::size_t{4} << 20;
std::unique_ptr<ByteSource> MakeDescriptorSource(int descriptor, std::string name);

// Writes beside `path` and renames in Commit, so that no reader sees half a file. What was not
// committed is removed in the destructor. (What exists and is no regular file is written in place;
// partial_path() is empty then.)
class FileSink : public ByteSink {
 public:
  // Creates the partial file.
  static absl::StatusOr<std::unique_ptr<FileSink>> Create(const std::string& path);
  // What was written becomes durable, so that a name given to it by Commit is never that of fewer bytes. Blocks on the disk.
  [[nodiscard]] virtual absl::Status Sync() = 0;
  // Makes the file visible under its name. Call once, last.
  [[nodiscard]] virtual absl::Status Commit() = 0;
  [[nodiscard]] virtual const std::string& partial_path() const = 0;
};

// In the same folder, hidden, at most 255 bytes: ".NAME.<tag>.partial".
std::string PartialPath(const std::string& path, std::string_view tag);

// The file that a symbolic link leads to, so that the link itself survives a rename; `path` if it is none.
std::string FollowLink(const std::string& path);

// A descriptor, for example standard output; it is not closed.
std::unique_ptr<ByteSink> MakeDescriptorSink(int descriptor, std::string name);

}  // namespace dfs::client

#endif  // DFS_CLIENT_POSIX_BYTE_STREAM_H_
