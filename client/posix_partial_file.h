// A local file that may be read from the cluster in several runs of a program.
#ifndef DFS_CLIENT_POSIX_PARTIAL_FILE_H_
#define DFS_CLIENT_POSIX_PARTIAL_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "client/byte_stream.h"
#include "client/posix_byte_stream.h"
#include "common/checksum.h"

namespace dfs::client {

// The checksums that a FileInfo tells, of what comes past.
class ContentSums {
 public:
  void Add(const void* data, std::size_t bytes);
  void Add(const Slices& bytes);
  [[nodiscard]] std::uint64_t length() const { return length_; }
  // Length, CRC32C and XXH3-128.
  [[nodiscard]] bool IsOf(const v1::FileInfo& file) const;

 private:
  std::uint64_t length_ = 0;
  std::uint32_t crc_ = 0;
  Xxh3Stream hash_;
};

// Whether a file of this name, without folder, is one that a get writes and renames.
[[nodiscard]] bool IsPartialName(std::string_view name);

// Shorter files are begun anew rather than gone on with.
inline constexpr std::uint64_t kResumableBytesMin = std::uint64_t{8} << 20;

// Writes beside `path` and renames in Commit. What was written of a file of kResumableBytesMin or more, and of which this is
// 1 MiB or more, stays there when this object or the process ends before: ".NAME.v<version>-<beginning of its content
// hash>.partial". A later object for the same path takes it over if the cluster still has that version, and what was taken over
// counts only if the whole has the checksums of the version. A file that another process is writing (flock) or another user
// owns is left alone. What exists and is no regular file is written in place.
//
// Not thread-safe.
class PartialFile final : public ByteSink {
 public:
  // `keeps` false: nothing stays behind, and the name beside is a random one.
  PartialFile(std::string path, bool keeps);
  ~PartialFile() override;
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Whether earlier gets have left something beside `path`, of whatever version. Reads the folder.
  [[nodiscard]] static bool HasLeft(const std::string& path);
  // Takes over what was left of this version, and returns how many bytes that is: the get goes on there, with this version. 0:
  // nothing. What was left of other versions of `path` is removed. Reads all of it. Before the first Begin.
  [[nodiscard]] std::uint64_t TakeOver(const v1::FileInfo& file);

  // Local errors, if the file cannot be made; kAborted: what was taken over is of another version.
  [[nodiscard]] absl::Status Begin(const v1::FileInfo& file) override;
  [[nodiscard]] absl::Status Write(const Slices& bytes) override;
  [[nodiscard]] bool Rewind() override;
  // What is in it becomes durable: before Commit, for what must be whole if it has its name after a power failure.
  [[nodiscard]] absl::Status Sync();
  // Call once, last. kDataLoss: what was taken over was damaged; it is gone, and nothing has appeared.
  [[nodiscard]] absl::Status Commit();
  // Nothing of it is to stay.
  void Discard();

  // What whoever ends the process should remove; empty: nothing.
  [[nodiscard]] const std::string& path_to_remove() const;
  // What stays behind if this ends now: bytes, 0 if nothing does.
  [[nodiscard]] std::uint64_t bytes_kept() const;

 private:
  // False: it is not there, or not ours.
  bool Open(const v1::FileInfo& file, bool creates);
  // All that there is, into the sums. False: it cannot be read.
  bool Sum();
  void Close();
  void RemoveOthers(const std::string& but) const;

  const std::string path_;  // no symbolic link
  const bool keeps_;
  std::unique_ptr<FileSink> plain_;  // of what is not kept
  int descriptor_ = -1;              // of what is, locked
  std::string kept_;                 // its path
  std::unique_ptr<ByteSink> writer_;
  std::uint64_t written_ = 0;        // all that is in it
  bool is_taken_over_ = false;
  v1::FileInfo file_;                // that was taken over
  ContentSums sums_;                 // of what was taken over and what followed
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_POSIX_PARTIAL_FILE_H_
