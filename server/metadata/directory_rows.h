// What a storage-only node keeps of the state: the rows that say who the nodes are and which buckets there are, and none
// of files, sessions or trash. They come from a node that applies the log, in one piece, as they stood behind one entry.
#ifndef DFS_SERVER_METADATA_DIRECTORY_ROWS_H_
#define DFS_SERVER_METADATA_DIRECTORY_ROWS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "server/metadata/key_value_store.h"

namespace dfs::metadata {

struct DirectoryRows {
  LogIndex index;  // the entry behind which they stood so
  std::vector<std::pair<std::string, std::string>> rows;  // by key, rising
};

// Of a view of a state that applies every command (KeyValueStore::Snapshot).
[[nodiscard]] DirectoryRows ReadDirectory(const RowReader& rows);

// Makes them the store's, unless those there are as new, which is no error. Nobody else writes meanwhile.
// kInvalidArgument: a row that is of no directory, or out of order; nothing changed.
[[nodiscard]] absl::Status AdoptDirectory(const DirectoryRows& directory, KeyValueStore* store);

// The entry behind which the directory of this storage-only node stands; none before the first.
[[nodiscard]] LogIndex LoadDirectoryIndex(const RowReader& rows);

// Of a whole state, what a storage-only node gets as a snapshot: the directory, and how far the log is applied.
[[nodiscard]] std::unique_ptr<RowReader> DirectoryOf(std::unique_ptr<RowReader> rows);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_DIRECTORY_ROWS_H_
