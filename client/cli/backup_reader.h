// A manifest that is read: held against its own checksum first, then told file by file.
#ifndef DFS_CLIENT_CLI_BACKUP_READER_H_
#define DFS_CLIENT_CLI_BACKUP_READER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/byte_stream.h"
#include "client/cli/backup_manifest.h"

namespace dfs::client::cli {

// Keeps the manifest open as it was at Open, also when another one takes its place. Memory: a line and a piece of the file.
//
// Not thread-safe. Blocks on the disk.
class BackupReader {
 public:
  // Reads all of it. kDataLoss: it is cut off or damaged, and says what to do; kUnimplemented: of a later format; local errors.
  static absl::StatusOr<std::unique_ptr<BackupReader>> Open(const std::string& path);

  [[nodiscard]] const BackupHeader& header() const { return header_; }
  [[nodiscard]] const BackupSum& sum() const { return sum_; }

  // The next file, in the order of (bucket, name). False: there is none.
  absl::StatusOr<bool> Next(v1::FileInfo* file);
  // The next one is the first again.
  absl::Status Rewind();
  // The file of this bucket and name, if there is one. What is asked for comes in the order of (bucket, name), with no Next between.
  absl::StatusOr<bool> Find(const v1::FileInfo& wanted, v1::FileInfo* file);

 private:
  BackupReader(std::string path, std::unique_ptr<ByteSource> source) : path_(std::move(path)), source_(std::move(source)) {}
  // False: there is no more. A last line without its end is kDataLoss.
  absl::StatusOr<bool> NextLine(std::string* line);
  absl::Status Check();
  [[nodiscard]] absl::Status Damaged(const absl::Status& why) const;

  const std::string path_;
  const std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  std::size_t at_ = 0;  // in the buffer
  BackupHeader header_;
  BackupSum sum_;
  std::uint64_t files_left_ = 0;
  v1::FileInfo held_;  // by Find: looked at, and behind what was asked for
  bool is_held_ = false;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_READER_H_
