// The state machine's rows in RocksDB: the current generation of its column family (rule R9).
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_STATE_STORE_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_STATE_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/sync.h"
#include "server/metadata/key_value_store.h"
#include "server/replicated_log/rocksdb_database.h"

namespace dfs::replicated_log {

// Thread-safe; writes from one thread at a time. Views hold their generation and must go before the database.
class RocksdbStateStore final : public metadata::KeyValueStore {
 public:
  // Told once what went wrong with the disk; the store ignores writes and finds nothing from then on. By
  // default it ends the process.
  using OnFailure = std::function<void(absl::Status)>;

  RocksdbStateStore(RocksdbDatabase* database, std::shared_ptr<RocksdbGeneration> generation,
                    OnFailure on_failure);

  // Readers that began before keep the old rows; those that begin after see the new ones.
  void Switch(std::shared_ptr<RocksdbGeneration> generation) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::shared_ptr<RocksdbGeneration> generation() const ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override;
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  void Write(const metadata::RowBatch& batch) override;
  [[nodiscard]] std::unique_ptr<metadata::RowReader> Snapshot() const override;

 private:
  class View;
  void Fail(const absl::Status& status) const;

  RocksdbDatabase* const database_;
  const OnFailure on_failure_;
  mutable Mutex mutex_;
  std::shared_ptr<RocksdbGeneration> generation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_STATE_STORE_H_
