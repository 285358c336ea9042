// The bytes of one file in a backup, never handed out to their end unless they are what the manifest says.
#ifndef DFS_CLIENT_CLI_BACKUP_OBJECT_H_
#define DFS_CLIENT_CLI_BACKUP_OBJECT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/byte_stream.h"
#include "client/cli/json.h"
#include "client/file_client.h"

namespace dfs::client::cli {

// kDataLoss: it is missing, or its length is another. The read that would hand out its last bytes is kDataLoss if length, CRC32C or
// XXH3-128 of all are not those of `file`: a put from it never ends then, and nothing is stored. Local errors.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenObject(const std::string& path, const v1::FileInfo& file);

// Reads all of it. kDataLoss, local errors.
absl::Status CheckObject(const std::string& path, const v1::FileInfo& file, const OnProgress& on_progress);

// Whether two versions have the same bytes, as far as their checksums tell.
[[nodiscard]] bool HasSameBytes(const v1::FileInfo& a, const v1::FileInfo& b);

// What the manifest says of a file, and where its bytes are.
Json JsonOfBackedUp(const v1::FileInfo& file);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BACKUP_OBJECT_H_
