// The manifest of a backup, line by line, and the names of its objects. Pure.
//
// JSON, an object a line: the header, a line for each file in the order of (bucket, name), and the end, which has their number,
// their bytes and the XXH3-128 of all lines before it. README.md has the fields.
#ifndef DFS_CLIENT_CLI_BACKUP_MANIFEST_H_
#define DFS_CLIENT_CLI_BACKUP_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "dfs/v1/buckets.pb.h"
#include "dfs/v1/types.pb.h"

namespace dfs::client::cli {

inline constexpr int kBackupFormat = 1;
// A longer line is none of ours: that of a file has a name of 1,024 bytes, six characters each at most, the header 1,000 buckets.
inline constexpr std::size_t kManifestLineBytesMax = std::size_t{1} << 20;

struct BackupBucket {
  std::string name;
  v1::BucketOptions options;
};

struct BackupHeader {
  std::string cluster_id;
  std::uint64_t time_us = 0;          // when it was begun, by the clock of the machine that made it
  bool has_all_buckets = false;       // that there were then
  std::vector<BackupBucket> buckets;  // by name
  // Null: the backup is not of this bucket. Points into this.
  [[nodiscard]] const BackupBucket* Find(std::string_view bucket) const;
};

struct BackupSum {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

// Of a file the fields bucket, name, version, size, crc32c, content_hash and time_us are kept. Each without the end of the line.
std::string LineOf(const BackupHeader& header);
std::string LineOf(const v1::FileInfo& file);
std::string EndLineOf(const BackupSum& sum, const Hash128& hash);

// kDataLoss: it is no such line. kUnimplemented: the header of a later format.
absl::StatusOr<BackupHeader> ParseBackupHeader(std::string_view line);
absl::StatusOr<v1::FileInfo> ParseBackupFile(std::string_view line);

// Whether `a` stands before `b`.
[[nodiscard]] bool IsBefore(const v1::FileInfo& a, const v1::FileInfo& b);

// "<bucket>-<version>-<crc32c>-<XXH3-128 of the name>": whatever a name has in it, this has none of it, and two files that differ in
// one of these have two objects. (In a bucket of mode gossip two files may have one version.)
std::string ObjectNameOf(const v1::FileInfo& file);
[[nodiscard]] bool IsObjectName(std::string_view name);
// "objects/<its last two digits>/<its name>".
std::string ObjectPathOf(std::string_view object_name);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_MANIFEST_H_
