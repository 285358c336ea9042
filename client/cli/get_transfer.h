// One file out of the cluster: from there, from what was read before, or from where an earlier get stopped.
#ifndef DFS_CLIENT_CLI_GET_TRANSFER_H_
#define DFS_CLIENT_CLI_GET_TRANSFER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/byte_stream.h"
#include "client/cli/json.h"
#include "client/file_client.h"

namespace dfs::client::cli {

struct GetSettings {
  GetOptions options;  // without on_progress
  bool resumes = false;  // goes on where an earlier get stopped, and leaves what a later one may go on with (client/posix_partial_file.h)
  bool is_durable = false;  // GetToFile: synced before it has its name; the folder is the caller's to sync
  bool is_cached = false;
  std::uint64_t cache_bytes_max = 0;
};

struct Got {
  v1::FileInfo file;
  bool is_from_cache = false;
  bool was_there = false;          // locally: no byte was moved
  std::uint64_t resumed_from = 0;  // bytes that an earlier get had left
};

// Thread-safe, both. Standard output, for example.
absl::StatusOr<Got> GetToSink(FileClient& client, const std::string& remote, ByteSink& sink, const GetSettings& settings,
                              const OnProgress& on_progress);
// To a local file that appears when it is whole. An error says what is kept of it for the next get.
absl::StatusOr<Got> GetToFile(FileClient& client, const std::string& remote, const std::string& local,
                              const GetSettings& settings, const OnProgress& on_progress);

// Whether the local file is a regular one with just the bytes of `file`. Reads it, if its length is right.
[[nodiscard]] bool IsSameFile(const std::string& local, const v1::FileInfo& file);

std::string LineOf(const Got& got, const std::string& remote, const std::string& local, bool is_human);
Json JsonOf(const Got& got, const std::string& local, const GetSettings& settings);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_GET_TRANSFER_H_
