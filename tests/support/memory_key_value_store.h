// KeyValueStore in memory, for tests and simulations. Snapshots share the rows until the next write
// copies them.
#ifndef DFS_TESTS_SUPPORT_MEMORY_KEY_VALUE_STORE_H_
#define DFS_TESTS_SUPPORT_MEMORY_KEY_VALUE_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/sync.h"
#include "server/metadata/key_value_store.h"

namespace dfs::metadata {

// Thread-safe. A snapshot may outlive the store.
class MemoryKeyValueStore final : public KeyValueStore {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;

  MemoryKeyValueStore();
  explicit MemoryKeyValueStore(Rows rows);
  ~MemoryKeyValueStore() override;

  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override;
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  void Write(const RowBatch& batch) override;
  [[nodiscard]] std::unique_ptr<RowReader> Snapshot() const override;

  [[nodiscard]] Rows rows() const;
  void Replace(Rows rows);  // as a snapshot that is installed does
  // Further writes are lost, as after a power cut that nobody noticed yet. 0: from now on.
  void LoseWritesAfter(std::size_t writes);
  [[nodiscard]] std::size_t writes() const;
  // Rows in all writes together.
  [[nodiscard]] std::size_t rows_changed() const;

 private:
  class View;
  [[nodiscard]] std::shared_ptr<const Rows> Pin() const;

  mutable Mutex mutex_;
  std::shared_ptr<Rows> rows_ ABSL_GUARDED_BY(mutex_);
  // Somebody got `rows_` since it was last copied: the next write copies it.
  mutable bool is_pinned_ ABSL_GUARDED_BY(mutex_) = false;
  std::size_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t rows_changed_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::size_t> writes_kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::metadata

#endif  // DFS_TESTS_SUPPORT_MEMORY_KEY_VALUE_STORE_H_
