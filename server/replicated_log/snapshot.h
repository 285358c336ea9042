// Pieces of a state snapshot on its way from one node to another (rule R9 in README.md).
#ifndef DFS_SERVER_REPLICATED_LOG_SNAPSHOT_H_
#define DFS_SERVER_REPLICATED_LOG_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/consensus/configuration.h"

namespace dfs::replicated_log {

// What the rows of a state are, independent of how files cut them.
struct SnapshotContent {
  std::uint64_t rows = 0;
  // XXH3-128 over all rows in key order: (key length, key, value length, value), lengths as 4 bytes little endian.
  Hash128 hash;
  bool operator==(const SnapshotContent&) const = default;
};

struct SnapshotDescription {
  LogIndex index;                          // the state's applied index
  Term term;                               // of that entry
  consensus::Configuration configuration;  // in force there
  SnapshotContent content;
};

// Files that hold one consistent view of the state. Deletes them when destroyed. One thread at a time.
class SnapshotFiles {
 public:
  virtual ~SnapshotFiles() = default;
  [[nodiscard]] virtual const SnapshotContent& content() const = 0;
  [[nodiscard]] virtual std::size_t count() const = 0;
  // Up to `bytes_max` bytes from `offset` on; none at the end of the file. Blocks on disk.
  [[nodiscard]] virtual absl::StatusOr<std::string> Read(std::size_t file, std::uint64_t offset,
                                                         std::size_t bytes_max) = 0;
};

// Where an arriving snapshot is kept until it is installed. Deletes its files when destroyed. One thread at a
// time; blocks on disk.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // Files come one after another, from 0. kInvalidArgument: out of order, or too many files.
  [[nodiscard]] virtual absl::Status Append(std::uint32_t file, std::string_view data,
                                            bool is_last_of_file) = 0;
};

// A state that was received, verified and made durable, and is in force nowhere yet. Destroyed without being
// installed it disappears again.
class PreparedState {
 public:
  virtual ~PreparedState() = default;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_SNAPSHOT_H_
