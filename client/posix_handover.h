// Takes over open chunk files from a server on this machine.
#ifndef DFS_CLIENT_POSIX_HANDOVER_H_
#define DFS_CLIENT_POSIX_HANDOVER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfs/v1/files.pb.h"

namespace dfs::client {

// Whether "host:port" is on this machine for certain.
[[nodiscard]] bool IsOnThisMachine(const std::string& address);

// The files of one answer. Read may be called by several threads at once.
class HandedFiles {
 public:
  // Asks the server's socket for all of them. Blocks, a second at most. kUnavailable: they were not given.
  static absl::StatusOr<HandedFiles> TakeOver(const v1::HandedChunks& handed);
  ~HandedFiles();
  HandedFiles(HandedFiles&& other) noexcept : files_(std::move(other.files_)) { other.files_.clear(); }
  HandedFiles(const HandedFiles&) = delete;
  HandedFiles& operator=(const HandedFiles&) = delete;

  // Fills `to` from `offset` of file `index`. kUnavailable: it cannot be read.
  [[nodiscard]] absl::Status Read(std::size_t index, std::uint64_t offset, char* to, std::size_t bytes) const;

 private:
  explicit HandedFiles(std::vector<int> files) : files_(std::move(files)) {}

  std::vector<int> files_;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_POSIX_HANDOVER_H_
