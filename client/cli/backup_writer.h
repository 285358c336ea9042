// A manifest that is made: it takes the place of the one before when it is whole and durable.
#ifndef DFS_CLIENT_CLI_BACKUP_WRITER_H_
#define DFS_CLIENT_CLI_BACKUP_WRITER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/backup_manifest.h"
#include "client/cli/interrupt.h"
#include "client/posix_byte_stream.h"
#include "common/checksum.h"

namespace dfs::client::cli {

// Not thread-safe. Errors are local ones; whatever has not been committed leaves nothing behind, after an interrupt neither.
class BackupWriter {
 public:
  static absl::StatusOr<std::unique_ptr<BackupWriter>> Begin(const std::string& path, const BackupHeader& header);

  // In the order of (bucket, name).
  absl::Status Add(const v1::FileInfo& file);
  // Call once, last. The name is durable when the folder has been synced.
  absl::Status Commit();

  [[nodiscard]] const BackupSum& sum() const { return sum_; }

 private:
  explicit BackupWriter(std::unique_ptr<FileSink> sink) : sink_(std::move(sink)), remove_(sink_->partial_path()) {}
  absl::Status AddLine(const std::string& line);
  absl::Status Flush();

  const std::unique_ptr<FileSink> sink_;
  const RemoveOnInterrupt remove_;
  std::string buffer_;
  Xxh3Stream hash_;
  BackupSum sum_;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_WRITER_H_
