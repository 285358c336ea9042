// Ordered rows for the state machine: one generation of its column family in production
// (replicated_log/rocksdb_…), a map in tests and in the simulator.
#ifndef DFS_SERVER_METADATA_KEY_VALUE_STORE_H_
#define DFS_SERVER_METADATA_KEY_VALUE_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace dfs::metadata {

// A change of some rows, applied all or not at all. Later changes of a key win.
struct RowBatch {
  // nullopt: delete.
  std::vector<std::pair<std::string, std::optional<std::string>>> changes;
};

// Reads. Thread-safe. Keys compare as unsigned bytes.
class RowReader {
 public:
  virtual ~RowReader() = default;
  [[nodiscard]] virtual std::optional<std::string> Get(std::string_view key) const = 0;
  // Rows with first <= key < end (end empty: to the last) in order, until visit returns false.
  virtual void Scan(std::string_view first, std::string_view end,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const = 0;
};

class KeyValueStore : public RowReader {
 public:
  // Without sync: durable when a later synced write of the same database is, or never. A failure
  // of the disk stops the process (fail-stop): there is no state to go on from.
  virtual void Write(const RowBatch& batch) = 0;
  // A view that later writes do not change.
  [[nodiscard]] virtual std::unique_ptr<RowReader> Snapshot() const = 0;
};

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_KEY_VALUE_STORE_H_
